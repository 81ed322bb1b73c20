"""A container registry in a thread, for tests of what a real one cannot be made to do."""
