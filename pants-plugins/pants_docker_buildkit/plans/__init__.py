"""What would be built, and why: what was built before, how that differs, and how it is printed."""
