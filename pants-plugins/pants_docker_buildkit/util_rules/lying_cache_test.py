"""A cache of Pants that others may write to says something else than a build would have said."""

from __future__ import annotations

import json
import shlex
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry, Repository
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.testutil import ImageRunner
from pants_docker_buildkit.util_rules import generations
from pants_docker_buildkit.util_rules.session import Session

IMAGE = SmallImage.create("an image")
MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
REFUSED = "The cached result of app:image must be that of its build, but: "


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    return ImageRunner()


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


@pytest.fixture
def build(runner: ImageRunner, registry: FakeRegistry) -> str:
    """The digest of a build of `app:image` for one platform. The registry has its image."""
    repository = registry.repositories.setdefault("app", Repository())
    repository.manifests[IMAGE.digest] = (MEDIA_TYPE, IMAGE.manifest)
    registries = {"dev": {"address": registry.address, "default": True}}
    runner.set_options(f"registries={registries!r}", "default-repository=app")
    fields = "platforms=['linux/amd64'], inline_cache=False"
    runner.write(
        {
            "app/BUILD": f"docker_buildkit_image(name='image', {fields})",
            "app/Dockerfile": f"FROM scratch\nLABEL new={uuid.uuid4().hex}\n",
        }
    )
    return runner.definition("app:image").job.build_digest


def truth(build: str) -> dict[str, Any]:
    platform = {
        "platform": "linux/amd64",
        "digest": IMAGE.digest,
        "config_digest": sha256_digest(IMAGE.config),
    }
    return {
        "schema": 1,
        "build_digest": build,
        "digest": IMAGE.digest,
        "media_type": MEDIA_TYPE,
        "size": len(IMAGE.manifest),
        "platforms": [platform],
        "materials": [],
    }


def answer(runner: ImageRunner, result: str) -> None:
    """Let the process of every build give this, as one that comes from a cache does."""
    session = runner.runner.request(Session, ())
    program = session.directory / "run"
    program.write_text(f"#!/bin/sh\nprintf %s {shlex.quote(result)}\n")
    program.chmod(0o700)


def test_what_a_build_would_have_said_is_believed(runner: ImageRunner, build: str) -> None:
    answer(runner, json.dumps(truth(build)))
    assert runner.package("app:image").artifacts[0].relpath == "app/image.image.json"


@pytest.mark.parametrize(
    ("lie", "finding"),
    [
        pytest.param({"build_digest": "blake3:0"}, "It is of the build 'blake3:0'", id="build"),
        pytest.param({"digest": "latest"}, "It cannot be read: The digest 'latest' must", id="tag"),
        pytest.param({"digest": "sha256:" + "A" * 64}, "It cannot be read: The digest", id="case"),
        pytest.param({"media_type": "text/html"}, "It cannot be read: 'text/html' is", id="type"),
        pytest.param({"size": -1}, "It cannot be read: 'size' must be a number of", id="size"),
        pytest.param({"platforms": []}, "It must have the images of 1 platforms", id="platforms"),
        pytest.param({"schema": 2}, "Its schema is 2", id="another version"),
    ],
)
def test_a_result_that_no_build_would_have_given_is_refused(
    runner: ImageRunner, build: str, lie: dict[str, Any], finding: str
) -> None:
    answer(runner, json.dumps({**truth(build), **lie}))
    text = runner.failure("app:image", of_build=True)
    assert text.startswith(f"{REFUSED}{finding}")
    assert text.endswith("replaces the entry in a remote cache, too, if this machine writes to it.")


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 10_000, '{"schema": NaN}', '{"schema": 1, "schema": 1}']
)
def test_what_is_no_result_at_all_is_refused(runner: ImageRunner, build: str, text: str) -> None:
    answer(runner, text)
    assert runner.failure("app:image", of_build=True).startswith(f"{REFUSED}It cannot be read: ")


def test_an_image_that_the_registry_does_not_have_is_not_handed_on(
    runner: ImageRunner, registry: FakeRegistry, build: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "_MAX_GENERATIONS", 8)
    registry.repositories["app"].manifests.clear()
    answer(runner, json.dumps(truth(build)))
    text = runner.failure("app:image", of_build=True)
    assert text.startswith("The image app:image was lost in its registry 8 times")


def test_a_result_cannot_say_in_which_registry_its_image_is(
    runner: ImageRunner, registry: FakeRegistry, build: str
) -> None:
    answer(runner, json.dumps({**truth(build), "references": [f"evil.io/app@{IMAGE.digest}"]}))
    runner.package("app:image")
    assert registry.count("HEAD", "/v2/app/manifests/") == 1
