"""Why is an analysis not possible at all?

Anything else that is wrong with a Dockerfile is a `Limit` of its analysis: BuildKit refuses the
file, with the lines in question, and what we cannot read a newer BuildKit may.
"""

from __future__ import annotations

from collections.abc import Iterable


class UnknownStageError(ValueError):
    """The stage to build is not in the Dockerfile."""

    def __init__(self, stage: str, names: Iterable[str]) -> None:
        self.stage = stage
        listed = ", ".join(f"'{name}'" for name in names)
        self.hint = f"Stages there: {listed}" if listed else "None of its stages has a name"
        super().__init__(
            f"The Dockerfile must have the stage '{stage}', but it does not. {self.hint}."
        )
