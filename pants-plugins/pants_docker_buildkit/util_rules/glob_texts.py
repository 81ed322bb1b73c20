"""Paths as globs of Pants."""

from __future__ import annotations

import re

_CHARACTERS = frozenset("*?[]{}!\\")
_ESCAPE = re.compile(r"\[([*?\[])\]")


def is_literal(path: str) -> bool:
    """Whether a glob of this text matches this path and nothing else."""
    return _CHARACTERS.isdisjoint(path)


def escaped(path: str) -> str:
    """A glob that matches this path and nothing else."""
    return "".join(f"[{each}]" if each in "*?[" else each for each in path)


def unescaped(glob: str) -> str:
    """The path of a glob as `escaped` gives it, and as Pants has it in the targets of files."""
    return _ESCAPE.sub(r"\1", glob) if "[" in glob else glob
