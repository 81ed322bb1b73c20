from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.access import BasicAccess
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.session.testing.fake_session import FakeSession
from pants_docker_buildkit.solver.errors import BuildFailedError
from pants_docker_buildkit.solver.pushed_image import PushedImage

MANIFEST = b'{"schemaVersion": 2}'
MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
DESCRIPTOR = Descriptor(MEDIA_TYPE, sha256_digest(MANIFEST), len(MANIFEST))


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """A registry that only somebody with a password may read."""
    with FakeRegistry(access=BasicAccess("me", "s3cret")).running() as registry:
        yield registry


def read(registry: FakeRegistry, directory: Path, descriptor: Descriptor = DESCRIPTOR) -> bytes:
    """Read as a session that knows the password for one repository."""

    def find_credentials(_: str, repository: str) -> Credentials | None:
        return Credentials("me", "s3cret") if repository == "app" else None

    session = FakeSession(directory, find_credentials).client
    with PushedImage((f"{registry.address}/app",), session) as pushed:
        return pushed.read(descriptor)


def test_a_manifest_is_read_by_its_digest_as_the_session(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    registry.repository("app").manifests[DESCRIPTOR.digest] = (MEDIA_TYPE, MANIFEST)
    assert read(registry, tmp_path / "session") == MANIFEST


def test_content_that_is_not_what_its_digest_says_is_refused(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    registry.repository("app").manifests[DESCRIPTOR.digest] = (MEDIA_TYPE, MANIFEST + b" ")
    with pytest.raises(BuildFailedError, match="not to be trusted"):
        read(registry, tmp_path / "session")


@pytest.mark.parametrize("code", ["BLOB_UNKNOWN", "NAME_UNKNOWN", "MANIFEST_UNKNOWN"])
@pytest.mark.parametrize("media_type", [MEDIA_TYPE, MediaType.OCI_IMAGE_CONFIG.value])
def test_what_the_registry_shows_a_little_later_is_read_then(
    registry: FakeRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    media_type: str,
) -> None:
    monkeypatch.setattr("pants_docker_buildkit.registry.late_answers._WAITS_SECONDS", (0.01, 0.01))
    repository = registry.repository("app")
    repository.manifests[DESCRIPTOR.digest] = (MEDIA_TYPE, MANIFEST)
    repository.blobs[DESCRIPTOR.digest] = MANIFEST
    registry.plan(faults.oci_error(404, code), method="GET", times=2)
    asked = replace(DESCRIPTOR, media_type=media_type)
    assert read(registry, tmp_path / "session", asked) == MANIFEST


def test_a_registry_that_does_not_give_what_was_pushed_is_named(
    registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pants_docker_buildkit.registry.late_answers._WAITS_SECONDS", (0.01, 0.01))
    registry.repository("app")
    with pytest.raises(BuildFailedError) as raised:
        read(registry, tmp_path / "session")
    assert str(raised.value).startswith(
        "The image was pushed, but cannot be read: Could not read"
        f" {registry.address}/app@{DESCRIPTOR.digest}"
    )
    assert str(raised.value).endswith(
        "). The registry took it without an error: check whether a retention policy or a"
        " proxy in front of it drops images, then run this again."
    )
