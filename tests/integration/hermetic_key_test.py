"""Promise 2: what BuildKit can see is in the key of a build, and nothing else is.

The tests share one checkout: each makes a change to it, looks, and takes the change back.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.conftest import Machines
from tests.integration.workbench.base_image import move_tag
from tests.integration.workbench.machine import Checkout, Files, repository_settings
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.required import docker_host

BUILD = """\
docker_buildkit_image(
    name="image",
    dependencies=[":files"],
    platforms=["linux/amd64"],
    image_labels={"team": "one"},
    extra_build_args=["GREETING=hello"],
    secrets={"token": "app/token"},
    target_stage="release",
    # more
)
files(name="files", sources=["*.sh"])
"""
TARGET = "app:image"
TOOL = "app/tool.sh"


@dataclass(frozen=True)
class Scene:
    """A checkout whose image is built, and what it was made from."""

    checkout: Checkout
    files: Files
    busybox: str
    base: str

    def take_back(self) -> None:
        self.checkout.write(self.files)
        (self.checkout.directory / TOOL).chmod(0o644)


@pytest.fixture(scope="module")
def scene(
    tmp_path_factory: pytest.TempPathFactory, registry: Registry, busybox: str
) -> Iterator[Scene]:
    directory = tmp_path_factory.mktemp("hermetic")
    name = f"integration/{uuid.uuid4().hex}"
    base = f"{registry.address}/{name}-base:stable"
    move_tag(base, busybox)
    files = {
        "pants.toml": repository_settings(registry.address, name),
        "app/BUILD": BUILD,
        "app/token": "the secret",
        TOOL: "echo tool\n",
        "app/Dockerfile": f"FROM {base} AS release\n"
        "ARG GREETING\n"
        "COPY app/tool.sh /\n"
        f"RUN --mount=type=secret,id=token echo {name} $GREETING > /greeting\n"
        "FROM release AS debug\n",
    }
    machines = Machines(directory)
    checkout = machines.new("machine").checkout("checkout", files)
    scene = Scene(checkout, files, busybox, base)
    scene.take_back()
    assert checkout.pants("package", "::", pantsd=True).kinds == {TARGET: "built"}
    yield scene
    machines.close()


@dataclass(frozen=True)
class Change:
    """An edit of a file, and what one run is started with."""

    edit: tuple[str, str, str] | None = None
    options: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)

    def make(self, checkout: Checkout) -> None:
        if self.edit is not None:
            checkout.replace(*self.edit)


def in_build_file(line: str) -> Change:
    return Change(("app/BUILD", "    # more", f"    {line}"))


UNSEEN = {
    "image tags": in_build_file("image_tags=['latest', 'v2'],"),
    "target tags": in_build_file("tags=['nightly'],"),
    "the builder of the target": in_build_file("builder='no-such-builder',"),
    "the builder option": Change(options=("--docker-buildkit-builder=no-such-builder",)),
    "cache imports": in_build_file("cache_from=['type=registry,ref=elsewhere.example/cache'],"),
    "cache exports": in_build_file("cache_to=['type=local,dest=/nonexistent/cache'],"),
    "cache options": Change(options=("--docker-buildkit-cache-from=['elsewhere.example/cache']",)),
    "the value of a secret": Change(("app/token", "secret", "new secret")),
    "progress": Change(options=("--docker-buildkit-progress=plain",)),
    "the log level": Change(options=("--level=debug",)),
    "variables for docker": Change(
        options=("--docker-buildkit-env-vars=['AWS_PROFILE']",), env={"AWS_PROFILE": "mine"}
    ),
    "where docker is": Change(
        options=("--docker-buildkit-executable-search-paths=['/nonexistent']",)
    ),
    "where the engine is": Change(env={"DOCKER_HOST": "tcp://elsewhere.example:2375"}),
}


@pytest.mark.parametrize("change", UNSEEN.values(), ids=UNSEEN)
def test_a_change_that_buildkit_cannot_see_builds_nothing(scene: Scene, change: Change) -> None:
    change.make(scene.checkout)
    try:
        run = scene.checkout.pants("package", "::", *change.options, env=change.env, pantsd=True)
    finally:
        scene.take_back()
    assert run.kinds == {TARGET: "unchanged"}
    assert run.docker_calls == ()


def test_other_credentials_build_nothing(scene: Scene, registry: Registry) -> None:
    directory = scene.checkout.directory / "credentials"
    directory.mkdir()
    token = base64.b64encode(b"user:another password").decode()
    config = {"auths": {registry.address: {"auth": token}}}
    (directory / "config.json").write_text(json.dumps(config))
    run = scene.checkout.pants("package", "::", env={"DOCKER_CONFIG": str(directory)}, pantsd=True)
    assert run.kinds == {TARGET: "unchanged"}
    assert run.docker_calls == ()


def test_another_name_of_the_engine_builds_nothing(scene: Scene, tmp_path: Path) -> None:
    socket = tmp_path / "engine.sock"
    socket.symlink_to(docker_host().partition("://")[2])
    run = scene.checkout.pants("package", "::", env={"DOCKER_HOST": f"unix://{socket}"})
    assert run.kinds == {TARGET: "unchanged"}
    assert run.docker_calls == ()


SEEN = {
    "a label": (Change(("app/BUILD", "one", "two")), "label team"),
    "an annotation": (in_build_file("image_annotations={'a': 'b'},"), "annotation"),
    "a build argument": (Change(("app/BUILD", "=hello", "=bye")), "build arg GREETING"),
    "a file": (Change((TOOL, "tool", "other")), TOOL),
    "the Dockerfile": (Change(("app/Dockerfile", "> /greeting", "> /hi")), "Dockerfile"),
    "the platform": (Change(("app/BUILD", "linux/amd64", "linux/arm64")), "platform"),
    "the stage": (Change(("app/BUILD", "release", "debug")), "stage"),
    "a host name": (in_build_file("extra_build_hosts={'db': '10.0.0.1'},"), "extra_build_hosts"),
    "the network": (in_build_file("build_network='none',"), "build_network"),
    "the inline cache": (in_build_file("inline_cache=False,"), "inline_cache"),
}


@pytest.mark.parametrize(("change", "reason"), SEEN.values(), ids=SEEN)
def test_a_change_that_buildkit_can_see_builds(scene: Scene, change: Change, reason: str) -> None:
    change.make(scene.checkout)
    try:
        run = scene.checkout.pants("package", "::", pantsd=True)
    finally:
        scene.take_back()
    assert reason in run.reasons[TARGET]
    assert len(run.builds) == 1
    assert scene.checkout.pants("package", "::", pantsd=True).docker_calls == ()


def test_a_file_that_becomes_executable_builds(scene: Scene) -> None:
    (scene.checkout.directory / TOOL).chmod(0o755)
    try:
        # The daemon of Pants does not notice a changed mode; see docs/context.md.
        run = scene.checkout.pants("package", "::")
    finally:
        scene.take_back()
    assert TOOL in run.reasons[TARGET]
    assert len(run.builds) == 1


def test_a_base_image_that_moved_builds(scene: Scene, registry: Registry) -> None:
    move_tag(scene.base, scene.busybox, "LABEL moved=yes")
    try:
        run = scene.checkout.pants("package", "::", pantsd=True)
    finally:
        move_tag(scene.base, scene.busybox)
    assert "base:stable" in run.reasons[TARGET]
    (reference,) = run.outcomes["app/image.image.json"].references
    assert registry.config(reference)["config"]["Labels"]["moved"] == "yes"
    assert scene.checkout.pants("package", "::", pantsd=True).docker_calls == ()
