from __future__ import annotations

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.registry.known_manifests import KnownManifests


def manifest(content: bytes) -> tuple[Descriptor, bytes]:
    return Descriptor(MediaType.OCI_IMAGE_MANIFEST, sha256_digest(content), len(content)), content


FIRST, SECOND, THIRD = (manifest(bytes([number]) * 40) for number in range(3))


def test_those_that_were_not_used_for_longest_are_forgotten() -> None:
    known = KnownManifests(most_bytes=100)
    known.add(*FIRST)
    known.add(*SECOND)
    assert known.find(FIRST[0].digest) == FIRST
    known.add(*THIRD)
    assert known.find(SECOND[0].digest) is None
    assert known.find(FIRST[0].digest) == FIRST
    assert known.find(THIRD[0].digest) == THIRD


def test_one_that_is_too_large_for_all_is_not_kept() -> None:
    known = KnownManifests(most_bytes=30)
    known.add(*FIRST)
    assert known.find(FIRST[0].digest) is None
