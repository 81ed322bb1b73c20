from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from pants.engine.platform import Platform

from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.solver.definition import BuildDefinition
from pants_docker_buildkit.testutil import ImageRunner
from pants_docker_buildkit.util_rules.build_platform import own_platform

OWN = own_platform(Platform.create_for_localhost()).architecture
OTHER = "amd64" if OWN == "arm64" else "arm64"


@pytest.fixture(scope="module")
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> ImageRunner:
    runner = ImageRunner()
    home = str(tmp_path_factory.mktemp("home"))
    runner.set_options(env={"PATH": "/usr/bin:/bin", "HOME": home})
    return runner


def push(registry: FakeRegistry, *triggers: str, architecture: str = "amd64") -> str:
    """A new image with these triggers, by its digest."""
    # Different from all others, or a cache of this machine might know it.
    image = SmallImage.create(uuid.uuid4().hex, triggers, architecture)
    return f"{registry.address}/base@{image.store(registry.repository('base'))}"


def define(runner: ImageRunner, dockerfile: str, fields: str = "") -> BuildDefinition:
    image = f"docker_buildkit_image(name='image', platforms=['linux/amd64'], {fields})"
    runner.write({"app/Dockerfile": dockerfile, "app/BUILD": image})
    return runner.definition("app:image").job.definition


def test_a_trigger_declares_build_arguments(runner: ImageRunner, registry: FakeRegistry) -> None:
    base = push(registry, "ARG MODE")
    found = define(runner, f"FROM {base}\n", "extra_build_args=['MODE=fast']")
    assert dict(found.build_args)["MODE"] == "fast"


def test_images_that_a_trigger_copies_from_are_pinned(
    runner: ImageRunner, registry: FakeRegistry
) -> None:
    tool = push(registry)
    base = push(registry, f"COPY --from={tool} /a /", "COPY --from=own /b /")
    found = define(runner, f"FROM scratch AS own\nFROM {base}\n")
    assert {each.pinned for each in found.sources} == {
        f"docker-image://{base}",
        f"docker-image://{tool}",
    }


def test_a_file_that_a_trigger_copies_must_be_there(
    runner: ImageRunner, registry: FakeRegistry
) -> None:
    base = push(registry, "COPY package.json /")
    with pytest.raises(Exception, match=r"Line 1 of app/Dockerfile copies 'package.json'"):
        define(runner, f"FROM {base}\n")


def test_triggers_are_read_once(runner: ImageRunner, registry: FakeRegistry) -> None:
    base = push(registry, "ARG MODE")
    define(runner, f"FROM {base}\n")
    before = len(registry.requests)
    define(runner, f"FROM {base}\nCMD a\n")
    assert len(registry.requests) == before


def test_a_pinned_base_whose_registry_cannot_be_asked_is_built(runner: ImageRunner) -> None:
    base = f"127.0.0.1:1/base@{OciDigest('sha256:' + 'a' * 64)}"
    (source,) = define(runner, f"FROM {base}\n").sources
    assert source.pinned == f"docker-image://{base}"


def test_a_stage_that_a_trigger_needs_may_have_a_base_with_triggers(
    runner: ImageRunner, registry: FakeRegistry
) -> None:
    inner = push(registry, "ARG INNER")
    outer = push(registry, "COPY --from=tools /a /")
    dockerfile = f"FROM {inner} AS tools\nFROM {outer}\n"
    found = define(runner, dockerfile, "extra_build_args=['INNER=1']")
    assert dict(found.build_args)["INNER"] == "1"


@pytest.mark.parametrize(
    ("trigger", "names"),
    [pytest.param("COPY --from=web . /", ["web"], id="used"), pytest.param("RUN a", [], id="not")],
)
def test_a_named_context_that_a_trigger_uses_is_in_the_key(
    runner: ImageRunner, registry: FakeRegistry, trigger: str, names: list[str]
) -> None:
    runner.write({"web/BUILD": "files(name='files', sources=['*.css'])", "web/a.css": ""})
    contexts = "build_contexts={'web': 'web:files', 'more': 'web:files'}"
    found = define(runner, f"FROM {push(registry, trigger)}\n", contexts)
    assert [each.name for each in found.named_contexts] == names


def test_a_target_whose_context_nothing_uses_is_not_needed(
    runner: ImageRunner, registry: FakeRegistry
) -> None:
    fields = "output='oci', build_contexts={'x': 'nothing:broken', 'y': 'nothing:image'}"
    runner.write({"nothing/Dockerfile": f"FROM {push(registry, 'RUN a')}\n"})
    broken = "docker_buildkit_image(name='broken', source=None, instructions=['FROM'])\n"
    runner.write({"nothing/BUILD": f"{broken}docker_buildkit_image(name='image', {fields})\n"})
    assert runner.definition("nothing:image").job.definition.named_contexts == ()


@pytest.mark.parametrize(
    ("dockerfile", "fields", "takes"),
    [
        pytest.param("FROM {other}", "output='oci'", True, id="image"),
        pytest.param("FROM {other} AS a\nFROM a\n", "output='oci'", True, id="stage"),
        pytest.param("FROM {own}", "output='oci'", False, id="own"),
        pytest.param("FROM {other} AS a\nFROM {own}", "output='oci'", False, id="last-stage"),
        pytest.param(
            "FROM {other} AS a\nFROM {own}", "output='oci', target_stage='a'", True, id="target"
        ),
        pytest.param(
            "FROM {other}", f"output='oci', platforms=['linux/{OWN}']", False, id="platforms"
        ),
        pytest.param("FROM {other}", "output_files=['a']", False, id="files"),
        pytest.param(
            "FROM --platform=linux/{other_name} web",
            "output='oci', build_contexts={'web': 'web:files'}",
            True,
            id="files-for-another",
        ),
        pytest.param(
            "FROM --platform=linux/{other_name} scratch", "output='oci'", False, id="scratch"
        ),
    ],
)
def test_an_image_without_platforms_gets_that_of_its_base(
    runner: ImageRunner, registry: FakeRegistry, dockerfile: str, fields: str, takes: bool
) -> None:
    words = {"other_name": OTHER, "other": push(registry, architecture=OTHER)}
    dockerfile = dockerfile.format(own=push(registry, architecture=OWN), **words)
    image = f"docker_buildkit_image(name='image', {fields})"
    runner.write({"bare/Dockerfile": dockerfile, "bare/BUILD": image})
    runner.write({"web/BUILD": "files(name='files', sources=['*.css'])", "web/a.css": ""})
    found = runner.definition("bare:image").job.definition
    assert found.platforms == (f"linux/{OWN}",)
    assert found.platform_of_base == (f"linux/{OTHER}" if takes else None)
    assert ("platform_of_base" in found.as_map()) is takes
