"""A file that one process at a time has locked. Where that is killed, its lock goes with it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import BinaryIO


def lock_file(path: Path) -> BinaryIO:
    """The file, made where it is missing, and locked until it is closed. Waits for others."""
    file = _open(path)
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def try_to_lock_file(path: Path) -> BinaryIO | None:
    """The same without a wait; `None` where somebody else has it locked."""
    file = _open(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _open(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
