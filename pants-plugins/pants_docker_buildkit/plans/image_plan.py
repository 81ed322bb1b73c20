"""What would `package` do for each image, and `publish` for its tags? The values, and their JSON.

The JSON is described in `docs/plan.md`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pants_docker_buildkit.plans.build_inputs import BuildInputs
from pants_docker_buildkit.plans.drift import LockDrift
from pants_docker_buildkit.plans.reasons import Reason

SCHEMA_VERSION = 1


class PlanOutcome(str, Enum):
    """What `package` would do. An image that depends on one that would be built may be spared.

    `REMOVED` is an image of another plan that is no target any more.
    """

    UNCHANGED = "unchanged"
    RESTORED = "restored"
    BUILD = "build"
    DEPENDS = "depends"
    REMOVED = "removed"
    ERROR = "error"


class TagOutcome(str, Enum):
    """What `publish` would do with a tag.

    `DEPENDS`: it moves unless the image is spared. `REFUSED`: it stays, as two images have it.
    """

    NONE = "none"
    CREATE = "create"
    MOVE = "move"
    DEPENDS = "depends"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class TagPlan:
    """A tag, as `registry/repository:tag`, from where to where it would move.

    `after` is empty where the image is not built yet. `problem` is why it is not known, or refused.
    """

    name: str
    outcome: TagOutcome
    before: str = ""
    after: str = ""
    problem: str = ""


@dataclass(frozen=True)
class ImagePlan:
    """The plan of one image.

    `digest` and `references` are those of an image that is there. What depends on another image has
    no `inputs` yet. `problem` is why nothing is known, for `ERROR`, or else why no tags are.
    """

    target: str
    outcome: PlanOutcome
    reasons: tuple[Reason, ...] = ()
    depends_on: tuple[str, ...] = ()
    context_digest: str = ""
    inputs: BuildInputs | None = None
    digest: str = ""
    references: tuple[str, ...] = ()
    tags: tuple[TagPlan, ...] = ()
    last_build_seconds: float | None = None
    problem: str = ""

    @property
    def is_there(self) -> bool:
        """Whether nothing would be built for it."""
        return self.outcome in (PlanOutcome.UNCHANGED, PlanOutcome.RESTORED)

    def to_document(self) -> dict[str, Any]:
        """In terms of JSON."""
        return {
            "target": self.target,
            "outcome": self.outcome.value,
            "reasons": [each.to_document() for each in self.reasons],
            "depends_on": list(self.depends_on),
            "context_digest": self.context_digest or None,
            "build_digest": None if self.inputs is None else self.inputs.build_digest,
            "digest": self.digest or None,
            "references": list(self.references),
            "tags": [
                {
                    "name": each.name,
                    "outcome": each.outcome.value,
                    "from": each.before or None,
                    "to": each.after or None,
                    **({"problem": each.problem} if each.problem else {}),
                }
                for each in self.tags
            ],
            "last_build_seconds": self.last_build_seconds,
            "problem": self.problem or None,
            "inputs": None if self.inputs is None else self.inputs.to_document(),
        }


def count_outcomes(plans: Iterable[ImagePlan]) -> Mapping[PlanOutcome, int]:
    """How many images there are of each outcome, in the order of the outcomes."""
    found = Counter(each.outcome for each in plans)
    return {outcome: found[outcome] for outcome in PlanOutcome if found[outcome]}


def to_json(plans: Iterable[ImagePlan], drift: LockDrift | None = None) -> str:
    """The whole plan, as `--format=json` gives it; with what was asked of `drift`."""
    images = [each.to_document() for each in plans]
    document: dict[str, Any] = {"schema": SCHEMA_VERSION, "images": images}
    if drift is not None:
        document["drift"] = drift.to_document()
    return json.dumps(document, indent=1) + "\n"
