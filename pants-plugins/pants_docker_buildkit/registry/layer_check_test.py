from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.confirmation import ManifestConfirmations, Missing, Present
from pants_docker_buildkit.registry.layer_check import LayerCheck, forget_layers
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage, several_platforms

ONE, TWO = SmallImage.create("one"), SmallImage.create("two")
INDEX = several_platforms(ONE, TWO)
INDEX_TYPE = MediaType.OCI_IMAGE_INDEX.value
ROOT = Descriptor(INDEX_TYPE, sha256_digest(INDEX), len(INDEX))


@pytest.fixture
def pushed(client: RegistryClient) -> RegistryClient:
    """A client of a registry with an image for two platforms."""
    for image in (ONE, TWO):
        image.push(client, "app")
    client.put_manifest("app", ROOT.digest, INDEX, INDEX_TYPE)
    return client


def test_all_that_an_image_consists_of_is_asked_for_once_a_day(
    registry: FakeRegistry, pushed: RegistryClient, tmp_path: Path
) -> None:
    before = len(registry.requests)
    assert LayerCheck(tmp_path).has_all(pushed, "app", ROOT)
    assert registry.count("HEAD", "/blobs/") == 4
    asked = len(registry.requests)
    assert asked == before + 3 + 4
    assert LayerCheck(tmp_path).has_all(pushed, "app", ROOT)
    assert len(registry.requests) == asked
    yesterday = time.time() - 25 * 3600
    for note in tmp_path.iterdir():
        os.utime(note, (yesterday, yesterday))
    assert LayerCheck(tmp_path).has_all(pushed, "app", ROOT)
    assert registry.count("HEAD", "/blobs/") == 8
    forget_layers(tmp_path)
    assert LayerCheck(tmp_path).has_all(pushed, "app", ROOT)
    assert registry.count("HEAD", "/blobs/") == 12


def test_a_note_of_a_clock_that_was_ahead_counts_for_nothing(
    registry: FakeRegistry, pushed: RegistryClient, tmp_path: Path
) -> None:
    assert LayerCheck(tmp_path).has_all(pushed, "app", ROOT)
    next_year = time.time() + 365 * 24 * 3600
    for note in tmp_path.iterdir():
        os.utime(note, (next_year, next_year))
    assert LayerCheck(tmp_path).has_all(pushed, "app", ROOT)
    assert registry.count("HEAD", "/blobs/") == 8


@pytest.mark.parametrize(
    "lost", [TWO.layer, TWO.config, TWO.manifest], ids=["layer", "config", "manifest"]
)
def test_an_image_that_lost_a_part_is_not_whole_until_it_is_pushed_again(
    registry: FakeRegistry, pushed: RegistryClient, tmp_path: Path, lost: bytes
) -> None:
    repository = registry.repository("app")
    repository.blobs.pop(sha256_digest(lost), None)
    repository.manifests.pop(sha256_digest(lost), None)
    check = LayerCheck(tmp_path)
    assert not check.has_all(pushed, "app", ROOT)
    TWO.push(pushed, "app")
    assert check.has_all(pushed, "app", ROOT)


def test_an_image_without_a_layer_is_missing_where_layers_are_checked(
    registry: FakeRegistry, pushed: RegistryClient, tmp_path: Path
) -> None:
    reference = ImageReference(registry.address, "app", digest=ROOT.digest)
    del registry.repository("app").blobs[sha256_digest(ONE.layer)]
    for layers, expected in ((None, Present), (LayerCheck(tmp_path), Missing)):
        confirmations = ManifestConfirmations(lambda *_: pushed, layers=layers)
        assert isinstance(confirmations.submit(reference).result(5), expected)
        confirmations.close()


def test_where_nothing_can_be_noted_it_is_asked_again(
    registry: FakeRegistry, pushed: RegistryClient
) -> None:
    for _ in range(2):
        assert LayerCheck(Path("/dev/null/nowhere")).has_all(pushed, "app", ROOT)
    assert registry.count("HEAD", "/blobs/") == 8
