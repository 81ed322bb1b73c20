"""Locks of what images take from outside of their repository. Never imports `pants`."""
