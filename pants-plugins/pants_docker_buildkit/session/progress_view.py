"""Shows what builds say to the user of a session: all of it once, in the order in which it came."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path


class ProgressView:
    """The lines of a file to which builds append, as far as they were not shown yet.

    `show` gets each line with who may see it: a `solver.progress.Viewer`.
    """

    def __init__(self, file: Path, show: Callable[[str, str], None]) -> None:
        self._file = file
        self._show = show
        self._shown = 0
        self._lock = threading.Lock()

    def update(self) -> None:
        """Show what came since. Others that are at it are waited for."""
        with self._lock:
            try:
                with open(self._file, "rb") as file:
                    file.seek(self._shown)
                    content = file.read()
            except OSError:
                # Nothing was said yet, or no more files may be open, and it is shown later. An
                # error here would keep Pants from closing the session.
                return
            whole = content[: content.rfind(b"\n") + 1]
            self._shown += len(whole)
            for line in whole.decode("utf-8", "replace").split("\n")[:-1]:
                viewer, _, text = line.partition(" ")
                self._show(viewer, text)
