from __future__ import annotations

import os
from pathlib import Path

import pytest

from pants_docker_buildkit.remote.git_program import Git
from pants_docker_buildkit.remote.web_content import RemoteContentError
from pants_docker_buildkit.testing.processes import wait_until

SSH = """\
Warning: Permanently added 'example.org' to the list of known hosts.
git@example.org: Permission denied (publickey).
fatal: Could not read from remote repository.

Please make sure you have the correct access rights
and the repository exists.
"""
CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Add correct host key in /home/me/.ssh/known_hosts to get rid of this message.
Host key verification failed.
fatal: Could not read from remote repository.

Please make sure you have the correct access rights
and the repository exists.
"""
GREETING = """\
Welcome to Example Inc.

remote:
remote: ========================================================================
remote:
remote: ERROR: The project you were looking for could not be found.
remote:
remote: ========================================================================
remote:
fatal: Could not read from remote repository.
"""


def git(directory: Path, script: str, seconds: int = 60) -> Git:
    """A Git that does what is said here."""
    program = directory / "git"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Git({"PATH": f"{directory}:/usr/bin:/bin"}, seconds)


@pytest.mark.parametrize(
    ("said", "finding"),
    [
        (SSH, r"git@example\.org: Permission denied \(publickey\)\."),
        (CHANGED, r"Host key verification failed\."),
        (GREETING, r"ERROR: The project you were looking for could not be found\."),
        ("fatal: Could not read from remote repository.\n", "fatal: Could not read .*"),
        ("fatal: no such ref\nbye\n", "fatal: no such ref"),
        ("warning: only this\n", "warning: only this"),
        ("", "it ended with 128"),
    ],
    ids=["SSH", "changed host", "greeting", "no reason", "first", "warning", "nothing"],
)
def test_the_cause_of_a_failure_is_told(tmp_path: Path, said: str, finding: str) -> None:
    (tmp_path / "said").write_text(said)
    program = git(tmp_path, f"cat {tmp_path}/said >&2; exit 128")
    with pytest.raises(RemoteContentError, match=rf"^'git fetch' fails: {finding}$"):
        program.run("fetch", "origin")
    assert not program.succeeds("fetch", "origin")


def test_who_does_not_end_is_ended(tmp_path: Path) -> None:
    with pytest.raises(RemoteContentError, match=r"^'git fetch' took more than 1 s$"):
        git(tmp_path, "exec sleep 60", seconds=1).run("fetch")


def test_what_git_started_ends_with_it(tmp_path: Path) -> None:
    left = tmp_path / "left"
    os.mkfifo(left)
    with open(os.open(left, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as reader:
        with pytest.raises(RemoteContentError, match="took more than 1 s"):
            git(tmp_path, f"sleep 600 >{left} & wait", seconds=1).run("fetch")
        # While somebody could write, there is nothing yet, and not the end.
        wait_until(lambda: reader.read(1) == b"")


def test_a_machine_without_git_is_told(tmp_path: Path) -> None:
    with pytest.raises(RemoteContentError, match=r"^'git' cannot be run: No such file"):
        Git({"PATH": str(tmp_path)}, 60).run("fetch")
