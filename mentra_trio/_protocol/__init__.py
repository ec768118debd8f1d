"""Decisions about a session. Pure: no Trio, no clock, no randomness of its own; time and chance are arguments."""
