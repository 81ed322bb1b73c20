from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pants.base.build_environment import get_buildroot
from pants.core.goals.generate_lockfiles import GenerateLockfilesGoal
from pants.testutil.rule_runner import GoalRuleResult

from pants_docker_buildkit.goals.generate_lockfiles import LockedVersion
from pants_docker_buildkit.locks.lock_file import Lock, parse_lock
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import (
    SmallImage,
    several_platforms,
    write_layout,
)
from pants_docker_buildkit.testutil import ImageRunner

DEFAULT = "3rdparty/docker/images.lock.dockerfile"
SHA = "sha256:" + "a" * 64
AMD64 = "platforms=['linux/amd64']"


@pytest.fixture(scope="module")
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


@pytest.fixture(scope="module")
def shared_runner() -> Iterator[ImageRunner]:
    runner = ImageRunner()
    yield runner
    runner.close()


@pytest.fixture
def runner(shared_runner: ImageRunner) -> ImageRunner:
    """With nothing in its repository."""
    shared_runner.clear()
    return shared_runner


def push(registry: FakeRegistry, name: str, text: str = "", *triggers: str) -> str:
    """Push an image to `name`, and give its digest."""
    repository, _, tag = name.partition(":")
    image = SmallImage.create(text or name, triggers)
    return image.store(registry.repository(repository), tag)


def generate(runner: ImageRunner, *options: str, resolve: str = "docker-images") -> GoalRuleResult:
    """Run the goal, for one resolve or, if that is empty, for all."""
    wanted = [f"--resolve={resolve}"] if resolve else []
    return runner.runner.run_goal_rule(
        GenerateLockfilesGoal,
        args=wanted + [each for each in options if not each.startswith("--docker")],
        global_args=[each for each in options if each.startswith("--docker")],
        env_inherit={"PATH"},
    )


def lock(path: str = DEFAULT) -> Lock:
    return parse_lock(Path(get_buildroot(), path).read_bytes())


def test_all_that_moves_is_locked(runner: ImageRunner, registry: FakeRegistry) -> None:
    host = registry.address
    digests = {
        f"{host}/{name}": push(registry, name)
        for name in (
            *("from:1", "copied:1", "mounted:1", "external:1", "shared:1", "triggered:1"),
            "scanner:1",
        )
    }
    trigger = f"COPY --from={host}/triggered:1 / /t"
    digests[f"{host}/trigger:1"] = push(registry, "trigger:1", "", trigger)
    runner.write(
        {
            "a/BUILD": f"docker_buildkit_image(name='image', {AMD64},"
            f" external_sources=['docker-image://{host}/external:1'],"
            f" attest=['type=sbom,generator={host}/scanner:1'])",
            "a/Dockerfile": f"FROM {host}/from:1 AS first\nCOPY --from={host}/copied:1 / /\n"
            f"RUN --mount=from={host}/mounted:1,target=/m true\n"
            f"FROM {host}/unused:1 AS unused\n"
            f"FROM --platform=$BUILDPLATFORM {host}/trigger:1\nCOPY --from=first / /\n",
            "b/BUILD": f"docker_buildkit_image(name='image', {AMD64})",
            "b/Dockerfile": f"FROM nobody.invalid/pinned:1@{SHA}\n",
        }
    )
    shared = f"--docker-buildkit-external-sources=['docker-image://{host}/shared:1']"
    assert generate(runner, shared).exit_code == 0
    assert lock().images == digests
    assert lock().downloads == {}


def test_frontends_are_locked(runner: ImageRunner, registry: FakeRegistry) -> None:
    digest = push(registry, "docker/dockerfile:1")
    name = f"{registry.address}/docker/dockerfile:1"
    runner.write({"a/Dockerfile": f"# syntax={name}\nFROM scratch\n"})
    runner.write({"a/BUILD": "docker_buildkit_image(name='image')"})
    assert generate(runner).exit_code == 0
    assert lock().images == {name: digest}


def test_images_of_this_repository_are_not_built_and_not_locked(
    runner: ImageRunner, registry: FakeRegistry
) -> None:
    name = f"{registry.address}/triggers-tool:1"
    digest = push(registry, "triggers-tool:1")
    runner.write(
        {
            "base/BUILD": f"docker_buildkit_image(name='image', {AMD64}, output='oci')",
            "base/Dockerfile": f"FROM scratch\nONBUILD COPY --from={name} / /\n",
            "app/BUILD": f"docker_buildkit_image(name='image', {AMD64})",
            "app/Dockerfile": "ARG BASE=base:image\nFROM $BASE\n",
            "web/BUILD": f"docker_buildkit_image(name='image', {AMD64},"
            " build_contexts={'base': 'base:image', 'page': ':page'})\n"
            "files(name='page', sources=['*.html'])",
            "web/Dockerfile": "FROM base\nCOPY --from=page . /\n",
            "web/a.html": "",
        }
    )
    assert generate(runner).exit_code == 0
    assert lock().images == {name: digest}


def archive(directory: Path, *triggers: str) -> bytes:
    """An image with triggers, as `docker save` packs it."""
    image = SmallImage.create("archived", triggers)
    write_layout(directory, several_platforms(image), image)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(directory, arcname=".")
    return packed.getvalue()


def test_what_images_in_archives_trigger_is_locked(
    runner: ImageRunner, registry: FakeRegistry, tmp_path: Path
) -> None:
    names = [f"{registry.address}/archived-{each}:1" for each in ("context", "argument", "late")]
    digests = {name: push(registry, name.partition("/")[2]) for name in names}
    for name, reads in zip(("context", "argument", "late"), names):
        trigger = f"COPY --from={reads} / /"
        others = ("COPY --from=other / /",) if name == "context" else ()
        content = archive(tmp_path / name, trigger, *others)
        runner.write({f"3rdparty/{name}.tar": content})
    build = "".join(f"file(name='{each}', source='{each}.tar')\n" for each in ("context", "late"))
    contexts = "build_contexts={'base': '3rdparty:context', 'late': '3rdparty:late'}"
    runner.write(
        {
            "3rdparty/BUILD": f"{build}file(name='argument', source='argument.tar')\n"
            # Of what is not built on, nothing is asked.
            "shell_command(name='never', command='exit 1', tools=[], output_files=['a.tar'])",
            "a/BUILD": f"docker_buildkit_image(name='image', {contexts})",
            # Only what the trigger copies from makes the other stage one that is built.
            "a/Dockerfile": "FROM late AS other\nFROM base\n",
            "b/BUILD": "docker_buildkit_image(build_contexts={'never': '3rdparty:never'})",
            "b/Dockerfile": "ARG BASE=3rdparty:argument\nFROM $BASE\nCOPY --from=never . /\n",
        }
    )
    assert generate(runner).exit_code == 0
    assert lock().images == digests


def test_each_resolve_has_its_own_images(runner: ImageRunner, registry: FakeRegistry) -> None:
    host = registry.address
    first, second = push(registry, "team-a:1"), push(registry, "team-b:1")
    resolves = "--docker-buildkit-resolves={'a': 'a.dockerfile', 'b': 'locks/b.dockerfile'}"
    options = (resolves, "--docker-buildkit-default-resolve=a")
    runner.write(
        {
            "a/BUILD": "docker_buildkit_image(name='image')",
            "a/Dockerfile": f"FROM {host}/team-a:1\n",
            "b/BUILD": "docker_buildkit_image(name='image', resolve='b')",
            "b/Dockerfile": f"FROM {host}/team-b:1\n",
        }
    )
    assert generate(runner, *options, resolve="b").exit_code == 0
    assert lock("locks/b.dockerfile").images == {f"{host}/team-b:1": second}
    assert not Path(get_buildroot(), "a.dockerfile").exists()
    # Without a name, all are written where they are used, and none where tags are followed.
    assert generate(runner, *options, resolve="").exit_code == 0
    assert not Path(get_buildroot(), "a.dockerfile").exists()
    locked = "--docker-buildkit-base-images=locked"
    assert generate(runner, *options, locked, resolve="").exit_code == 0
    assert lock("a.dockerfile").images == {f"{host}/team-a:1": first}


def test_one_image_of_a_lock_is_looked_up_again(
    runner: ImageRunner, registry: FakeRegistry
) -> None:
    names = [f"{registry.address}/{name}" for name in ("one:1", "two:1", "three:1", "four:1")]
    old = [push(registry, name) for name in ("one:1", "two:1", "three:1")]
    copies = "".join(f"COPY --from={name} / /\n" for name in names[1:3])
    runner.write({"a/BUILD": "docker_buildkit_image(name='image')"})
    runner.write({"a/Dockerfile": f"FROM {names[0]}\n{copies}"})
    assert generate(runner).exit_code == 0
    assert lock().images == dict(zip(names, old))
    new = [push(registry, name, "new") for name in ("one:1", "two:1", "four:1")]
    copies = "".join(f"COPY --from={name} / /\n" for name in (names[1], names[3]))
    runner.write({"a/Dockerfile": f"FROM {names[0]}\n{copies}"})
    update = f"--docker-buildkit-lock-update=['{registry.address}/o*']"
    result = generate(runner, update, "--diff")
    assert lock().images == {names[0]: new[0], names[1]: old[1], names[3]: new[2]}
    assert "Upgraded dependencies" in result.stderr
    assert "Downgraded" not in result.stderr
    assert f"{new[0][:19]}" in result.stderr
    assert "Removed dependencies" in result.stderr
    assert names[2] in result.stderr


def test_an_update_of_nothing_is_said(
    runner: ImageRunner, registry: FakeRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"{registry.address}/update:1"
    digest = push(registry, "update:1")
    runner.write({"a/BUILD": "docker_buildkit_image(name='image')"})
    runner.write({"a/Dockerfile": f"FROM {name}\n"})
    assert generate(runner).exit_code == 0
    push(registry, "update:1", "new")
    generate(runner, "--docker-buildkit-lock-update=['updote:*']")
    assert lock().images == {name: digest}
    assert f"Nothing in the lock {DEFAULT} is matched by `lock_update`: updote:*." in caplog.text


def test_a_lock_that_cannot_be_read_is_generated_again(
    runner: ImageRunner, registry: FakeRegistry
) -> None:
    digest = push(registry, "again:1")
    name = f"{registry.address}/again:1"
    runner.write({"a/BUILD": "docker_buildkit_image(name='image')", DEFAULT: "<<<<<<< ours\n"})
    runner.write({"a/Dockerfile": f"FROM {name}\n"})
    assert generate(runner, "--diff").exit_code == 0
    assert lock().images == {name: digest}


def test_pins_have_no_order() -> None:
    one, other, same = (LockedVersion(f"sha256:{each}") for each in "121")
    assert (one < other, other < one, one < same) == (True, True, False)
    assert (one > other, other > one) == (False, False)
