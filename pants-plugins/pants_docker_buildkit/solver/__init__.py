"""The program that a build process runs beside buildx. Knows nothing of Pants."""
