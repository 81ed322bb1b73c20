"""No byte of a secret is anywhere but where its user put it: not after a run, not while it runs."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from pants_docker_buildkit.registry.testing.certificates import TestCertificates
from pants_docker_buildkit.testing.processes import (
    command_line,
    descendants,
    has_ended,
    kill_with_descendants,
    wait_until,
)
from tests.integration.conftest import Machines
from tests.integration.workbench.machine import Checkout, Machine, repository_settings
from tests.integration.workbench.remote_cache import RemoteCache
from tests.integration.workbench.secure_registry import PasswordRegistry


@dataclass(frozen=True)
class Secret:
    """Something that must not be found, in any of the spellings that somebody might give it."""

    name: str
    value: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.value.encode()).hexdigest()

    @property
    def spellings(self) -> tuple[bytes, ...]:
        pair = f"me:{self.value}".encode()
        encoded = (base64.b64encode(pair), base64.b64encode(self.value.encode()).rstrip(b"="))
        return (self.value.encode(), quote(self.value, safe="").encode(), *encoded)


def new_secret(name: str) -> Secret:
    return Secret(name, f"{name}/{uuid.uuid4().hex}")


class Watch:
    """Looks at the arguments of all processes below this one, until it is closed."""

    def __init__(self, secrets: tuple[Secret, ...]) -> None:
        self.seen: set[str] = set()
        self.programs: set[str] = set()
        self._secrets = secrets
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._is_closed.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_closed.wait(0.05):
            for pid in descendants(os.getpid()):
                arguments = command_line(pid)
                self.programs.add(Path(arguments[0]).name if arguments else "")
                self.seen |= found_in("\0".join(arguments).encode(), self._secrets)


def found_in(content: bytes, secrets: tuple[Secret, ...]) -> set[str]:
    return {each.name for each in secrets for text in each.spellings if text in content}


def leaks(roots: tuple[Path, ...], secrets: tuple[Secret, ...], own: set[Path]) -> dict[Path, str]:
    """The files below `roots` that hold a secret, packed or not, but for the user's own."""
    found = {}
    for root in roots:
        for path in root.rglob("*"):
            if path in own or path.is_symlink() or not path.is_file():
                continue
            content = path.read_bytes()
            names = found_in(content, secrets)
            if content.startswith(b"\x1f\x8b"):
                names |= found_in(gzip.decompress(content), secrets)
            if names:
                found[path] = ", ".join(sorted(names))
    return found


class User:
    """Somebody with secrets of every kind, each delivered in its own way."""

    def __init__(self, machine: Machine, registry: PasswordRegistry, busybox: str) -> None:
        self.machine = machine
        self.password = Secret("password", registry_password(registry))
        self.token = new_secret("token")
        self.variable = new_secret("variable")
        self.printed = new_secret("printed")
        self.filed = new_secret("filed")
        self.proxy = new_secret("proxy")
        self.login = new_secret("login")
        key = Path(TestCertificates.write(machine.home).key_file)
        self.key = Secret("key", key.read_text().splitlines()[1])
        docker = machine.home / ".docker"
        docker.mkdir()
        (docker / "config.json").write_text(login("ghcr.io", self.token))
        for secret in (self.printed, self.filed):
            (machine.home / secret.name).write_text(secret.value)
        self.own_files = {path for path in machine.home.rglob("*") if path.is_file()}
        self.proxy_url = f"http://me:{quote(self.proxy.value, safe='')}@proxy.example:3128"
        machine.environment.update(
            REGISTRY_PASSWORD=self.password.value,
            BUILD_TOKEN=self.variable.value,
            HTTPS_PROXY=self.proxy_url,
            DOCKER_AUTH_CONFIG=login("quay.io", self.login),
            PANTS_LOCAL_EXECUTION_ROOT_DIR=str(machine.directory / "sandboxes"),
            PANTS_KEEP_SANDBOXES="always",
            PANTS_LEVEL="debug",
            PANTS_DOCKER_BUILDKIT_SECRET_HASH_KEY="env=BUILD_TOKEN",
        )
        (machine.directory / "sandboxes").mkdir()
        options = f"""\
insecure = false
ca_file = "{registry.ca_file}"
username = "me"
password = "env=REGISTRY_PASSWORD"
"""
        self.checkout = machine.checkout(
            "checkout",
            {
                "pants.toml": repository_settings(registry.address, "secured", options),
                "app/BUILD": self._build_file(str(key)),
                "app/Dockerfile": self._dockerfile(busybox, "true"),
                "slow/BUILD": self._build_file(str(key)),
                "slow/Dockerfile": self._dockerfile(busybox, "sleep 20"),
                "broken/BUILD": self._build_file(str(key)),
                "broken/Dockerfile": self._dockerfile(busybox, "cat /run/secrets/*; false"),
            },
        )

    @property
    def secrets(self) -> tuple[Secret, ...]:
        return (
            *(self.password, self.token, self.variable, self.printed, self.filed),
            *(self.proxy, self.key, self.login),
        )

    def _build_file(self, key: str) -> str:
        home = self.machine.home
        sources = {
            "variable": "env=BUILD_TOKEN",
            "printed": f"command=cat {home}/printed",
            "filed": "~/filed",
        }
        return (
            f"docker_buildkit_image(name='image', image_tags=['1'], secrets={sources!r},"
            f" hashed_secrets=['filed'], ssh=['default={key}'])"
        )

    def _dockerfile(self, busybox: str, command: str) -> str:
        """Each secret arrives, or the build fails."""
        lines = [f"FROM {busybox}"]
        for secret in (self.variable, self.printed, self.filed):
            lines.append(
                f"RUN --mount=type=secret,id={secret.name}"
                f" [ $(sha256sum </run/secrets/{secret.name} | cut -c1-64) = {secret.sha256} ]"
            )
        proxy = hashlib.sha256(self.proxy_url.encode()).hexdigest()
        lines.append(f'RUN [ $(printf %s "$HTTPS_PROXY" | sha256sum | cut -c1-64) = {proxy} ]')
        lines.append('RUN --mount=type=ssh [ -S "$SSH_AUTH_SOCK" ]')
        named = (self.variable, self.printed, self.filed)
        mounts = " ".join(f"--mount=type=secret,id={secret.name}" for secret in named)
        return "\n".join((*lines, f"RUN {mounts} echo {uuid.uuid4().hex} && {command}\n"))


def login(registry: str, password: Secret) -> str:
    """A Docker configuration."""
    pair = base64.b64encode(f"me:{password.value}".encode()).decode()
    return json.dumps({"auths": {registry: {"auth": pair}}})


def registry_password(registry: PasswordRegistry) -> str:
    password = f"password-{uuid.uuid4().hex}"
    registry.change_password("me", password)
    return password


@pytest.fixture
def secure_registry(tmp_path: Path) -> Iterator[PasswordRegistry]:
    registry = PasswordRegistry(tmp_path / "registry", "me", "")
    yield registry
    registry.close()


def kill_in_the_middle(checkout: Checkout) -> None:
    """Kill Pants and its build, with nobody left to clean up."""
    process = checkout.start("package", "slow:image")

    def builds() -> list[int]:
        return [pid for pid in descendants(process.pid) if "--metadata-file" in command_line(pid)]

    wait_until(lambda: bool(builds()))
    # Whoever lived on would still make and remove files, among which secrets are looked for.
    killed = kill_with_descendants(process.pid)
    process.communicate()
    wait_until(lambda: all(map(has_ended, killed)))


def test_no_secret_is_found_anywhere(
    machines: Machines,
    tmp_path: Path,
    remote_cache: RemoteCache,
    secure_registry: PasswordRegistry,
    busybox: str,
) -> None:
    machine = machines.new("machine", remote_cache=remote_cache)
    user = User(machine, secure_registry, busybox)
    checkout = user.checkout
    watch = Watch(user.secrets)
    packaged = checkout.pants("package", "app:image")
    assert packaged.kinds == {"app:image": "built"}
    published = checkout.pants("publish", "app:image")
    assert "secured/app:1 published" in published.output
    ran = checkout.pants("run", "app:image", "--", "echo", "it runs")
    assert "it runs" in ran.output
    broken = checkout.pants("package", "broken:image", may_fail=True)
    assert broken.exit_code != 0
    assert "Building broken:image failed" in broken.output
    assert " *********\n" in broken.output, "three secrets, one after the other"
    kill_in_the_middle(checkout)
    watch.close()

    outputs = "".join(run.output for run in (packaged, published, ran, broken)).encode()
    assert found_in(outputs, user.secrets) == set()
    assert watch.seen == set()
    assert "docker-buildx" in watch.programs
    registry_files = {secure_registry.content.parent / "localhost.key"}
    own = {*user.own_files, *registry_files}
    assert leaks((tmp_path,), user.secrets, own) == {}
    # The search finds what is there.
    found = set(leaks((machine.home,), user.secrets, set()).values())
    assert found == {"filed", "key", "printed", "token"}
