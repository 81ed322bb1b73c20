"""What tests of signatures need: cosign itself, and keys."""
