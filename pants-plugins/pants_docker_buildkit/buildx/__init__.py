"""What buildx is told and what it answers: values in, arguments out. Knows nothing of Pants."""
