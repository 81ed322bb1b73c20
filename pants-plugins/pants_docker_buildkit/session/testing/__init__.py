"""A stand-in for the session that a process asks."""
