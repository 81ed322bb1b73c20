from __future__ import annotations

import pytest
from pants.core.goals.tailor import PutativeTarget, PutativeTargets

from pants_docker_buildkit.goals.tailor import PutativeImageTargetsRequest
from pants_docker_buildkit.testutil import ImageRunner


@pytest.fixture(scope="module")
def shared_runner() -> ImageRunner:
    return ImageRunner()


@pytest.fixture
def runner(shared_runner: ImageRunner) -> ImageRunner:
    shared_runner.clear()
    shared_runner.set_options()
    return shared_runner


def tailored(runner: ImageRunner) -> dict[str, PutativeTarget]:
    """The targets that are proposed, by address."""
    request = PutativeImageTargetsRequest(("src", "src/app", "src/lib"))
    found = runner.runner.request(PutativeTargets, (request,))
    return {f"{each.path}:{each.name}": each for each in found}


def test_a_target_is_proposed_for_each_dockerfile(runner: ImageRunner) -> None:
    runner.write(
        {
            "src/Dockerfile": "",
            "src/app/Dockerfile": "",
            "src/app/Dockerfile.debug": "",
            "src/lib/tools.dockerfile": "",
            "elsewhere/Dockerfile": "",
        }
    )
    targets = tailored(runner)
    assert {address: each.kwargs.get("source") for address, each in targets.items()} == {
        "src:image": None,
        "src/app:image": None,
        "src/app:dockerfile-debug": "Dockerfile.debug",
        "src/lib:tools-dockerfile": "tools.dockerfile",
    }
    assert {each.type_alias for each in targets.values()} == {"docker_buildkit_image"}


def test_no_target_is_proposed_for_what_is_no_dockerfile(runner: ImageRunner) -> None:
    runner.write({"src/Dockerfile.dockerignore": "", "src/.dockerignore": "", "src/a.txt": ""})
    runner.write({"src/app/Dockerfile.rego": "package docker"})
    assert tailored(runner) == {}


def test_no_target_is_proposed_for_a_lock(runner: ImageRunner) -> None:
    runner.write({"src/images.dockerfile": ""})
    runner.set_options("resolves={'docker-images': './src/images.dockerfile'}")
    assert tailored(runner) == {}
    runner.set_options()
    assert set(tailored(runner)) == {"src:images-dockerfile"}


def test_no_target_is_proposed_for_a_dockerfile_that_has_an_owner(runner: ImageRunner) -> None:
    runner.write({"src/Dockerfile": "", "src/app/Dockerfile": ""})
    runner.write({"src/BUILD": "docker_buildkit_image(name='mine')"})
    assert set(tailored(runner)) == {"src/app:image"}


def test_no_target_is_proposed_where_the_option_says_so(runner: ImageRunner) -> None:
    runner.write({"src/Dockerfile": ""})
    runner.set_options("tailor=false")
    assert tailored(runner) == {}
