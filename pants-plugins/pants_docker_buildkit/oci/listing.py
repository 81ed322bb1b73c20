"""Lists in messages, which have no room for all of many."""

from __future__ import annotations

from collections.abc import Sequence


def list_few(texts: Sequence[str], most: int) -> str:
    """The first `most` of the texts, separated by commas, and how many more there are."""
    shown, left = ", ".join(texts[:most]), len(texts) - most
    return f"{shown} and {left} more" if left > 0 else shown
