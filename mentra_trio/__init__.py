"""MentraOS apps in Trio."""
