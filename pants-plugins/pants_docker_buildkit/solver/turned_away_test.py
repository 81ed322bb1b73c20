from __future__ import annotations

import pytest

from pants_docker_buildkit.solver import turned_away
from pants_docker_buildkit.solver.errors import TurnedAwayError
from pants_docker_buildkit.solver.turned_away import (
    find_missing_connection,
    find_turned_away,
    is_turned_away,
    let_in,
)

# As buildx 0.29 prints it, of an engine at an SSH address.
ENDED = (
    'error during connect: Head "http://docker.example.com/_ping": command [ssh -l me -- far docker'
    " system dial-stdio] has exited with exit status 255, make sure the URL is valid, and Docker"
    " 18.09 or later is installed on the remote host: stderr="
)
CLOSED = "kex_exchange_identification: Connection closed by remote host"
REFUSED = TurnedAwayError("ssh://far", CLOSED)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turned_away, "_PAUSE_SECONDS", (0, 0.01))


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (CLOSED, True),
        ("kex_exchange_identification: read: Connection reset by peer", True),
        ("ssh_exchange_identification: Connection closed by remote host", True),
        ("Host key verification failed.", False),
        ("me@far: Permission denied (publickey).", False),
    ],
)
def test_who_is_turned_away_is_not_who_is_refused(finding: str, *, expected: bool) -> None:
    assert is_turned_away(finding) == expected
    output = f"#1 hello\nERROR: {ENDED}{finding}\nConnection closed by far port 22\n"
    found = find_turned_away(output)
    assert found == (f"{ENDED}{finding}" if expected else None)


@pytest.mark.parametrize(
    "output",
    [
        f"#5 0.1 ERROR: {ENDED}{CLOSED}\nERROR: failed to build: failed to solve: exit code: 1\n",
        # BuildKit quotes what a step runs.
        f'ERROR: failed to solve: process "sh -c echo error during connect: {CLOSED}"'
        " did not complete successfully: exit code: 1\n",
    ],
    ids=["step", "quoted"],
)
def test_steps_say_what_they_like(output: str) -> None:
    assert find_turned_away(output) is None


@pytest.mark.parametrize(
    "error",
    [
        "failed to build: failed to solve: DeadlineExceeded: failed to read dockerfile: no active"
        " session for su1nl1imeu0doflxeyna49kfu: context deadline exceeded",
        "failed to build: listing workers for Build: failed to list workers: Unavailable:"
        ' connection error: desc = "transport: failed to write client preface: write |1: file'
        ' already closed"',
        "failed to build: listing workers: failed to list workers: Unavailable: connection error:"
        ' desc = "error reading server preface: read |0: file already closed"',
    ],
    ids=["session", "workers", "workers of a node"],
)
def test_a_build_of_which_one_connection_is_missing_is_known(error: str) -> None:
    assert find_missing_connection(f"#1 hello\nERROR: {error}\n") == error
    later = f"#5 0.1 ERROR: {error}\nERROR: failed to build: failed to solve: exit code: 1\n"
    assert find_missing_connection(later) is None


def test_work_is_tried_until_it_is_let_in() -> None:
    tries = []

    def work() -> str:
        tries.append("x")
        if len(tries) < 3:
            raise REFUSED
        return "image"

    assert let_in(work) == "image"


def test_who_is_never_let_in_is_told_what_to_do() -> None:
    def work() -> None:
        raise REFUSED

    finding = rf"at ssh://far .*: {CLOSED}\. Raise 'MaxStartups'"
    with pytest.raises(TurnedAwayError, match=finding):
        let_in(work, seconds=0.0)
