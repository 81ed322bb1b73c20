"""What in a Dockerfile could not be understood, although a build may well succeed?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """One reason why an analysis is not complete, so that all of the context must count as input.

    `why` reads as a part of a sentence. `line` counts from 1; `None` if no line is to blame.
    """

    line: int | None
    why: str

    def __str__(self) -> str:
        return self.why if self.line is None else f"line {self.line}: {self.why}"
