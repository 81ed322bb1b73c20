"""What BuildKit says while it builds: kept for a failure, and shown as it comes to who wants it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pants_docker_buildkit.registry.redaction import redact_user_info
from pants_docker_buildkit.solver.profile import PROGRESS_FILE


@dataclass(frozen=True)
class Progress:
    """The output of one build, without the user names and passwords of URLs.

    `shown` is the file that the session shows, if it does.
    """

    target: str
    shown: Path | None

    def follow(self, lines: Iterable[bytes]) -> str:
        """All of the output, once it has ended."""
        output = []
        for line in lines:
            text = redact_user_info(line.decode("utf-8", "replace"))
            output.append(text)
            if self.shown is not None and text.strip():
                self._show(text)
        return "".join(output)

    def _show(self, text: str) -> None:
        assert self.shown is not None
        _append(self.shown, f"{self.target} {text}")


def tell(session: Path, text: str) -> None:
    """Show a line to the user of a session, whatever else of its builds is shown."""
    _append(session / PROGRESS_FILE, f"{redact_user_info(text)}\n")


def _append(path: Path, line: str) -> None:
    # Several builds append to one file; one write per line keeps their lines whole.
    with open(path, "a", encoding="utf-8") as file:
        file.write(line)
