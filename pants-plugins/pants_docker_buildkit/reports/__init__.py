"""What was built in a run, step by step on one axis of time, and how that is shown."""
