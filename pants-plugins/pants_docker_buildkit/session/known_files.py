"""What was read of a file is known for as long as the file stays the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Optional, TypeVar, cast

T = TypeVar("T")

_Stamp = tuple[int, int, int]


class KnownFiles:
    """Files that are replaced, never written to, so that another one has another stamp.

    Any thread may use it: what two read at once is the same.
    """

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Optional[_Stamp], object]] = {}

    def read(self, path: Path, read: Callable[[Path], T]) -> T:
        """What `read` gives for a path, also where there is no file. Always the same `read`."""
        # Before it is read: a file that comes between is read once more the next time.
        stamp = _stamp(path)
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            known = self._known[path] = stamp, read(path)
        return cast("T", known[1])


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
