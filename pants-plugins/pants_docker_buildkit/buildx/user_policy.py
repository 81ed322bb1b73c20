"""A source policy that the user set: may a build read this?

buildx reads the file that `EXPERIMENTAL_BUILDKIT_SOURCE_POLICY` names: protobuf's message `Policy`
in JSON (https://github.com/moby/buildkit/blob/master/sourcepolicy/pb/policy.proto). A build of ours
sends a policy of its own, so this one is obeyed before: what it denies is not built.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

POLICY_VARIABLE = "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"

_ACTIONS = ("ALLOW", "DENY", "CONVERT")
_MATCH_TYPES = ("WILDCARD", "EXACT", "REGEX")
_UNUSABLE = (ValueError, TypeError, AttributeError, LookupError, RecursionError)


class InvalidUserPolicyError(ValueError):
    """A policy that cannot be obeyed. `requirement` completes "must …"."""

    def __init__(self, requirement: str, finding: str) -> None:
        self.requirement = requirement
        self.finding = finding
        super().__init__(f"The source policy must {requirement}, but {finding}.")


@dataclass(frozen=True)
class UserRule:
    """Whether what a selector matches is denied. `pattern` is the selector as a whole match."""

    selector: str
    is_denial: bool
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class UserPolicy:
    """Rules, of which the last that matches decides. What none matches is allowed."""

    rules: tuple[UserRule, ...] = ()

    def denying_selector(self, identifier: str) -> str | None:
        """The selector of the rule that denies a source, `None` where it may be read."""
        matching = [rule for rule in self.rules if rule.pattern.fullmatch(identifier)]
        return matching[-1].selector if matching and matching[-1].is_denial else None


def parse_user_policy(text: bytes) -> UserPolicy:
    """The policy in a file. Raises `InvalidUserPolicyError` for one that cannot be obeyed."""
    try:
        document = _lower_keys(json.loads(text))
        rules = document.get("rules") or []
        return UserPolicy(tuple(_parse_rule(_lower_keys(each)) for each in rules))
    except InvalidUserPolicyError:
        raise
    except _UNUSABLE as e:
        requirement = "be BuildKit's message 'Policy' in JSON"
        raise InvalidUserPolicyError(requirement, f"it is not: {e!r}") from e


def _parse_rule(rule: Mapping[str, Any]) -> UserRule:
    selector = _lower_keys(rule["selector"])
    identifier = selector["identifier"]
    action = _enum(rule.get("action", 0), _ACTIONS)
    match_type = _enum(selector.get("match_type", 0), _MATCH_TYPES)
    if action == "CONVERT":
        finding = f"the rule for {identifier!r} converts, so that something else than that is read"
        raise InvalidUserPolicyError("only allow and deny", finding)
    if match_type == "REGEX" or selector.get("constraints"):
        what = "a regular expression" if match_type == "REGEX" else "constraints"
        finding = f"the rule for {identifier!r} has {what}"
        raise InvalidUserPolicyError("select sources exactly or with '*'", finding)
    if "**" in identifier:
        raise InvalidUserPolicyError("have no '**', which BuildKit refuses", f"{identifier!r} has")
    parts = identifier.split("*") if match_type == "WILDCARD" else [identifier]
    pattern = re.compile(".*".join(map(re.escape, parts)))
    return UserRule(identifier, action == "DENY", pattern)


def _enum(value: object, names: tuple[str, ...]) -> str:
    """BuildKit reads names and numbers."""
    if isinstance(value, int):
        return names[value]
    if value not in names:
        raise ValueError(f"{value!r} is not one of {', '.join(names)}")
    return str(value)


def _lower_keys(document: Any) -> dict[str, Any]:
    """Go matches the keys of JSON without regard to case."""
    return {key.lower(): value for key, value in document.items()}
