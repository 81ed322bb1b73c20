"""What is made of a bake that fails? On a `docker` that fails; the real one is asked elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.context.buildkit import (
    DOCKER_VARIABLE,
    BuildRequest,
    ContextBuilder,
    Placement,
    Refused,
)

pytestmark = pytest.mark.network_free

CANCELED = "ERROR: target t0: failed to solve: Canceled: context canceled"
REFUSED = 'ERROR: failed to solve: error from receiver: "[" : syntax error in pattern'


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a `docker` says, call by call, what the lines of `says` are."""
    docker = tmp_path / "docker"
    docker.write_text(
        '#!/bin/sh\necho >> calls\nsed -n "$(wc -l < calls)p" says >&2\nexit 1\n',
    )
    docker.chmod(0o755)
    monkeypatch.setenv(DOCKER_VARIABLE, str(docker))
    for index in range(2):
        (tmp_path / f"context{index}").mkdir()
    return tmp_path


def outcome(directory: Path, requests: int, *says: str) -> list[object]:
    (directory / "says").write_text("\n".join(says))
    return list(
        ContextBuilder(directory).build(
            [
                BuildRequest(f"context{each}", Placement.MAIN_CONTEXT, b"[")
                for each in range(requests)
            ]
        )
    )


def test_a_bake_that_was_cancelled_is_split_until_the_reason_is_found(directory: Path) -> None:
    found = outcome(directory, 2, CANCELED, REFUSED, REFUSED)
    assert found == [Refused.REFUSED, Refused.REFUSED]


def test_one_request_that_was_cancelled_is_built_again(directory: Path) -> None:
    assert outcome(directory, 1, CANCELED, REFUSED) == [Refused.REFUSED]


@pytest.mark.parametrize("says", [["no space left on device"], [CANCELED] * 3])
def test_another_failure_is_not_taken_for_a_refusal(directory: Path, says: list[str]) -> None:
    with pytest.raises(RuntimeError, match="bake failed"):
        outcome(directory, 1, *says)
