from __future__ import annotations

import json
import shlex
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pants.core.goals.test import TestResult
from pants.engine.addresses import Address
from pants.engine.rules import QueryRule

from pants_docker_buildkit.goals.test import BuildKitTestRequest, ImageTestFieldSet
from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import (
    SmallImage,
    several_platforms,
    write_layout,
)
from pants_docker_buildkit.solver.testing.fake_builder import FakeBuilder
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker
from pants_docker_buildkit.testutil import ImageRunner, create_rule_runner

# Judged by the configuration alone, and so without a build.
TESTS = "schemaVersion: 2.0.0\nmetadataTest: {user: nobody}\n"
COMMAND = "schemaVersion: 2.0.0\ncommandTests: [{name: runs, command: /app}]\n"
PASSING = "schemaVersion: 2.0.0\nmetadataTest: {entrypoint: [], cmd: []}\n"


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    rules = (QueryRule(TestResult, (BuildKitTestRequest.Batch,)),)
    return ImageRunner(create_rule_runner(rules=rules))


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


def begin_session(runner: ImageRunner, registry: FakeRegistry, path: str) -> None:
    registries = {"dev": {"address": registry.address, "default": True}}
    runner.set_options(
        f"registries={registries!r}",
        "default-repository=app",
        # As buildx would, who asks why nothing can be said makes a directory there.
        env={"PATH": path, "HOME": runner.runner.build_root},
        inherit=(),
    )


@pytest.fixture
def image(runner: ImageRunner, registry: FakeRegistry, tmp_path: Path) -> str:
    """The digest of `app:image`, which a builder has ready."""
    builder = FakeBuilder(tmp_path, registry)
    digest = builder.prepare("one", "app")
    begin_session(runner, registry, builder.path)
    runner.clear()
    runner.write(
        {
            "app/BUILD": "docker_buildkit_image(name='image', platforms=['linux/amd64'],"
            " inline_cache=False)\n"
            "docker_buildkit_test(name='test', image=':image', source='tests.yaml')\n",
            "app/Dockerfile": "FROM scratch\nLABEL content=one\n",
            "app/tests.yaml": TESTS,
        }
    )
    return digest


def run(runner: ImageRunner) -> TestResult:
    target = runner.runner.get_target(Address("app", target_name="test"))
    field_set = ImageTestFieldSet.create(target)
    partition: Any = None
    batch = BuildKitTestRequest.Batch("", (field_set,), partition)
    result = runner.runner.request(TestResult, (batch,))
    # Or the summary of Pants leaves it out.
    assert result.result_metadata is not None
    return result


def output(result: TestResult) -> str:
    text: Any = getattr(result, "stdout_bytes", None) or getattr(result, "stdout", "")
    return text.decode() if isinstance(text, bytes) else str(text)


@pytest.mark.usefixtures("image")
def test_a_test_fails_with_what_is_wrong_and_passes_once_that_is_right(
    runner: ImageRunner,
) -> None:
    result = run(runner)
    assert result.exit_code == 1
    assert output(result) == (
        "linux/amd64\n  ✕ metadata: metadata\n      user: it must be 'nobody', but it is ''\n"
    )
    assert result.xml_results is not None
    assert result.xml_results.files == ("app.test.xml",)

    runner.write({"app/tests.yaml": PASSING})
    result = run(runner)
    assert (result.exit_code, output(result)) == (0, "linux/amd64\n  ✓ metadata: metadata\n")


@pytest.mark.usefixtures("image")
@pytest.mark.parametrize(
    ("build_file", "message"),
    [
        (
            "docker_buildkit_test(name='test', image=':image')",
            "The `source` field in target app:test must name a file of structure tests",
        ),
        (
            "docker_buildkit_test(name='test', image=':image', source='none.yaml')",
            "The `source` field in target app:test must name a file that exists, but there is no"
            " app/none.yaml.",
        ),
        (
            "docker_buildkit_test(name='test', image=':none', source='tests.yaml')",
            "The `image` field in target app:test must name image targets, but it names ':none',"
            " which does not exist",
        ),
        (
            "docker_buildkit_test(name='test', image=':broken', source='tests.yaml')",
            "Building app:broken failed",
        ),
        (
            "docker_buildkit_test(name='test', image=':image', target_stage='none')",
            "The `target_stage` field in target app:test must name a stage of app/Dockerfile, but"
            " 'none' is not one.",
        ),
    ],
)
def test_what_keeps_an_image_from_being_tested_is_its_failure(
    runner: ImageRunner, build_file: str, message: str
) -> None:
    runner.write(
        {
            "app/BUILD": f"{build_file}\ndocker_buildkit_image(name='broken', source='Broken',"
            " platforms=['linux/amd64'])\ndocker_buildkit_image(name='image')",
            "app/Broken": "FROM scratch\nLABEL content=nothing\n",
        }
    )
    result = run(runner)
    assert result.exit_code == 1
    assert message in output(result)


@pytest.mark.usefixtures("image")
def test_a_builder_that_is_away_is_asked_again_in_each_session(
    runner: ImageRunner, registry: FakeRegistry, tmp_path: Path
) -> None:
    assert run(runner).exit_code == 1
    runner.write({"app/tests.yaml": COMMAND})
    docker = FakeDocker(tmp_path / "away").answer("", stderr="ERROR: away\n", exit_code=1)
    for _ in range(3):
        before = len(docker.calls)
        begin_session(runner, registry, f"{docker.directory}:/usr/bin:/bin")
        said = output(run(runner))
        assert "does not answer: away." in said
        assert "Building app:image" not in said
        assert len(docker.calls) > before


_BUILD = """
layout=first
for each in "$@"; do
  case $each in BUILDKIT_SANDBOX_HOSTNAME=*) layout={second} ;; esac
  case $each in check) grep -q "RUN false" dockerfile/Dockerfile && exit 1 ;; esac
done
while [ "$1" != --metadata-file ]; do shift; done
cp {directory}/$layout.json "$2" && cp -R {directory}/$layout ../layout
"""
_ALONE = "touch {0}/built; mkdir {0}/running || touch {0}/together; sleep 1; rmdir {0}/running"
_BUILDER = "Name: far\nDriver: docker-container\n\nNodes:\nName: far0\nStatus: running\n"


def has_builds(runner: ImageRunner, directory: Path, second: str, before: str = "") -> str:
    """A builder whose builds give a layout, and another one with another host name.

    Each begins with the commands `before`. Gives the `PATH` to find it by.
    """
    for name in ("first", "other"):
        image = SmallImage.create(name)
        root = several_platforms(image)
        write_layout(directory / name, root, image)
        descriptor = {
            "mediaType": MediaType.OCI_IMAGE_INDEX.value,
            "digest": sha256_digest(root),
            "size": len(root),
        }
        metadata = {"containerimage.descriptor": descriptor}
        (directory / f"{name}.json").write_text(json.dumps(metadata))
    docker = FakeDocker(directory / "bin").answer("buildx inspect", _BUILDER)
    build = _BUILD.format(directory=shlex.quote(str(directory)), second=second)
    docker.answer("buildx build", run=f"{before}{build}")
    path = f"{directory}/bin:/usr/bin:/bin"
    runner.set_options(env={"PATH": path, "HOME": "/nonexistent"}, inherit=())
    runner.clear()
    return path


def writes(runner: ImageRunner, dockerfile: str, test: str) -> None:
    runner.write(
        {
            "app/BUILD": "docker_buildkit_image(name='image', platforms=['linux/amd64'])\n"
            f"docker_buildkit_test(name='test', image=':image', {test})\n",
            "app/Dockerfile": dockerfile,
        }
    )


def test_two_builds_are_compared(runner: ImageRunner, tmp_path: Path) -> None:
    has_builds(runner, tmp_path / "same", "first")
    writes(runner, "FROM scratch\nLABEL same=1\n", "reproducible=True")
    result = run(runner)
    assert (result.exit_code, output(result)) == (0, "linux/amd64\n  ✓ reproducible: app:image\n")

    # The first build is known, the one on another builder is not.
    has_builds(runner, tmp_path / "different", "other")
    writes(runner, "FROM scratch\nLABEL same=1\n", "reproducible=True")
    assert run(runner).exit_code == 0
    runner.runner.set_options(
        ["--docker-buildkit-tests-second-builder=far"],
        env={"PATH": f"{tmp_path}/different/bin:/usr/bin:/bin", "HOME": "/nonexistent"},
    )
    result = run(runner)
    assert result.exit_code == 1
    assert (
        "two builds must give the same image, but in an image: layer 1: it cannot be read"
    ) in output(result)


def test_two_builds_are_made_one_after_the_other(runner: ImageRunner, tmp_path: Path) -> None:
    before = _ALONE.format(shlex.quote(str(tmp_path)))
    path = has_builds(runner, tmp_path, "first", before)
    for _ in range(2):
        # Pants knows from the session before what the test needed.
        runner.set_options(env={"PATH": path, "HOME": "/nonexistent"}, inherit=())
        # In no cache.
        writes(runner, f"FROM scratch\nLABEL of={uuid.uuid4().hex}\n", "reproducible=True")
        assert run(runner).exit_code == 0
    assert (tmp_path / "built").exists()
    assert not (tmp_path / "together").exists()


def test_a_stage_is_built_as_a_test(runner: ImageRunner, tmp_path: Path) -> None:
    has_builds(runner, tmp_path, "first")
    stages = "FROM scratch AS check\nRUN {0}\nFROM scratch\n"
    writes(runner, stages.format("true"), "target_stage='check'")
    result = run(runner)
    assert (result.exit_code, output(result)) == (0, "linux/amd64\n  ✓ stage: check\n")

    # Pants' caches have it now, and a builder that fails is asked only by force.
    docker = FakeDocker(tmp_path / "failing").answer("buildx inspect", _BUILDER)
    docker.answer("buildx build", stderr="ERROR: nothing here\n", exit_code=1)
    env = {"PATH": f"{tmp_path}/failing:/usr/bin:/bin", "HOME": "/nonexistent"}
    runner.set_options(env=env, inherit=())
    assert run(runner).exit_code == 0
    runner.runner.set_options(["--test-force"], env=env)
    assert "nothing here" in output(run(runner))
    writes(runner, stages.format("true"), "reproducible=True")
    assert "nothing here" in output(run(runner))
    has_builds(runner, tmp_path / "again", "first")
    writes(runner, stages.format("false"), "target_stage='check'")
    result = run(runner)
    assert result.exit_code == 1
    assert "Building app:image#check-test failed" in output(result)


@pytest.mark.parametrize("helper", ["busybox:1", "busybox@sha256:1", "a b"])
def test_the_helper_image_has_a_digest(runner: ImageRunner, tmp_path: Path, helper: str) -> None:
    has_builds(runner, tmp_path, "first")
    writes(runner, "FROM scratch\n", "source='tests.yaml'")
    runner.write({"app/tests.yaml": TESTS})
    env = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": "/nonexistent"}
    runner.runner.set_options([f"--docker-buildkit-tests-helper-image={helper}"], env=env)
    assert (
        "The option `[docker-buildkit-tests].helper_image` must be a reference with a digest, such"
        f" as REGISTRY/REPOSITORY:TAG@sha256:…, but it is {helper!r}.\n"
    ) in output(run(runner))
