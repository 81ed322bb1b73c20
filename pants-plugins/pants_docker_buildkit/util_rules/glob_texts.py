"""Paths as globs of Pants."""

from __future__ import annotations

_CHARACTERS = frozenset("*?[]{}!\\")


def is_literal(path: str) -> bool:
    """Whether a glob of this text matches this path and nothing else."""
    return _CHARACTERS.isdisjoint(path)


def escaped(path: str) -> str:
    """A glob that matches this path and nothing else."""
    return "".join(f"[{each}]" if each in "*?[" else each for each in path)
