"""Move a repository from Pants' own `docker_image` to `docker_buildkit_image`.

Pure of Pants: texts in, texts out. Formatting and comments stay.
"""
