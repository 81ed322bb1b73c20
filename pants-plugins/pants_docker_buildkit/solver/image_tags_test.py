from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pants_docker_buildkit.buildx.builder import Builder
from pants_docker_buildkit.oci.reference import parse_tag
from pants_docker_buildkit.registry.settings import Reach, RegistrySettings
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.session.directory import PROGRESS_FILE
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.session.testing.fake_session import FakeSession
from pants_docker_buildkit.solver.definition import BuildDefinition, BuildJob
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.image_tags import digest_tag, tag_image
from pants_docker_buildkit.solver.progress import Viewer
from pants_docker_buildkit.solver.pushed_image import PushedImage
from pants_docker_buildkit.solver.workplace import Workplace

IMAGE = SmallImage.create()
TAG = f"digest-{IMAGE.digest[7:]}"
MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
DEFAULTS = RegistrySettings()
DEFINITION = BuildDefinition("", "", ("linux/amd64",), "registry", inline_cache=True)


class Push:
    """An image that a build of a session has pushed to two repositories of a registry."""

    def __init__(self, registry: FakeRegistry, directory: Path) -> None:
        self.registry = registry
        self.names = ("app", "copies/app")
        for name in self.names:
            IMAGE.store(registry.repository(name))
        self.session = FakeSession(directory, lambda *_: None).client
        self.definition = DEFINITION

    def is_tagged(self, settings: RegistrySettings = DEFAULTS) -> None:
        """Tag it, with these settings of its registry."""
        repositories = tuple(f"{self.registry.address}/{name}" for name in self.names)
        job = BuildJob("blake3:0", self.definition, repositories)
        builder = Builder("far", "remote", "tcp://far:1", True, has_containerd_store=False)
        nowhere = Path("/nowhere")
        place = Workplace(DockerCli("docker", {}), builder, None, nowhere, nowhere, self.session)
        place = replace(place, reach=Reach(registries=((self.registry.address, settings),)))
        with PushedImage(repositories, self.session) as pushed:
            tag_image(job, IMAGE.digest, BuildSettings("app:image"), pushed, place)

    @property
    def tags(self) -> list[dict[str, str]]:
        return [self.registry.repository(name).tags for name in self.names]

    @property
    def warnings(self) -> list[str]:
        file = self.session.directory / PROGRESS_FILE
        lines = file.read_text().splitlines() if file.exists() else []
        assert all(line.startswith(f"{Viewer.WARNED.value} ") for line in lines)
        return [line.partition(" ")[2] for line in lines]


@pytest.fixture
def push(tmp_path: Path) -> Iterator[Push]:
    with FakeRegistry().running() as registry:
        yield Push(registry, tmp_path / "session")


def test_the_tag_that_keeps_an_image_names_its_digest() -> None:
    assert parse_tag(digest_tag(IMAGE.digest)) == TAG
    assert len(TAG) == len("digest-") + 64


def test_an_image_gets_its_digest_tag_and_the_moving_one_of_the_cache(push: Push) -> None:
    push.is_tagged()
    assert push.tags == [{TAG: IMAGE.digest, "buildcache": IMAGE.digest}] * 2
    assert push.registry.count("GET") == 1
    assert push.warnings == []


def test_without_inline_cache_no_tag_moves(push: Push) -> None:
    push.definition = replace(DEFINITION, inline_cache=False)
    push.is_tagged()
    assert push.tags == [{TAG: IMAGE.digest}] * 2


def test_where_tags_cannot_move_none_is_asked_to(push: Push) -> None:
    push.is_tagged(RegistrySettings(has_immutable_tags=True))
    assert push.tags == [{TAG: IMAGE.digest}] * 2


def test_an_image_gets_no_tag_where_none_is_wanted(push: Push) -> None:
    push.is_tagged(RegistrySettings(has_immutable_tags=True, has_digest_tags=False))
    assert push.tags == [{}] * 2
    assert push.registry.requests == []


def test_a_refused_tag_is_a_warning_that_comes_once(push: Push) -> None:
    refusal = faults.oci_error(409, "TAG_INVALID", "the tag is immutable")
    push.registry.plan(refusal, "/manifests/buildcache", method="PUT", times=None)
    push.is_tagged()
    push.is_tagged()
    assert push.tags == [{TAG: IMAGE.digest}] * 2
    address = push.registry.address
    assert push.warnings == [
        f"app:image was pushed by its digest, but {address} did not take the tag"
        f" {address}/app:buildcache (HTTP 409 TAG_INVALID: the tag is immutable). If tags cannot"
        " move there, set `immutable_tags = true` for it in `[docker-buildkit.registries]`. This"
        " is said once for a registry."
    ]


def test_a_registry_that_takes_no_tags_at_all_still_has_the_image(push: Push) -> None:
    push.registry.plan(faults.oci_error(403, "DENIED", "no"), method="PUT", times=None)
    push.is_tagged()
    assert push.tags == [{}] * 2
    first, second = push.warnings
    assert TAG in first
    assert "set `digest_tags = false` for it" in first
    assert "buildcache" in second


def test_a_push_that_the_registry_shows_late_is_waited_for(
    push: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pants_docker_buildkit.registry.late_answers._WAITS_SECONDS", (0.01, 0.01))
    late = faults.oci_error(404, "MANIFEST_UNKNOWN")
    push.registry.plan(late, "/manifests/sha256:", method="GET", times=2)
    push.is_tagged()
    assert push.tags[0][TAG] == IMAGE.digest
