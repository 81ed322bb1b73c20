"""References to images in files that people deploy from. Knows nothing of Pants."""
