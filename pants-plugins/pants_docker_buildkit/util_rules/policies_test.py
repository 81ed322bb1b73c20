from __future__ import annotations

import hashlib

import pytest
from pants.engine.fs import DigestEntries, FileEntry

from pants_docker_buildkit.testutil import ImageRunner
from pants_docker_buildkit.util_rules.definition import ImageDefinition

POLICY = "package docker\n\ndefault allow := false\n"


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    runner = ImageRunner()
    runner.write(
        {
            "app/BUILD": "docker_buildkit_image(name='image')\n"
            "docker_buildkit_image(name='inline', source=None, instructions=['FROM scratch'])",
            "app/Dockerfile": "FROM scratch\n",
        }
    )
    return runner


def define(runner: ImageRunner, *options: str, name: str = "image") -> ImageDefinition:
    runner.set_options(*options)
    return runner.definition(f"app:{name}")


def files_below(runner: ImageRunner, definition: ImageDefinition, *directories: str) -> set[str]:
    entries = runner.runner.request(DigestEntries, (definition.inputs,))
    return {
        each.path
        for each in entries
        if isinstance(each, FileEntry) and each.path.startswith(directories)
    }


def test_the_policy_beside_a_dockerfile_is_laid_beside_it_and_in_the_key(
    runner: ImageRunner,
) -> None:
    before = define(runner)
    assert before.job.definition.policies == ()
    runner.write({"app/Dockerfile.rego": POLICY})
    with_policy = define(runner)
    sha256 = hashlib.sha256(POLICY.encode()).hexdigest()
    assert with_policy.job.definition.policies == (("dockerfile/Dockerfile.rego", sha256),)
    assert files_below(runner, with_policy, "build/dockerfile/") == {
        "build/dockerfile/Dockerfile",
        "build/dockerfile/Dockerfile.dockerignore",
        "build/dockerfile/Dockerfile.rego",
    }
    runner.write({"app/Dockerfile.rego": f"{POLICY}# changed\n"})
    digests = {each.job.build_digest for each in (before, with_policy, define(runner))}
    assert len(digests) == 3


def test_policies_of_the_option_are_for_all_images_in_their_order(runner: ImageRunner) -> None:
    runner.write({"policies/a.rego": "a", "policies/b.rego": "b"})
    definition = define(runner, "policies=['policies/b.rego', './policies/a.rego']", name="inline")
    paths = ["policies/0/b.rego", "policies/1/a.rego"]
    assert [path for path, _ in definition.job.definition.policies] == paths
    assert files_below(runner, definition, "build/policies/") == {f"build/{p}" for p in paths}


def test_a_policy_that_is_not_there_is_an_error_of_the_option(runner: ImageRunner) -> None:
    runner.set_options("policies=['policies/none.rego']")
    assert runner.failure("app:inline") == (
        "The option `[docker-buildkit].policies` must name files in the repository, but"
        " 'policies/none.rego' is not one."
    )
