"""What identifies a context and a build: their canonical encoding and its BLAKE3 digest.

Pure of Pants. `docs/digests.md` describes every byte.
"""
