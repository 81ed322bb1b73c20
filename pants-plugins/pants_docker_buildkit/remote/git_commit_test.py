from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pants_docker_buildkit.remote.git_commit import choose_commit, find_commit, repository_url
from pants_docker_buildkit.remote.web_content import RemoteContentError

A, B, C = "a" * 40, "b" * 40, "c" * 40


@pytest.mark.parametrize(
    ("reference", "listing", "commit"),
    [
        pytest.param("main", {"refs/heads/main": A}, A, id="branch"),
        pytest.param("v1", {"refs/tags/v1": A}, A, id="tag"),
        pytest.param("v1", {"refs/tags/v1": A, "refs/tags/v1^{}": B}, B, id="annotated"),
        pytest.param("x", {"refs/tags/x": A, "refs/heads/x": B}, B, id="branch-before-tag"),
        pytest.param("refs/heads/x", {"refs/heads/x": B}, B, id="full-branch"),
        pytest.param("heads/x", {"refs/heads/x": B}, B, id="partial"),
        pytest.param("refs/tags/v1", {"refs/tags/v1": A, "refs/tags/v1^{}": B}, B, id="full-tag"),
        pytest.param("HEAD", {"HEAD": C, "refs/remotes/origin/HEAD": A}, C, id="default"),
        pytest.param("x", {"refs/heads/other/x": B}, None, id="longer"),
        pytest.param("x", {"refs/heads/x": "no commit"}, None, id="garbage"),
        pytest.param("x", {}, None, id="none"),
    ],
)
def test_a_reference_is_what_buildkit_takes_it_for(
    reference: str, listing: dict[str, str], commit: str | None
) -> None:
    text = "".join(f"{value}\t{name}\n" for name, value in listing.items())
    assert choose_commit(text, reference) == commit


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://git.example/a.git#main:sub", "https://git.example/a.git"),
        ("https://git.example/a.git?branch=main", "https://git.example/a.git"),
        ("git@git.example:a.git#main", "git@git.example:a.git"),
    ],
)
def test_git_gets_the_url_of_the_repository(url: str, expected: str) -> None:
    assert repository_url(url) == expected


def test_a_repository_is_asked_for_its_branch_and_its_default(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        command = ("git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments)
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
        answer = subprocess.run(
            command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
        )
        return answer.stdout.strip()

    git("init", "--quiet", "--initial-branch=trunk")
    git("commit", "--allow-empty", "--quiet", "--message=one")
    commit = git("rev-parse", "HEAD")
    for reference in ("trunk", ""):
        assert find_commit(f"{tmp_path}#{reference}", reference, os.environ) == commit
    with pytest.raises(RemoteContentError, match="no reference 'gone'"):
        find_commit(str(tmp_path), "gone", os.environ)


def test_a_repository_that_is_not_there_is_said_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(RemoteContentError, match="'git ls-remote' fails") as caught:
        find_commit(f"file://me:secret@{tmp_path}/gone", "main", os.environ)
    assert "secret" not in str(caught.value)


def test_a_machine_without_git_is_told(tmp_path: Path) -> None:
    with pytest.raises(RemoteContentError, match="'git' cannot be run"):
        find_commit("https://git.example/a.git", "main", {"PATH": str(tmp_path)})
