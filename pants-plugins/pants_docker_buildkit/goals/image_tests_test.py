from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pants.core.goals.test import TestResult
from pants.engine.addresses import Address
from pants.engine.rules import QueryRule

from pants_docker_buildkit.goals.test import BuildKitTestRequest, ImageTestFieldSet
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.solver.testing.fake_builder import FakeBuilder
from pants_docker_buildkit.testutil import ImageRunner, create_rule_runner

# Judged by the configuration alone, and so without a build.
TESTS = "schemaVersion: 2.0.0\nmetadataTest: {user: nobody}\n"
PASSING = "schemaVersion: 2.0.0\nmetadataTest: {entrypoint: [], cmd: []}\n"


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    rules = (QueryRule(TestResult, (BuildKitTestRequest.Batch,)),)
    return ImageRunner(create_rule_runner(rules=rules))


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


@pytest.fixture
def image(runner: ImageRunner, registry: FakeRegistry, tmp_path: Path) -> str:
    """The digest of `app:image`, which a builder has ready."""
    builder = FakeBuilder(tmp_path, registry)
    digest = builder.prepare("one", "app")
    registries = {"dev": {"address": registry.address, "default": True}}
    runner.set_options(
        f"registries={registries!r}",
        "default-repository=app",
        env={"PATH": builder.path, "HOME": "/nonexistent"},
        inherit=(),
    )
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
    return runner.runner.request(TestResult, (batch,))


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
            "docker_buildkit_test(name='test', image=':none', source='tests.yaml')",
            "The `image` field in target app:test must name image targets, but it names ':none',"
            " which does not exist",
        ),
        (
            "docker_buildkit_test(name='test', image=':broken', source='tests.yaml')",
            "Building app:broken failed",
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
