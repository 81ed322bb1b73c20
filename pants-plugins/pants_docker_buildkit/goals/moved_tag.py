"""One tag of many that the goal's first process moves, so that the others need none of their own.

The goal runs one process after the other, and to start one takes Pants 2.17 as long as many moves
of tags. But it looks at what it is to run only when it comes to it. By then the first process has
moved all tags, and has told those that it moved: they have nothing left to run and no other line.
A tag that did not move has its process, whose exit code and line say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.core.goals.publish import PublishOutputData, PublishPackages

from pants_docker_buildkit.util_rules.tag_moves import MoveOutcome


@dataclass(frozen=True)
class MovedTag(PublishPackages):
    """A tag whose `outcome` may be told before the goal comes to it.

    Only for a goal that reads `process` and `names` at the moment when it needs them; see
    `compat.PUBLISHES_ONE_BY_ONE`.
    """

    outcome: MoveOutcome | None = None

    @property
    def is_told(self) -> bool:
        """Whether there is nothing left to run, and no line to write."""
        return self.outcome is not None and self.outcome.is_told

    def __getattribute__(self, name: str) -> Any:
        if name == "process" and self.is_told:
            return None
        if name == "names" and self.is_told:
            return ()
        return super().__getattribute__(name)

    def get_output_data(self, **extra_data: Any) -> PublishOutputData:
        """The entry of the tag, which is the same whichever process moved it."""
        if not self.is_told:
            return super().get_output_data(**extra_data)
        names = super().__getattribute__("names")
        told = {"exit_code": 0, "published": True, "status": f"published to {self.description}"}
        return PublishOutputData({**self.data, "names": names, **told})
