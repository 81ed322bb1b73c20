"""`migrate-docker-images` moves repositories by itself, and they build what they built before."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conformance.images.comparison import Window, compare_platforms
from tests.conformance.images.image import Image, read_images
from tests.integration.workbench.engine import engine, image_config, remove_image, run_image
from tests.integration.workbench.machine import Checkout, Machine
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.required import (
    buildx_program,
    pants_configuration,
    plugin_sources,
)

_SETTINGS = """\
[GLOBAL]
pythonpath = ["{plugin}"]
backend_packages = ["pants_docker_buildkit", "pants.backend.docker"]

[anonymous-telemetry]
enabled = false

[python]
interpreter_constraints = [">=3.9"]

[docker]
env_vars = ["DOCKER_BUILDKIT=1", "DOCKER_HOST", "HOME"]
default_repository = "{repository}/{{directory}}"
build_args = ["TEAM=one"]  # who owns them

[docker.registries.tests]
address = "{registry}"
default = true
"""
_DOCKERFILE = """\
ARG BASE=base:image
FROM $BASE
ARG TEAM
LABEL team=$TEAM
COPY services/{name}/hello.txt /hello.txt
CMD ["cat", "/hello.txt"]
"""
_CONTENT = "find / -xdev -type f -not -path '/etc/*' | sort | xargs sha256sum"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One for all tests, because core's parser of Dockerfiles is made for each.

    Its `docker build` uses BuildKit. Images of the CLI's classic builder have other histories.
    """
    machine = Machine(tmp_path_factory.mktemp("machine") / "machine")
    plugins = machine.home / ".docker/cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-buildx").symlink_to(buildx_program())
    yield machine
    machine.close()


def test_a_repository_is_moved_by_the_command_and_builds_the_same(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    services = ("one", "two")
    settings = _SETTINGS.format(
        plugin=plugin_sources(), repository=repository, registry=registry.address
    )
    files = {
        "pants.toml": settings,
        "base/BUILD": "docker_image(\n    name='image',\n    skip_push=True,\n)\n",
        "base/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /base\n",
        "alone/BUILD": "docker_image(name='image', skip_push=True)  # for this machine\n",
        "alone/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /alone\n",
        "services/BUILD": "__defaults__({docker_image: dict(image_labels={'kind': 'service'},"
        " pull=False)})\n",
    }
    for name in services:
        files[f"services/{name}/BUILD"] = (
            "files(name='files', sources=['*.txt'])\n\n"
            "docker_image(name='image', dependencies=[':files'], squash=False)\n"
        )
        files[f"services/{name}/Dockerfile"] = _DOCKERFILE.format(name=name)
        files[f"services/{name}/hello.txt"] = f"{name}\n"
    checkout = machine.checkout("services", files)
    run_pants(checkout, "package", "::")
    before = {name: describe(f"{registry.address}/{repository}/{name}:latest") for name in services}

    checked = run_pants(checkout, "migrate-docker-images", "--check", "services/::", fails=True)
    assert checked.count("stays a docker_image. It is built on base:image, which stays") == 2
    checked = run_pants(checkout, "migrate-docker-images", "--check", "::", fails=True)
    assert "Would change services/BUILD:" in checked
    assert {name: (checkout.directory / name).read_text() for name in files} == files
    moved = run_pants(checkout, "migrate-docker-images", "::")
    assert "because others build on it; `publish` leaves it alone" in moved
    assert (checkout.directory / "alone/BUILD").read_text() == (
        "docker_buildkit_image(name='image', skip_push=True, output=\"docker\")"
        "  # for this machine\n"
    )

    # All that is left to do: the printed options, and the backend that nothing needs any more.
    options = printed_options(moved)
    head = settings.partition("[docker]")[0].replace(', "pants.backend.docker"', "")
    checkout.write({"pants.toml": head + options})
    assert "No docker_image target" in run_pants(checkout, "migrate-docker-images", "--check", "::")
    run = checkout.pants("package", "::")
    assert set(run.kinds.values()) == {"built"}
    after = {
        name: describe(run.outcomes[f"services.{name}/image.image.json"].references[0])
        for name in services
    }
    assert after == before


def run_pants(checkout: Checkout, *arguments: str, fails: bool = False) -> str:
    # Core's Dockerfile parser is a pex, whose making needs what `./pants` set up for this machine.
    configuration = f"--pants-config-files={pants_configuration()}"
    run = checkout.pants(*arguments, configuration, env={"STAMP": "s1"}, may_fail=fails)
    assert (run.exit_code != 0) == fails, run.output
    return run.output


def printed_options(moved: str) -> str:
    """What the goal says to write in place of the old options. Pants may log something later."""
    options = moved.partition("in place of [docker]:\n\n")[2]
    return re.sub(r"(?m)^\d\d:\d\d:\d\d\.\d\d \[.*\n?", "", options)


def describe(reference: str) -> tuple[str, ...]:
    """What is in an image, and how it is run."""
    content = run_image(reference, "sh", "-c", _CONTENT)
    config = image_config(reference)
    remove_image(reference)
    return content, *(json.dumps(config.get(each)) for each in ("Cmd", "Env", "Labels"))


# A folder for each kind: an argument that only a tag has, a base for the image beside it.
_EXAMPLES = {
    "src/docker/args/BUILD": """\
docker_image(
    # What a tag is made of, and nothing else.
    extra_build_args=["STAMP"],
    image_tags=["1.0-{build_args.STAMP}"],
    instructions=[
        # "ARG STAMP=none",
        "FROM BUSYBOX",
        'CMD ["echo", "args"]',
    ],
)
""",
    "src/docker/kinds/BUILD": """\
docker_image(
    name="shell",
    source="Dockerfile.shell",
    # Not inferred.
    dependencies=["src/shell:lib"],
)

docker_image(
    name="made",
    source="Dockerfile.made",
    dependencies=[":message"],
    context_root="./",
)

shell_command(
    name="message",
    output_files=["msg.txt"],
    command="echo made > msg.txt",
    tools=["echo"],
)
""",
    "src/docker/kinds/Dockerfile.shell": 'FROM BUSYBOX\nENTRYPOINT ["/bin/main.sh"]\n'
    "COPY src/shell/main.sh /bin/\n",
    "src/docker/kinds/Dockerfile.made": 'FROM BUSYBOX\nCMD ["cat", "msg.txt"]\nCOPY msg.txt /\n',
    "src/docker/parent/BUILD": """\
docker_image(
    name="base",
    source="Dockerfile.base",
    skip_push=True,
)

docker_image(
    name="final", source="Dockerfile.final",
)
""",
    "src/docker/parent/Dockerfile.base": "FROM BUSYBOX\nRUN echo base > base.txt\n",
    "src/docker/parent/Dockerfile.final": "ARG PARENT=:base\n# hadolint ignore=DL3006\n"
    "FROM ${PARENT}\nRUN cat base.txt > final.txt\n",
    "src/shell/BUILD": "files(name='lib', sources=['*.sh'])\n",
    "src/shell/main.sh": "#!/bin/sh\necho shell\n",
}
# Many of one shape, from a macro, with defaults for all.
_MANY = 37
_MACRO = """\
def service(name, **fields):
    docker_image(
        name="image",  # as all are
        image_labels={"team": "one", "service": name},
        image_tags=[f"{name}-1", "{build_args.STAMP}"],
        **fields,
    )
"""
_DEFAULTS = """\
__defaults__(
    {
        docker_image: dict(pull=False, registries=["@tests"]),
    }
)
"""


def test_repositories_of_other_shapes_are_moved_by_the_command_alone(
    machine: Machine, registry: Registry, repository: str, busybox: str, tmp_path: Path
) -> None:
    settings = _SETTINGS.format(
        plugin=plugin_sources(), repository=repository, registry=registry.address
    )
    for old, new in (
        ('"pants.backend.docker"]', '"pants.backend.docker", "pants.backend.shell"]'),
        ("\n[anonymous", 'build_file_prelude_globs = ["macros.py"]\n\n[anonymous'),
        ("/{directory}", "/{directory}/{name}"),
        ("TEAM=one", "STAMP=s1"),
    ):
        settings = settings.replace(old, new, 1)
    files = {path: text.replace("BUSYBOX", busybox) for path, text in _EXAMPLES.items()}
    files |= {"pants.toml": settings, "macros.py": _MACRO, "services/BUILD": _DEFAULTS}
    for number in range(_MANY):
        files[f"services/s{number}/BUILD"] = f"service('s{number}')\n"
        files[f"services/s{number}/Dockerfile"] = (
            f"FROM {busybox}\nENV SERVICE={repository}-{number}\n"
        )
    checkout = machine.checkout("shapes", files)
    named = {
        "src/docker/args:args": ("args/args", "1.0-s1"),
        "src/docker/kinds:shell": ("kinds/shell", "latest"),
        "src/docker/kinds:made": ("kinds/made", "latest"),
        "src/docker/parent:final": ("parent/final", "latest"),
        "services/s0:image": ("s0/image", "s0-1"),
        "services/s36:image": ("s36/image", "s36-1"),
    }
    run_pants(checkout, "package", *named)
    before = {
        target: saved(
            f"{registry.address}/{repository}/{path}:{tag}", tmp_path / f"{number}-before"
        )
        for number, (target, (path, tag)) in enumerate(named.items())
    }
    moved = run_pants(checkout, "migrate-docker-images", "::")
    assert "stays a" not in moved
    options = printed_options(moved)
    head = settings.partition("[docker]")[0].replace(', "pants.backend.docker"', "", 1)
    checkout.write({"pants.toml": head + options})
    run = checkout.pants("package", *named, env={"STAMP": "s1"})
    assert list(run.kinds.values()) == ["built"] * len(named)
    plan = ("plan-images", "--format=json", "--output-file=plan.json", "::")
    checkout.pants(*plan, env={"STAMP": "s1"})
    planned = json.loads((checkout.directory / "plan.json").read_text())["images"]
    assert Counter(each["outcome"] for each in planned) == {
        "build": _MANY - 2,
        "unchanged": len(named) + 1,
    }
    for number, (target, images) in enumerate(before.items()):
        (reference,) = json.loads(checkout.record(target.replace("/", ".")))["references"]
        after = saved(reference, tmp_path / f"{number}-after", pull=True)
        different = compare_platforms(images, after, Window.until_now())
        assert [str(each) for each in different] == [], target


def saved(reference: str, directory: Path, *, pull: bool = False) -> Mapping[str, Image]:
    """An image that the engine has, or gets, as the comparison of images reads it."""
    with engine() as client:
        image = client.images.pull(reference) if pull else client.images.get(reference)
        content = io.BytesIO(b"".join(image.save()))
        client.images.remove(reference, force=True)
    with tarfile.open(fileobj=content) as archive:
        archive.extractall(directory)
    return {
        platform: replace(each, annotations=without_sources(each.annotations))
        for platform, each in read_images(directory).items()
    }


def without_sources(annotations: Mapping[str, str]) -> dict[str, str]:
    """An engine notes from where it pulled a layer. Nobody pulled what core's target built."""
    return {key: value for key, value in annotations.items() if ".source." not in key}
