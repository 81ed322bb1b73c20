"""A source policy that the user set: may a build read this?

buildx reads the file that `EXPERIMENTAL_BUILDKIT_SOURCE_POLICY` names: protobuf's message `Policy`
in JSON (https://github.com/moby/buildkit/blob/master/sourcepolicy/pb/policy.proto). A build of ours
sends a policy of its own, so this one is obeyed before: what it denies is not built.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pants_docker_buildkit.oci.json_object import InvalidJsonError, parse_json

POLICY_VARIABLE = "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"

_ACTIONS = ("ALLOW", "DENY", "CONVERT")
_MATCH_TYPES = ("WILDCARD", "EXACT", "REGEX")
_MESSAGE = "be BuildKit's message 'Policy' in JSON"


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
        document = _lower_keys(parse_json(text))
    except InvalidJsonError as e:
        raise InvalidUserPolicyError(e.requirement, "it is not") from e
    except AttributeError as e:
        raise InvalidUserPolicyError(_MESSAGE, "it is no object") from e
    rules = document.get("rules") or []
    if not isinstance(rules, list):
        raise InvalidUserPolicyError(_MESSAGE, "its 'rules' are no list")
    return UserPolicy(tuple(_parse_numbered(*each) for each in enumerate(rules, 1)))


def _parse_numbered(number: int, rule: Any) -> UserRule:
    try:
        return _parse_rule(_lower_keys(rule))
    except InvalidUserPolicyError:
        raise
    except KeyError as e:
        raise InvalidUserPolicyError(_MESSAGE, f"rule {number} has no {e}") from e
    except ValueError as e:
        raise InvalidUserPolicyError(_MESSAGE, f"in rule {number}, {e}") from e
    except (TypeError, AttributeError, IndexError) as e:
        finding = f"rule {number} has a member of another type, or is no object"
        raise InvalidUserPolicyError(_MESSAGE, finding) from e


def _parse_rule(rule: Mapping[str, Any]) -> UserRule:
    selector = _lower_keys(rule["selector"])
    identifier = selector["identifier"]
    action = _enum(rule.get("action"), _ACTIONS)
    match_type = _enum(selector.get("match_type"), _MATCH_TYPES)
    if action == "CONVERT":
        finding = f"the rule for {identifier!r} converts, so that something else than that is read"
        raise InvalidUserPolicyError("only allow and deny", finding)
    if match_type == "REGEX" or selector.get("constraints"):
        what = "a regular expression" if match_type == "REGEX" else "constraints"
        finding = f"the rule for {identifier!r} has {what}"
        raise InvalidUserPolicyError("select sources exactly or with '*'", finding)
    if match_type == "WILDCARD" and "**" in identifier:
        raise InvalidUserPolicyError("have no '**', which BuildKit refuses", f"{identifier!r} has")
    parts = identifier.split("*") if match_type == "WILDCARD" else [identifier]
    pattern = re.compile(".*".join(map(re.escape, parts)))
    return UserRule(identifier, action == "DENY", pattern)


def _enum(value: object, names: tuple[str, ...]) -> str:
    """BuildKit reads names and numbers, and takes nothing for the first one."""
    if value is None:
        return names[0]
    # `True` is a number to Python only.
    if type(value) is int and 0 <= value < len(names):
        return names[value]
    if value not in names:
        raise ValueError(f"{value!r} is not one of {', '.join(names)}")
    return str(value)


def _lower_keys(document: Any) -> dict[str, Any]:
    """Go matches the keys of JSON without regard to case."""
    return {key.lower(): value for key, value in document.items()}
