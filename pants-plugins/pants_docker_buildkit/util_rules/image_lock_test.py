from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from pants_docker_buildkit.locks.lock_file import Lock, render_lock
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.solver.definition import PinnedSource
from pants_docker_buildkit.testutil import ImageRunner

DEFAULT = "3rdparty/docker/images.lock.dockerfile"
A, B = OciDigest("sha256:" + "a" * 64), OciDigest("sha256:" + "b" * 64)
COMMIT = "c" * 40
NOBODY = "127.0.0.1:1"
"""Where no registry and no server is."""


@pytest.fixture(scope="module")
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


@pytest.fixture(scope="module")
def shared_runner() -> ImageRunner:
    return ImageRunner()


@pytest.fixture
def runner(shared_runner: ImageRunner) -> ImageRunner:
    shared_runner.clear()
    return shared_runner


def write(runner: ImageRunner, dockerfile: str, lock: Lock | None, fields: str = "") -> None:
    image = f"docker_buildkit_image(name='image', platforms=['linux/amd64'], {fields})"
    runner.write({"app/BUILD": image, "app/Dockerfile": dockerfile})
    if lock is not None:
        runner.write({DEFAULT: render_lock(lock, "test").decode()})


def sources(runner: ImageRunner, mode: str, *options: str) -> tuple[PinnedSource, ...]:
    runner.set_options(f"base-images={mode}", *options)
    return runner.definition("app:image").job.definition.sources


def failure(runner: ImageRunner, mode: str, *options: str) -> str:
    runner.set_options(f"base-images={mode}", *options)
    return runner.failure("app:image")


@pytest.mark.parametrize("mode", ["locked", "frozen"])
def test_what_a_lock_has_is_asked_of_nobody(runner: ImageRunner, mode: str) -> None:
    lock = Lock(
        {
            f"{NOBODY}/{name}:1": A
            for name in ("base", "tool", "mounted", "docker/dockerfile", "external")
        },
        {f"http://{NOBODY}/a.tgz": B, f"http://{NOBODY}/b.git#main": COMMIT},
    )
    dockerfile = (
        f"# syntax={NOBODY}/docker/dockerfile:1\n"
        f"FROM {NOBODY}/tool:1 AS tool\nFROM {NOBODY}/base:1\n"
        f"COPY --from=tool / /\nRUN --mount=from={NOBODY}/mounted:1,target=/m true\n"
        f"ADD http://{NOBODY}/a.tgz http://{NOBODY}/b.git#main /\n"
    )
    write(runner, dockerfile, lock, f"external_sources=['docker-image://{NOBODY}/external:1']")
    assert sources(runner, mode) == (
        *(
            PinnedSource.image(f"{NOBODY}/{name}:1", f"{NOBODY}/{name}:1@{A}")
            for name in ("base", "docker/dockerfile", "external", "mounted", "tool")
        ),
        PinnedSource(f"git://{NOBODY}/b.git#main", f"git://{NOBODY}/b.git#{COMMIT}"),
        PinnedSource(f"http://{NOBODY}/a.tgz", f"http://{NOBODY}/a.tgz", B),
    )


def test_a_lock_gives_the_key_that_following_the_tag_gives(
    runner: ImageRunner, registry: FakeRegistry
) -> None:
    digest = SmallImage.create("same").store(registry.repository("same"), "1")
    name = f"{registry.address}/same:1"
    write(runner, f"FROM {name}\n", Lock({name: digest}))
    keys = set()
    for mode in ("follow", "locked", "frozen"):
        runner.set_options(f"base-images={mode}")
        keys.add(runner.definition("app:image").key)
    assert len(keys) == 1


def test_frozen_refuses_what_the_lock_lacks_and_asks_nobody(
    runner: ImageRunner, registry: FakeRegistry
) -> None:
    name = f"{registry.address}/frozen"
    write(runner, f"FROM scratch AS a\nFROM {name}:2\n", Lock({f"{name}:1": A}))
    before = len(registry.requests)
    said = failure(runner, "frozen")
    assert f"app:image reads {name}:2 (line 2 of its Dockerfile)" in said
    assert f"not in the lock {DEFAULT}, which has {name}:1." in said
    assert "generate-lockfiles --resolve=docker-images" in said
    assert len(registry.requests) == before


@pytest.mark.parametrize("source", [f"http://{NOBODY}/x", f"http://{NOBODY}/x.git#main"])
def test_frozen_refuses_downloads_that_the_lock_lacks(runner: ImageRunner, source: str) -> None:
    write(runner, f"FROM scratch\nADD {source} /\n", Lock())
    assert f"app:image reads {source} (line 2 of its Dockerfile)" in failure(runner, "frozen")


def test_locked_looks_up_what_the_lock_lacks_and_names_both_tags(
    runner: ImageRunner, registry: FakeRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    digest = SmallImage.create("locked").store(registry.repository("locked"), "2")
    name = f"{registry.address}/locked"
    write(runner, f"FROM {name}:2\n", Lock({f"{name}:1": A}))
    caplog.set_level(logging.WARNING)
    (found,) = sources(runner, "locked")
    assert found.pinned == f"docker-image://{name}:2@{digest}"
    (said,) = [each for each in caplog.messages if "not in the lock" in each]
    assert f"reads {name}:2 (line 1" in said
    assert f"which has {name}:1. It is looked up now." in said


@pytest.mark.parametrize("mode", ["locked", "frozen"])
def test_a_lock_that_is_not_there_is_an_error_where_it_is_needed(
    runner: ImageRunner, mode: str
) -> None:
    write(runner, f"FROM {NOBODY}/a@{A}\n", None)
    assert len(sources(runner, mode)) == 1
    write(runner, f"FROM {NOBODY}/a:1\n", None)
    assert f"the lock {DEFAULT}, which does not exist" in failure(runner, mode)


def test_a_file_that_is_no_lock_is_an_error(runner: ImageRunner) -> None:
    write(runner, f"FROM {NOBODY}/a:1\n", None)
    runner.write({DEFAULT: f"FROM {NOBODY}/a:1@{A}\nRUN true\n"})
    said = failure(runner, "locked")
    assert f"Line 2 of the lock {DEFAULT} must be a FROM or an ADD, but it is RUN." in said
    # What nobody uses hinders nobody.
    write(runner, f"FROM {NOBODY}/a@{A}\n", None)
    assert len(sources(runner, "follow")) == 1


@pytest.mark.parametrize(
    ("fields", "option", "said"),
    [
        pytest.param("resolve='x'", "progress=auto", "The `resolve` field in target", id="field"),
        pytest.param("", "default-resolve=x", "[docker-buildkit].default_resolve", id="option"),
        pytest.param("", "resolves={'docker-images': '../a'}", "below the build root", id="above"),
        pytest.param("", "resolves={'docker-images': '/a'}", "below the build root", id="root"),
    ],
)
def test_unknown_resolves_are_errors(
    runner: ImageRunner, fields: str, option: str, said: str
) -> None:
    write(runner, f"FROM {NOBODY}/a:1\n", Lock(), fields)
    assert said in failure(runner, "locked", option)


def test_triggers_are_those_of_the_locked_image(
    runner: ImageRunner, registry: FakeRegistry
) -> None:
    name, repository = f"{registry.address}/trigger", registry.repository("trigger")
    digest = SmallImage.create("trigger", (f"COPY --from={NOBODY}/tool:1 / /",)).store(repository)
    SmallImage.create("later").store(repository, "1")
    lock = Lock({f"{name}:1": digest, f"{NOBODY}/tool:1": A})
    write(runner, f"FROM {name}:1\n", lock)
    assert {each.pinned for each in sources(runner, "frozen")} == {
        f"docker-image://{name}:1@{digest}",
        f"docker-image://{NOBODY}/tool:1@{A}",
    }
