from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from pants_docker_buildkit.buildx.builder_description import BuilderDescription, NodeDescription
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.solver.builder_pool import home_endpoint
from pants_docker_buildkit.solver.definition import BuildDefinition
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker
from pants_docker_buildkit.testutil import ImageRunner

ARM64_BUILDER = "build-platform=linux/arm64"
INSPECTED = """\
Name:   far
Driver: remote

Nodes:
Name:      far0
Endpoint:  tcp://far:1
Status:    running
Platforms: linux/arm64, linux/arm/v7, linux/amd64
"""
ARGUMENTS = {
    "BUILDPLATFORM": "linux/arm64",
    "BUILDOS": "linux",
    "BUILDOSVERSION": "",
    "BUILDARCH": "arm64",
    "BUILDVARIANT": "",
}


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    return ImageRunner()


def define(
    runner: ImageRunner, dockerfile: str, fields: str = "", *options: str
) -> BuildDefinition:
    target = f"docker_buildkit_image(name='image', dependencies=[':files'], {fields})"
    runner.write(
        {
            "app/Dockerfile": dockerfile,
            "app/tool-arm64": "arm64",
            "app/BUILD": f"files(name='files', sources=['tool-*'])\n{target}",
        }
    )
    runner.set_options(*options)
    return runner.definition("app:image").job.definition


USES = {
    "from": "FROM --platform=$BUILDPLATFORM scratch\n",
    "base": "FROM scratch AS tools-arm64\nFROM tools-$BUILDARCH\n",
    "stage": "FROM scratch\nARG BUILDARCH\nCOPY app/tool-$BUILDARCH /\n",
    "through": "ARG X=$BUILDOS/arm64\nFROM --platform=$X scratch\n",
    "inherited": "ARG X=$BUILDARCH\nFROM scratch\nARG X\nCOPY app/tool-$X /\n",
    "trigger": "FROM scratch AS a\nONBUILD ARG BUILDARCH\nFROM a\n",
}
USES_NOT = {
    "nothing": "FROM scratch\nARG TARGETARCH\n",
    "unreachable": "FROM --platform=$BUILDPLATFORM scratch AS x\nFROM scratch\n",
    "global": "ARG BUILDARCH\nFROM scratch\n",
    "own": "ARG BUILDARCH=any\nFROM scratch\nARG BUILDARCH\n",
    "own-stage": "FROM scratch\nARG BUILDARCH=any\n",
}


@pytest.mark.parametrize("dockerfile", USES.values(), ids=USES)
def test_a_dockerfile_that_uses_the_platform_of_its_builder_gets_it_as_arguments(
    runner: ImageRunner, dockerfile: str
) -> None:
    found = define(runner, dockerfile, "platforms=['linux/amd64']", ARM64_BUILDER)
    assert ARGUMENTS.items() <= dict(found.build_args).items()
    assert found.build_platforms == ()


@pytest.mark.parametrize("dockerfile", USES_NOT.values(), ids=USES_NOT)
def test_the_key_of_any_other_dockerfile_is_free_of_the_builder(
    runner: ImageRunner, dockerfile: str
) -> None:
    found = define(runner, dockerfile, "platforms=['linux/amd64']", ARM64_BUILDER)
    assert found.build_platforms == ()
    assert not ARGUMENTS.keys() & dict(found.build_args).keys()


def test_an_argument_that_the_target_gives_is_not_the_builders(runner: ImageRunner) -> None:
    fields = "extra_build_args=['BUILDPLATFORM=linux/amd64'], platforms=['linux/arm64']"
    found = define(runner, USES["from"], fields, ARM64_BUILDER)
    assert found.build_platforms == ()
    assert dict(found.build_args)["BUILDPLATFORM"] == "linux/amd64"


def test_an_argument_with_a_value_of_its_own_keeps_it(runner: ImageRunner) -> None:
    dockerfile = "FROM --platform=$BUILDPLATFORM scratch\nARG BUILDARCH=any\n"
    found = define(runner, dockerfile, "", ARM64_BUILDER)
    assert dict(found.build_args)["BUILDPLATFORM"] == "linux/arm64"
    assert "BUILDARCH" not in dict(found.build_args)
    assert found.build_platforms == ()


def test_what_no_argument_can_say_the_builder_must_be(runner: ImageRunner) -> None:
    dockerfile = "FROM scratch AS a\nARG BUILDARCH=any\nFROM a\nARG BUILDARCH\n"
    found = define(runner, dockerfile, "platforms=['linux/amd64']", ARM64_BUILDER)
    assert "BUILDARCH" not in dict(found.build_args)
    assert found.build_platforms == (("linux/amd64", "linux/arm64"),)


def test_the_builder_is_asked_once_and_for_all_sessions(tmp_path: Path) -> None:
    docker = FakeDocker(tmp_path / "bin").answer("buildx inspect", INSPECTED)
    # A home that nobody had before, so that no cache of this machine has the answer. Directories of
    # pytest are named like those of earlier runs.
    home = str(tmp_path / uuid.uuid4().hex)
    runner = ImageRunner()
    for dockerfile in (USES["from"], USES["stage"]):
        env = {"PATH": f"{docker.directory}:/usr/bin:/bin", "HOME": home}
        runner.set_options(env=env, inherit=())
        runner.write({"app/tool-arm64": "", "app/BUILD": ""})
        files = "files(name='files', sources=['tool-*'])"
        image = "docker_buildkit_image(name='image', builder='far', dependencies=[':files'])"
        runner.write({"app/Dockerfile": dockerfile, "app/BUILD": f"{files}\n{image}"})
        found = runner.definition("app:image").job.definition
        assert dict(found.build_args)["BUILDARCH"] == "arm64"
    assert docker.calls == ["buildx inspect far"]


def test_a_builder_that_was_away_is_asked_again(tmp_path: Path) -> None:
    runner = ImageRunner()
    image = "docker_buildkit_image(name='image', builder='far')"
    runner.write({"app/Dockerfile": USES["from"], "app/BUILD": image})
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path / uuid.uuid4().hex)}

    def platform(docker: FakeDocker) -> str:
        runner.set_options(env=env, inherit=())
        found = dict(runner.definition("app:image").job.definition.build_args)["BUILDPLATFORM"]
        assert docker.calls[-1] == "buildx inspect far"
        return found

    away = FakeDocker(tmp_path).answer("buildx inspect", stderr="ERROR: away\n", exit_code=1)
    for number in (1, 2, 3):
        assert platform(away) != "linux/arm64"
        assert len(away.calls) == number
    assert platform(FakeDocker(tmp_path).answer("buildx inspect", INSPECTED)) == "linux/arm64"


def test_each_image_of_a_pool_asks_the_endpoint_that_will_build_it(tmp_path: Path) -> None:
    # What is inspected has the platform that its endpoint is called after.
    created = tmp_path / "created"
    created.mkdir()
    docker = FakeDocker(tmp_path / "bin")
    docker.answer("buildx create", run=f'for last; do :; done; echo "$last" >{created}/"$4"')
    text = INSPECTED.replace("\n", "\\n").replace("linux/arm64, linux/arm/v7, linux/amd64", "%s")
    asked = f'a=$(sed "s,.*//,,; s,:1,," {created}/"$3") && printf "{text}" linux/$a'
    docker.answer("buildx inspect", run=asked)
    nodes = tuple(NodeDescription(f"tcp://{each}:1") for each in ("amd64", "arm64"))
    pool = BuilderDescription("ci", "remote", (), 1, pool=nodes)
    table = {"driver": "remote", "endpoints": [each.endpoint for each in nodes]}

    runner = ImageRunner()
    env = {"PATH": f"{docker.directory}:/usr/bin:/bin", "HOME": str(tmp_path / uuid.uuid4().hex)}
    builders = f"builders={{'ci': {table!r}}}"
    runner.set_options(builders, "builder=ci", env=env, inherit=())
    images = [f"image{number}" for number in range(8)]
    platforms = ("linux/s390x", "linux/amd64")
    fields = f"platforms={list(platforms)}"
    lines = (f"docker_buildkit_image(name={each!r}, {fields})" for each in images)
    runner.write({"app/Dockerfile": USES["from"], "app/BUILD": "\n".join(lines)})
    homes = {
        image: home_endpoint(BuildSettings(f"app:{image}", described_builder=pool), platforms)
        for image in images
    }
    assert len(set(homes.values())) == 2
    for image, home in homes.items():
        found = dict(runner.definition(f"app:{image}").job.definition.build_args)
        assert f"tcp://{found['BUILDARCH']}:1" == home
    # Two endpoints were asked, and not each image.
    assert sum(call.startswith("buildx create") for call in docker.calls) == 2


def test_without_a_builder_it_is_the_platform_of_this_machine(tmp_path: Path) -> None:
    runner = ImageRunner()
    runner.set_options(env={"PATH": str(tmp_path), "HOME": str(tmp_path)}, inherit=())
    image = "docker_buildkit_image(name='image', platforms=['linux/s390x'])"
    runner.write({"app/Dockerfile": USES["from"], "app/BUILD": image})
    build_args = dict(runner.definition("app:image").job.definition.build_args)
    assert build_args["BUILDPLATFORM"] in {"linux/amd64", "linux/arm64"}
