"""Frames and typed messages, both ways. Pure: no Trio, no clock."""
