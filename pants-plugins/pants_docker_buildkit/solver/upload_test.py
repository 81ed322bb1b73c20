from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.access import BasicAccess
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import (
    SmallImage,
    several_platforms,
    write_layout,
)
from pants_docker_buildkit.session.directory import EXIT_NO_SESSION
from pants_docker_buildkit.session.testing.fake_session import FakeSession
from pants_docker_buildkit.solver.main import UPLOAD_COMMAND, main

IMAGE = SmallImage.create()
INDEX_DIGEST = sha256_digest(several_platforms(IMAGE))


@pytest.fixture
def dev() -> Iterator[FakeRegistry]:
    """A registry that only somebody with a password may use."""
    with FakeRegistry(access=BasicAccess("me", "s3cret")).running() as registry:
        yield registry


@pytest.fixture
def prod() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """A session that knows the password for one repository."""

    def find_credentials(_: str, repository: str) -> Credentials | None:
        return Credentials("me", "s3cret") if repository == "app" else None

    return FakeSession(tmp_path / "session", find_credentials).directory


@pytest.fixture(autouse=True)
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "layout"
    directory.mkdir()
    write_layout(directory, several_platforms(IMAGE), IMAGE)
    monkeypatch.chdir(directory)


def test_an_image_gets_to_each_repository_as_the_account_of_that_one(
    session: Path, dev: FakeRegistry, prod: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    names = (f"{dev.address}/app", f"{dev.address}/forbidden", f"{prod.address}/app")
    assert main(str(session), UPLOAD_COMMAND, *names) == 0
    problems = json.loads(capsys.readouterr().out)
    assert set(problems) == {f"{dev.address}/forbidden"}
    assert "HTTP 401" in problems[f"{dev.address}/forbidden"]
    assert set(dev.repository("app").manifests) == {IMAGE.digest, INDEX_DIGEST}
    assert set(prod.repository("app").manifests) == {IMAGE.digest, INDEX_DIGEST}
    assert dev.repository("app").tags == {}


def test_what_a_registry_says_is_the_problem(
    session: Path, prod: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    prod.plan(faults.oci_error(413, "SIZE_INVALID", "quota exceeded"), method="PUT", times=None)
    assert main(str(session), UPLOAD_COMMAND, f"{prod.address}/app") == 0
    (problem,) = json.loads(capsys.readouterr().out).values()
    assert "(HTTP 413 SIZE_INVALID: quota exceeded)" in problem


def test_without_a_session_nothing_is_uploaded(tmp_path: Path, prod: FakeRegistry) -> None:
    assert main(str(tmp_path), UPLOAD_COMMAND, f"{prod.address}/app") == EXIT_NO_SESSION
    assert prod.requests == []
