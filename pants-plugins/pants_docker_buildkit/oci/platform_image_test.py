from __future__ import annotations

import json
from typing import Any

import pytest

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.manifest import InvalidManifestError
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.oci.platform_image import (
    BaseConfig,
    read_base_config,
    read_config_triggers,
    read_platform_images,
)

AMD64, ARM64 = ImagePlatform("linux", "amd64"), ImagePlatform("linux", "arm64")


class Contents:
    """Manifests, indexes and configs by their digest, and what was read of them."""

    def __init__(self) -> None:
        self.by_digest: dict[str, bytes] = {}
        self.reads = 0

    def add(self, document: dict[str, Any], media_type: MediaType) -> dict[str, Any]:
        content = json.dumps(document).encode()
        self.by_digest[sha256_digest(content)] = content
        digest = sha256_digest(content)
        return {"mediaType": media_type.value, "digest": digest, "size": len(content)}

    def image(self, platform: str, *triggers: str) -> dict[str, Any]:
        system, architecture = platform.split("/")
        names = {"os": system, "architecture": architecture}
        config: dict[str, Any] = {**names, "config": {"OnBuild": list(triggers)}}
        document = {
            "schemaVersion": 2,
            "config": self.add(config, MediaType.OCI_IMAGE_CONFIG),
            "layers": [],
        }
        return {**self.add(document, MediaType.OCI_IMAGE_MANIFEST), "platform": names}

    def index(self, *manifests: dict[str, Any]) -> dict[str, Any]:
        document = {"schemaVersion": 2, "manifests": list(manifests)}
        return self.add(document, MediaType.OCI_IMAGE_INDEX)

    def read(self, descriptor: Descriptor) -> bytes:
        self.reads += 1
        return self.by_digest[descriptor.digest]


def root(entry: dict[str, Any]) -> Descriptor:
    return Descriptor(entry["mediaType"], entry["digest"], entry["size"])


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        pytest.param("linux/arm64", BaseConfig(("COPY arm /",), ARM64), id="own"),
        pytest.param("linux/amd64/v3", BaseConfig(("COPY amd /",), AMD64), id="processor"),
        pytest.param("linux/s390x", BaseConfig(), id="none"),
    ],
)
def test_of_an_index_the_image_for_the_platform_is_read(
    platform: str, expected: BaseConfig
) -> None:
    contents = Contents()
    amd64, arm64 = (
        contents.image(f"linux/{name}", f"COPY {name[:3]} /") for name in ("amd64", "arm64")
    )
    index = root(contents.index(amd64, arm64))
    wanted = ImagePlatform.parse(platform)
    assert read_base_config(index, wanted, contents.read) == expected
    assert contents.reads == (3 if expected.platform else 1)


def test_an_image_that_is_not_one_of_several_is_taken_whatever_it_is_for() -> None:
    contents = Contents()
    image = root(contents.image("linux/amd64", "RUN make"))
    found = read_base_config(image, ARM64, contents.read)
    assert found == BaseConfig(("RUN make",), AMD64)


def test_an_image_that_names_no_platform_has_none() -> None:
    contents = Contents()
    config = contents.add({"config": {}}, MediaType.OCI_IMAGE_CONFIG)
    manifest = {"schemaVersion": 2, "config": config, "layers": []}
    image = root(contents.add(manifest, MediaType.OCI_IMAGE_MANIFEST))
    assert read_base_config(image, ARM64, contents.read) == BaseConfig()


def test_indexes_in_indexes_end() -> None:
    contents = Contents()
    entry = contents.image("linux/amd64")
    for _ in range(6):
        entry = contents.index(entry)
    with pytest.raises(InvalidManifestError, match="too deeply"):
        read_base_config(root(entry), AMD64, contents.read)


def test_images_of_all_platforms_have_their_triggers() -> None:
    contents = Contents()
    index = contents.index(contents.image("linux/arm64", "RUN a"), contents.image("linux/amd64"))
    images = read_platform_images(root(index), contents.read)
    assert [(str(each.platform), each.triggers) for each in images] == [
        ("linux/amd64", ()),
        ("linux/arm64", ("RUN a",)),
    ]


@pytest.mark.parametrize("config", [b"{}", b'{"config": {}}', b'{"config": {"OnBuild": null}}'])
def test_most_images_trigger_nothing(config: bytes) -> None:
    assert read_config_triggers(config) == ()


@pytest.mark.parametrize("config", [b"[]", b'{"config": 1}', b'{"config": {"OnBuild": [1]}}'])
def test_a_config_of_another_shape_is_refused(config: bytes) -> None:
    with pytest.raises(InvalidManifestError, match="in its config"):
        read_config_triggers(config)
