"""What has moved since it was locked? The values, and their JSON, described in `docs/plan.md`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MovedPin:
    """A name that stands for something else now than what the lock at the path `lock` has.

    `name` is an image as people write it, or a URL without credentials; `before` and `after` are
    digests or commits; `targets` are images that read it, and `command` brings the lock up to date.
    """

    name: str
    lock: str
    before: str
    after: str
    targets: tuple[str, ...]
    command: str

    def to_document(self) -> dict[str, Any]:
        """In terms of JSON."""
        return {
            "name": self.name,
            "lock": self.lock,
            "from": self.before,
            "to": self.after,
            "targets": list(self.targets),
            "command": self.command,
        }


@dataclass(frozen=True)
class UnknownDrift:
    """What the image of a target reads could not be looked up."""

    target: str
    problem: str


@dataclass(frozen=True)
class LockDrift:
    """What is known of all locks that were looked at. Nothing where nothing has moved."""

    moved: tuple[MovedPin, ...] = ()
    unknown: tuple[UnknownDrift, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """In terms of JSON."""
        return {
            "moved": [each.to_document() for each in self.moved],
            "unknown": [{"target": each.target, "problem": each.problem} for each in self.unknown],
        }

    def without(self, targets: frozenset[str]) -> LockDrift:
        """The same, but for what could not be looked up of these targets."""
        unknown = tuple(each for each in self.unknown if each.target not in targets)
        return LockDrift(self.moved, unknown)
