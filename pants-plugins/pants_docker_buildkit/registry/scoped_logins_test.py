from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from pants_docker_buildkit.registry.accounts import Accounts
from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.registry.scoped_logins import ScopedLogins

LOGINS = (
    "ghcr.io",
    "ghcr.io/org/app",
    "ghcr.io/org/app@pull",
    "ghcr.io/org/app@push",
    "quay.io@push,pull",
    "registry-1.docker.io/me/app",
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Each login is one with the name of its directory."""
    for name in LOGINS:
        directory = tmp_path / "config" / name
        directory.mkdir(parents=True, exist_ok=True)
        host = name.partition("/")[0].partition("@")[0]
        key = "https://index.docker.io/v1/" if host.startswith("registry-1") else host
        auth = base64.b64encode(f"{name}:s3cret".encode()).decode()
        (directory / "config.json").write_text(json.dumps({"auths": {key: {"auth": auth}}}))
    return {"BUILDX_CONFIG": str(tmp_path), "HOME": "/nonexistent"}


@pytest.mark.parametrize(
    ("registry", "repository", "login"),
    [
        ("ghcr.io", "org/app", "ghcr.io/org/app@push"),
        ("ghcr.io", "org/app/debug", "ghcr.io"),
        ("quay.io", "org/app", "quay.io@push,pull"),
        ("docker.io", "me/app", "registry-1.docker.io/me/app"),
        ("docker.io", "me/other", "docker"),
        ("other.example", "app", "docker"),
    ],
)
def test_the_login_that_fits_best_comes_before_that_of_docker(
    environment: dict[str, str], registry: str, repository: str, login: str
) -> None:
    accounts = Accounts(
        fallback=lambda _: Credentials("docker", "s3cret"), scoped=ScopedLogins(environment)
    )
    assert accounts.find_for(registry, repository) == Credentials(login, "s3cret")


def test_where_buildx_has_no_configuration_there_are_none(tmp_path: Path) -> None:
    for environment in ({}, {"HOME": str(tmp_path)}, {"BUILDX_CONFIG": str(tmp_path / "none")}):
        assert ScopedLogins(environment).choose("ghcr.io", "app") is None
