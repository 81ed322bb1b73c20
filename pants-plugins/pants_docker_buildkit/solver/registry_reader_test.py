from __future__ import annotations

from pathlib import Path

import pytest

from pants_docker_buildkit.oci.content import InvalidContentError
from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.solver.errors import BuildFailedError
from pants_docker_buildkit.solver.registry_reader import RegistryReader
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker

MANIFEST = '{"schemaVersion": 2}'
DESCRIPTOR = Descriptor(
    "application/vnd.oci.image.manifest.v1+json", sha256_digest(MANIFEST.encode()), len(MANIFEST)
)


def test_manifest_is_read_by_its_digest(tmp_path: Path) -> None:
    docker = FakeDocker(tmp_path).answer("buildx imagetools inspect --raw", MANIFEST)
    reader = RegistryReader(docker.cli(), "localhost:5000/app")
    assert reader.read(DESCRIPTOR) == MANIFEST.encode()
    assert docker.calls[0].endswith(f" localhost:5000/app@{DESCRIPTOR.digest}")


def test_content_that_is_not_what_its_digest_says_is_refused(tmp_path: Path) -> None:
    docker = FakeDocker(tmp_path).answer("buildx imagetools", MANIFEST.replace("2", "3"))
    with pytest.raises(InvalidContentError):
        RegistryReader(docker.cli(), "localhost:5000/app").read(DESCRIPTOR)


def test_registry_that_does_not_give_what_was_pushed_is_named(tmp_path: Path) -> None:
    docker = FakeDocker(tmp_path).answer("buildx", stderr="ERROR: not found\n", exit_code=1)
    with pytest.raises(BuildFailedError) as raised:
        RegistryReader(docker.cli(), "localhost:5000/app").read(DESCRIPTOR)
    assert str(raised.value) == (
        f"The image was pushed, but localhost:5000/app@{DESCRIPTOR.digest} cannot be read: ERROR:"
        " not found. Check that the registry keeps what it accepts, and run this again."
    )
