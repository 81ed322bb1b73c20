"""Registries that want to know who we are: a password over TLS with a private authority, tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.workbench.machine import Machine, repository_settings
from tests.integration.workbench.secure_registry import (
    TOKEN_REPOSITORY,
    PasswordRegistry,
    TokenRegistry,
)

TARGET = "app:image"


@pytest.fixture
def password_registry(tmp_path: Path) -> Iterator[PasswordRegistry]:
    registry = PasswordRegistry(tmp_path / "password", "me", "first")
    yield registry
    registry.close()


@pytest.fixture
def token_registry(tmp_path: Path) -> Iterator[TokenRegistry]:
    registry = TokenRegistry(tmp_path / "token", "me", "first")
    yield registry
    registry.close()


def test_a_password_over_tls_of_a_private_authority_is_enough_and_may_rotate(
    machine: Machine, password_registry: PasswordRegistry, busybox: str
) -> None:
    registry = password_registry
    options = f"""\
insecure = false
ca_file = "{registry.ca_file}"
username = "env=REGISTRY_USER"
password = "command=cat {machine.home}/password"
"""
    (machine.home / "password").write_text("wrong\n")
    machine.environment["REGISTRY_USER"] = "me"
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, "secured", options),
            "app/BUILD": "docker_buildkit_image(name='image', image_tags=['1'],"
            " platforms=['linux/amd64', 'linux/arm64'])",
            "app/Dockerfile": f"FROM {busybox}\nRUN true\n",
        },
    )
    early = checkout.pants("package", "::", pantsd=True, may_fail=True)
    assert "Nothing was built, because the image could not be pushed." in early.output
    assert "'[docker-buildkit.registries.tests].password' (command=cat" in early.output
    assert early.docker_calls == ()
    (machine.home / "password").write_text("first\n")
    run = checkout.pants("package", "::", pantsd=True)
    assert run.kinds == {TARGET: "built"}
    published = checkout.pants("publish", "::", pantsd=True)
    assert f"{registry.address}/secured/app:1 published" in published.output

    registry.change_password("me", "second")
    refused = checkout.pants("package", "::", pantsd=True, may_fail=True)
    assert refused.exit_code != 0
    assert "The registry refused the credentials of user 'me'" in refused.output

    (machine.home / "password").write_text("second\n")
    # A proxy builds nothing either, and is not asked the way to this machine.
    machine.environment["HTTPS_PROXY"] = "http://me:s3cret@proxy.example:3128"
    rotated = checkout.pants("package", "::", pantsd=True)
    assert rotated.kinds == {TARGET: "unchanged"}
    assert rotated.docker_calls == ()


def test_tokens_are_had_with_the_login_of_docker_and_renewed_when_they_expired(
    machine: Machine, token_registry: TokenRegistry, busybox: str
) -> None:
    registry = token_registry
    docker = machine.home / ".docker"
    docker.mkdir()
    # {"me": "first"} as `docker login` writes it, and another login that is nobody's business.
    config = {"auths": {registry.address: {"auth": "bWU6Zmlyc3Q="}, "ghcr.io": {"auth": "eDp5"}}}
    (docker / "config.json").write_text(json.dumps(config))
    before = (docker / "config.json").read_bytes()
    directory, _, name = TOKEN_REPOSITORY.rpartition("/")
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, directory),
            f"{name}/BUILD": "docker_buildkit_image(name='image')",
            f"{name}/Dockerfile": f"FROM {busybox}\nRUN true\n",
        },
    )
    assert checkout.pants("package", "::").kinds == {TARGET: "built"}
    assert registry.server.given
    assert all(registry.server.given)
    assert (docker / "config.json").read_bytes() == before
    assert checkout.pants("package", "::").kinds == {TARGET: "unchanged"}

    registry.server.gives_expired = True
    expired = checkout.pants("package", "::", may_fail=True)
    assert expired.exit_code != 0
    assert "The registry refused the credentials of user 'me'" in expired.output
