from __future__ import annotations

import socket
from pathlib import Path
from typing import Optional

import pytest

from pants_docker_buildkit.remote.git_commit import find_commit
from pants_docker_buildkit.remote.git_tree import check_out
from pants_docker_buildkit.remote.ssh_login import SshLogin, is_ssh
from pants_docker_buildkit.remote.testing.fake_ssh import KEY, LOCKED_KEY, FakeSsh
from pants_docker_buildkit.remote.testing.git_project import Project
from pants_docker_buildkit.remote.web_content import RemoteContentError


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A repository that is there by its path, which `FakeSsh` reads."""
    project = Project(tmp_path / "project")
    project.url = f"ssh://me@localhost{project.site / 'project.git'}"
    return project


@pytest.fixture
def ssh(tmp_path: Path) -> FakeSsh:
    return FakeSsh(tmp_path / "ssh")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("git@example.org:a.git", True),
        ("ssh://example.org/a.git", True),
        ("SSH://git@example.org:2222/a.git", True),
        ("https://me@example.org/a.git", False),
        ("git://example.org/a.git", False),
        ("/srv/a.git", False),
    ],
)
def test_what_is_reached_by_ssh_is_known_by_its_url(url: str, *, expected: bool) -> None:
    assert is_ssh(url) == expected


@pytest.mark.parametrize(
    ("forwarded", "agent", "keys"),
    [
        ((), None, ()),
        (("default",), None, ()),
        (("deploy=/k",), None, ()),
        (("deploy=/other", "default=/k"), None, ("/k",)),
        (("=/k",), None, ("/k",)),
        (("default=/k,~/l", "default=/k"), None, ("/k", "/home/me/l")),
        (("default=/k,raw=true",), None, ("/k",)),
    ],
)
def test_buildkit_logs_in_with_what_is_forwarded_as_default(
    forwarded: tuple[str, ...], agent: Optional[str], keys: tuple[str, ...]
) -> None:
    url = "git@example.org:a.git"
    assert SshLogin.of_build(url, forwarded, "/home/me") == SshLogin(url, agent, keys)
    assert SshLogin.of_build("https://example.org/a.git", forwarded, "/home/me") is None


def test_keys_of_the_build_open_a_repository_though_others_can_read_them(
    tmp_path: Path, project: Project, ssh: FakeSsh
) -> None:
    commit = project.commit(a_txt="a")
    key, locked = tmp_path / "key", tmp_path / "locked"
    key.write_text(KEY)
    key.chmod(0o644)
    locked.write_text(LOCKED_KEY)
    forwarded = (f"default={locked},{key}",)
    assert find_commit(project.url, "main", ssh.environment, forwarded) == commit
    (place := tmp_path / "place").mkdir()
    tree = check_out(project.url, commit, "", place, ssh.environment, forwarded)
    assert (tree / "a.txt").read_text() == "a"
    assert all("-o IdentitiesOnly=no" in each for each in ssh.calls())
    with pytest.raises(RemoteContentError, match=r"Permission denied \(publickey\)\.?$"):
        find_commit(project.url, "main", ssh.environment, ("deploy=/k",))
    finding = rf"\(publickey\)\. The SSH key {tmp_path}/gone, {locked} was left out"
    forwarded = (f"default={tmp_path}/gone,{locked}",)
    with pytest.raises(RemoteContentError, match=finding):
        find_commit(project.url, "main", ssh.environment, forwarded)


def test_an_agent_of_the_build_is_asked_and_not_that_of_the_user(
    tmp_path: Path, project: Project, ssh: FakeSsh
) -> None:
    project.commit(a_txt="a")
    agent, environment = str(tmp_path / "agent"), {**ssh.environment, "SSH_AUTH_SOCK": "/mine"}
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(agent)
        with pytest.raises(RemoteContentError, match="Permission denied"):
            find_commit(project.url, "main", environment, (f"default={agent}",))
    (call,) = ssh.calls()
    assert call.startswith(f"{agent} -o IdentityAgent=SSH_AUTH_SOCK ")
    with pytest.raises(RemoteContentError, match="Permission denied"):
        find_commit(project.url, "main", environment, ("default",))
    assert ssh.calls()[1].startswith("/mine ")
    assert "IdentityAgent" not in ssh.calls()[1]


@pytest.mark.parametrize("place", ["configuration", "variable"])
def test_how_the_user_has_git_run_ssh_stays(
    tmp_path: Path, project: Project, ssh: FakeSsh, place: str
) -> None:
    commit = project.commit(a_txt="a")
    (tmp_path / "key").write_text(KEY)
    environment = dict(ssh.environment)
    if place == "variable":
        environment["GIT_SSH_COMMAND"] = "ssh -p 2222"
    else:
        Path(environment["HOME"], ".gitconfig").write_text("[core]\nsshCommand = ssh -p 2222\n")
    forwarded = (f"default={tmp_path / 'key'}",)
    assert find_commit(project.url, "main", environment, forwarded) == commit
    (call,) = ssh.calls()
    assert "-p 2222" in call
    assert "IdentityAgent" not in call


@pytest.mark.parametrize(
    ("url", "keyscan"),
    [
        ("ssh://nobody@example.org/a.git", "ssh-keyscan example.org"),
        ("nobody@example.org:a.git", "ssh-keyscan example.org"),
        ("ssh://nobody@example.org:2222/a.git", "ssh-keyscan -p 2222 example.org"),
    ],
)
def test_a_server_that_is_not_known_is_told_with_what_to_do(
    ssh: FakeSsh, url: str, keyscan: str
) -> None:
    finding = (
        r"^'git ls-remote' fails: Host key verification failed\. The server example\.org is not in"
        rf" known_hosts\. Compare what '{keyscan}' prints with what its operator says"
    )
    with pytest.raises(RemoteContentError, match=finding):
        find_commit(url, "main", ssh.environment)


def test_a_server_whose_key_has_changed_is_told() -> None:
    said = "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.\n"
    advice = SshLogin("ssh://example.org:2222/a.git").advice(said)
    assert "example.org has another key than known_hosts has" in advice
    assert "'ssh-keygen -R [example.org]:2222'" in advice
