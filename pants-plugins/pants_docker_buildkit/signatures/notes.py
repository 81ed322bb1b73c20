"""What is remembered of signatures from one run to the next, in a directory of this user."""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import suppress
from pathlib import Path


def note_path(notes: Path, *words: str) -> Path:
    """Where that is noted which these words say, in the directory `notes`."""
    return notes / hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]


def write_note(note: Path, text: str = "") -> None:
    """Note it, whole or not at all. Where nothing can be noted, it is found out again."""
    with suppress(OSError):
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = note.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        new.write_text(text)
        new.replace(note)
