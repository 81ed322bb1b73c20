"""What one session of Pants knows, and how its processes and rules learn it. Pure of Pants."""
