from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.docker_config import (
    allow_logins,
    repository_for,
    with_private_config,
)

HUB = "https://index.docker.io/v1/"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """The configuration of a user who is logged in everywhere."""
    directory = tmp_path / "home" / ".docker"
    (directory / "contexts").mkdir(parents=True)
    (directory / "cli-plugins").mkdir()
    config = {
        "auths": {"ghcr.io": {"auth": "bWU6czNjcmV0"}},
        "credsStore": "desktop",
        "HttpHeaders": {"X-Token": "s3cret"},
        "currentContext": "far",
        "proxies": {"default": {"httpProxy": "http://me:s3cret@proxy"}},
    }
    (directory / "config.json").write_text(json.dumps(config))
    return directory


def private(host: Path, repositories: dict[str, str], **environment: str) -> DockerCli:
    docker = DockerCli("docker", {"HOME": str(host.parent), "PATH": "/bin", **environment})
    directory = host.parent.parent
    return with_private_config(docker, directory / "session", directory / "private", repositories)


def test_only_the_registries_of_the_operation_have_credentials(host: Path, tmp_path: Path) -> None:
    docker = private(host, {"ghcr.io": "org/app", "docker.io": "library/python"})
    directory = Path(docker.environment["DOCKER_CONFIG"])
    config = json.loads((directory / "config.json").read_text())
    assert config == {
        "credHelpers": dict.fromkeys(
            (HUB, "docker.io", "ghcr.io", "index.docker.io"), "pants-docker-buildkit"
        ),
    }
    assert repository_for("ghcr.io", directory) == ("ghcr.io", "org/app")
    assert repository_for(HUB, directory) == ("docker.io", "library/python")
    assert repository_for("quay.io", directory) is None
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert not any(b"s3cret" in path.read_bytes() for path in files)
    assert not any(b"bWU6" in path.read_bytes() for path in files)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_contexts_plugins_and_builders_are_the_users(host: Path) -> None:
    environment = private(host, {}).environment
    directory = Path(environment["DOCKER_CONFIG"])
    assert (directory / "contexts").resolve() == host / "contexts"
    assert (directory / "cli-plugins").resolve() == host / "cli-plugins"
    assert environment["BUILDX_CONFIG"] == str(host / "buildx")
    assert environment["PATH"] == f"{directory}/bin:/bin"


def test_builders_stay_where_the_user_wants_them(host: Path) -> None:
    assert private(host, {}, BUILDX_CONFIG="/b").environment["BUILDX_CONFIG"] == "/b"


def test_scoped_logins_of_buildx_do_not_win_over_ours(host: Path) -> None:
    buildx = host / "buildx"
    (buildx / "config" / "ghcr.io").mkdir(parents=True)
    (buildx / "instances").mkdir()
    (buildx / "current").write_text("{}")
    view = Path(private(host, {}).environment["BUILDX_CONFIG"])
    assert sorted(path.name for path in view.iterdir()) == ["current", "instances"]
    (view / "instances" / "mine").write_text("{}")
    assert (buildx / "instances" / "mine").exists()


@pytest.mark.parametrize(
    ("environment", "directory"),
    [
        ({"DOCKER_TLS_VERIFY": "1"}, "HOST"),
        ({"DOCKER_TLS": "1"}, "HOST"),
        ({"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs"}, "/certs"),
        ({"DOCKER_TLS_VERIFY": ""}, None),
        ({}, None),
    ],
)
def test_certificates_are_looked_for_where_docker_does(
    host: Path, environment: dict[str, str], directory: str | None
) -> None:
    found = private(host, {}, **environment).environment.get("DOCKER_CERT_PATH")
    assert found == (str(host) if directory == "HOST" else directory)


def test_more_logins_can_be_allowed(host: Path) -> None:
    directory = Path(private(host, {"ghcr.io": "org/app"}).environment["DOCKER_CONFIG"])
    allow_logins(directory, {"ghcr.io": "org/app", "mirror.example": "moby/buildkit"})
    config = json.loads((directory / "config.json").read_text())
    assert set(config["credHelpers"]) == {"ghcr.io", "mirror.example"}
    assert repository_for("mirror.example", directory) == ("mirror.example", "moby/buildkit")


def test_a_user_without_a_configuration_is_none_worse(tmp_path: Path) -> None:
    directory = private(tmp_path / "none" / ".docker", {}).environment["DOCKER_CONFIG"]
    assert sorted(path.name for path in Path(directory).iterdir()) == [
        "bin",
        "config.json",
        "repositories.json",
    ]


def test_a_configuration_where_nobody_may_look_is_as_none(tmp_path: Path) -> None:
    # Root may look everywhere, but not for such a name.
    hidden = {"DOCKER_CONFIG": str(tmp_path / ("x" * 300))}
    docker = with_private_config(DockerCli("docker", hidden), tmp_path, tmp_path / "own", {})
    assert docker.environment["DOCKER_CONFIG"] == str(tmp_path / "own")
