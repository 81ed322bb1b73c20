from __future__ import annotations

import json
from typing import Any

import pytest

from pants_docker_buildkit.buildx.user_policy import (
    InvalidUserPolicyError,
    UserPolicy,
    parse_user_policy,
)

NODE = "docker-image://docker.io/library/node:20"


def policy(*rules: dict[str, Any]) -> UserPolicy:
    return parse_user_policy(json.dumps({"version": 1, "rules": list(rules)}).encode())


def rule(action: object, identifier: str, **selector: Any) -> dict[str, Any]:
    return {"action": action, "selector": {"identifier": identifier, **selector}}


@pytest.mark.parametrize(
    ("rules", "denied_by"),
    [
        pytest.param([], None, id="no-rules"),
        pytest.param([rule("DENY", "docker-image://*")], "docker-image://*", id="wildcard"),
        pytest.param([rule("DENY", NODE)], NODE, id="the-same"),
        pytest.param([rule(1, NODE, match_type="EXACT")], NODE, id="exact-as-number"),
        pytest.param([rule("DENY", "*/node:*", match_type=0)], "*/node:*", id="two-wildcards"),
        pytest.param([rule("DENY", "*/node:*", match_type="EXACT")], None, id="exact-star"),
        pytest.param([rule("DENY", "docker-image://docker.io/")], None, id="no-prefix"),
        pytest.param([rule("DENY", "*"), rule("ALLOW", "*docker.io/*")], None, id="last-allows"),
        pytest.param([rule("ALLOW", NODE), rule("DENY", "*")], "*", id="last-denies"),
        pytest.param([{"Action": "DENY", "Selector": {"Identifier": "*"}}], "*", id="go-keys"),
        pytest.param([{"selector": {"identifier": "*"}}], None, id="allow-is-the-default"),
        pytest.param([rule(None, "*", match_type=None)], None, id="nothing-is-the-default"),
        pytest.param([rule("DENY", "a**", match_type="EXACT")], None, id="exact-two-stars"),
    ],
)
def test_the_last_rule_that_matches_decides(
    rules: list[dict[str, Any]], denied_by: str | None
) -> None:
    assert policy(*rules).denying_selector(NODE) == denied_by


@pytest.mark.parametrize(
    ("text", "requirement"),
    [
        pytest.param(b"\x08\x01\x12", "be JSON (line 1: Expecting value)", id="protobuf"),
        pytest.param(b'{"rules": {}, "Rules": "a"}', "be BuildKit's message", id="rules"),
        pytest.param(b"[]", "be BuildKit's message", id="list"),
        pytest.param(b'{"rules": [{}]}', "be BuildKit's message", id="no-selector"),
        pytest.param(
            json.dumps({"rules": [rule("FORBID", "*")]}).encode(),
            "be BuildKit's message",
            id="action",
        ),
        pytest.param(
            json.dumps({"rules": [rule("CONVERT", "*")]}).encode(),
            "only allow and deny",
            id="convert",
        ),
        pytest.param(
            json.dumps({"rules": [rule("DENY", "a", match_type="REGEX")]}).encode(),
            "select sources exactly or with '*'",
            id="regular-expression",
        ),
        pytest.param(
            json.dumps({"rules": [rule("DENY", "a", constraints=[{"key": "x"}])]}).encode(),
            "select sources exactly or with '*'",
            id="constraints",
        ),
        pytest.param(
            json.dumps({"rules": [rule("DENY", "a**")]}).encode(), "have no '**'", id="two-stars"
        ),
    ],
)
def test_what_cannot_be_obeyed_is_refused_with_a_reason(text: bytes, requirement: str) -> None:
    with pytest.raises(InvalidUserPolicyError) as raised:
        parse_user_policy(text)
    assert raised.value.requirement.startswith(requirement)


@pytest.mark.parametrize(
    ("second", "finding"),
    [
        ({"action": "DENY"}, "rule 2 has no 'selector'"),
        ({"selector": {}}, "rule 2 has no 'identifier'"),
        (rule("FORBID", "*"), "in rule 2, 'FORBID' is not one of ALLOW, DENY, CONVERT"),
        (rule(7, "*"), "in rule 2, 7 is not one of ALLOW, DENY, CONVERT"),
        (rule(-1, "*"), "in rule 2, -1 is not one of ALLOW, DENY, CONVERT"),
        (rule(True, "*"), "in rule 2, True is not one of ALLOW, DENY, CONVERT"),
        (rule("DENY", "*", match_type=-1), "in rule 2, -1 is not one of WILDCARD, EXACT, REGEX"),
        ("DENY", "rule 2 has a member of another type, or is no object"),
    ],
)
def test_a_rule_that_is_none_is_named(second: object, finding: str) -> None:
    text = json.dumps({"rules": [rule("DENY", "a"), second]}).encode()
    with pytest.raises(InvalidUserPolicyError) as raised:
        parse_user_policy(text)
    assert raised.value.finding.startswith(finding)
