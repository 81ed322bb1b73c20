from __future__ import annotations

import pytest
from pants.engine.internals.scheduler import ExecutionError

from pants_docker_buildkit.buildx.environment import PASSED, PATHS, REFUSED
from pants_docker_buildkit.testutil import ImageRunner
from pants_docker_buildkit.util_rules.docker_environment import DockerEnvironment


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    return ImageRunner()


def variables(runner: ImageRunner, *options: str, **environment: str) -> dict[str, str]:
    runner.set_options(*options, env={"PATH": "/bin", **environment}, inherit=())
    return dict(runner.runner.request(DockerEnvironment, ()).variables)


def test_docker_gets_what_it_documents_and_what_caches_need(runner: ImageRunner) -> None:
    given = dict.fromkeys(PASSED, "x")
    assert set(variables(runner, **given)) == set(PASSED)


def test_a_program_in_a_pod_finds_its_cluster(runner: ImageRunner) -> None:
    cluster = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    assert cluster.items() <= variables(runner, **cluster).items()


def test_relative_paths_are_below_the_build_root(runner: ImageRunner) -> None:
    root = runner.runner.build_root
    given = {name: f"etc/{name}" for name in PATHS}
    found = variables(runner, **given)
    assert {name: found[name] for name in PATHS} == {
        name: f"{root}/{path}" for name, path in given.items()
    }
    found = variables(runner, KUBECONFIG="a::/b", BUILDX_CONFIG="a:b", DOCKER_CONFIG="", TMPDIR="/")
    assert found == {
        "PATH": "/bin",
        "KUBECONFIG": f"{root}/a::/b",
        "BUILDX_CONFIG": f"{root}/a:b",
        "DOCKER_CONFIG": "",
        "TMPDIR": "/",
    }


def test_what_would_change_an_image_is_shut_out(runner: ImageRunner) -> None:
    assert set(variables(runner, **dict.fromkeys(REFUSED, "x"), OTHER="x")) == {"PATH"}


def test_more_variables_can_be_named(runner: ImageRunner) -> None:
    option = "env-vars=['OTHER', 'GODEBUG=x']"
    found = variables(runner, option, OTHER="x")
    assert found == {"PATH": "/bin", "OTHER": "x", "GODEBUG": "x"}


@pytest.mark.parametrize("name", ["1ST", "=x"])
def test_what_is_no_name_of_a_variable_is_named(runner: ImageRunner, name: str) -> None:
    with pytest.raises(ExecutionError, match=r"env_vars.* must hold names of variables, each with"):
        variables(runner, f"env-vars=['{name}']")


@pytest.mark.parametrize("value", ["{}", "{}=1"])
@pytest.mark.parametrize("name", REFUSED)
def test_what_would_change_an_image_cannot_be_named(
    runner: ImageRunner, name: str, value: str
) -> None:
    with pytest.raises(
        ExecutionError, match=f"env_vars.* must have no variable .* but {name} is one"
    ):
        variables(runner, f"env-vars=['{value.format(name)}']")
