"""Settings that come untyped from an options file. Knows nothing of Pants."""
