"""Does a registry refuse because of a rule that holds for everybody?

The distribution specification has no codes for these, so registries send `DENIED` or one of their
own, and say the reason in their text. The texts are those of Amazon ECR, Azure, Google Artifact
Registry, GitLab, Harbor, Nexus and Quay.
"""

from __future__ import annotations

import re
from enum import Enum


class RegistryRule(Enum):
    """A rule of a registry, against which no other credentials help."""

    QUOTA = "quota"
    IMMUTABLE_TAG = "immutable tag"
    LOCK = "lock"
    READ_ONLY = "read-only"

    @property
    def next_step(self) -> str:
        """What to do about it."""
        return _NEXT_STEPS[self]


_NEXT_STEPS = {
    RegistryRule.QUOTA: (
        "There is no room left, whoever asks: delete images that nobody needs any more, or have"
        " the limit raised."
    ),
    RegistryRule.IMMUTABLE_TAG: (
        "The tag may not move, whoever asks: use another one, or let it move in the registry's"
        " settings."
    ),
    RegistryRule.LOCK: (
        "The repository or the image is locked, or the registry is full, whoever asks: look at both"
        " in its settings."
    ),
    RegistryRule.READ_ONLY: (
        "It takes nothing from anybody: it is in maintenance, or a mirror. Wait until that is over,"
        " or name the registry that it mirrors."
    ),
}

_SIGNS = (
    (
        RegistryRule.QUOTA,
        re.compile(
            r"\bquota\b(?! project)|storage limit|upper limit of|limit is \d", re.IGNORECASE
        ),
    ),
    (
        RegistryRule.IMMUTABLE_TAG,
        re.compile(
            r"immutab|cannot be overwritten|does not allow updating|tag_?already_?exists",
            re.IGNORECASE,
        ),
    ),
    (RegistryRule.LOCK, re.compile(r"operation is disallowed|DISALLOWED_OPERATION")),
    (RegistryRule.READ_ONLY, re.compile(r"\bsystem is (currently|in) read[- ]only", re.IGNORECASE)),
)


def find_rule(text: str) -> RegistryRule | None:
    """The rule that a registry's code and message speak of, if they speak of one."""
    return next((rule for rule, sign in _SIGNS if sign.search(text)), None)
