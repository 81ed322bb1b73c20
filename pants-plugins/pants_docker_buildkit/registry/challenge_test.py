from __future__ import annotations

import pytest

from pants_docker_buildkit.registry.challenge import Challenge, choose_challenge, parse_challenges

BEARER = Challenge("bearer", (("realm", "https://auth.io/token"), ("service", "s")))
BASIC = Challenge("basic", (("realm", "my registry"),))


@pytest.mark.parametrize(
    "headers",
    [
        ['Bearer realm="https://auth.io/token",service="s"', 'Basic realm="my registry"'],
        ['Bearer realm="https://auth.io/token", service=s, Basic realm="my registry"'],
        ['bearer Realm = "https://auth.io/token" , Service="s",BASIC realm="my registry"'],
    ],
)
def test_all_challenges_are_found_however_they_are_written(headers: list[str]) -> None:
    assert parse_challenges(headers) == (BEARER, BASIC)


def test_quoted_values_may_hold_commas_and_quotes() -> None:
    (challenge,) = parse_challenges([r'Bearer realm="r",scope="repository:a:pull,push",x="a\"b"'])
    assert challenge.scopes == {"repository:a:pull,push"}
    assert challenge.parameter("x") == 'a"b'


def test_several_scopes_are_told_apart() -> None:
    (challenge,) = parse_challenges(
        ['Bearer realm="r",scope="repository:a:pull repository:b:pull"']
    )
    assert challenge.scopes == {"repository:a:pull", "repository:b:pull"}


@pytest.mark.parametrize("text", ["", ",,,", "=", 'realm="x"', '"', "\x00", "Bearer realm="])
def test_what_is_no_challenge_gives_nothing_to_meet(text: str) -> None:
    assert choose_challenge(parse_challenges([text])) is None


def test_tokens_are_chosen_over_passwords() -> None:
    assert choose_challenge((BASIC, BEARER)) == BEARER
    assert choose_challenge((BASIC, Challenge("negotiate"))) == BASIC
    assert choose_challenge((Challenge("bearer"), BASIC)) == BASIC
