from __future__ import annotations

import json

import pytest

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.manifest import (
    ImageIndex,
    ImageManifest,
    InvalidManifestError,
    parse_manifest,
)
from pants_docker_buildkit.oci.media_types import MediaType

CONFIG = {
    "mediaType": "application/vnd.oci.image.config.v1+json",
    "digest": sha256_digest(b"config"),
    "size": 6,
}
LAYER = {
    "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
    "digest": sha256_digest(b"layer"),
    "size": 5,
}
IMAGE = {"schemaVersion": 2, "config": CONFIG, "layers": [LAYER]}
AMD64 = {
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "digest": sha256_digest(b"amd64"),
    "size": 5,
    "platform": {"os": "linux", "architecture": "amd64"},
}
ATTESTATION = {
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "digest": sha256_digest(b"attestation"),
    "size": 11,
    "annotations": {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": AMD64["digest"],
    },
    "platform": {"os": "unknown", "architecture": "unknown"},
}
INDEX = {"schemaVersion": 2, "manifests": [AMD64, ATTESTATION]}


def encode(document: object) -> bytes:
    return json.dumps(document).encode()


def test_an_image_may_have_no_layers() -> None:
    assert parse_manifest(encode({**IMAGE, "layers": None})).children == (
        parse_manifest(encode({**IMAGE, "layers": []})).children
    )


def test_an_image_manifest_gives_config_and_layers_in_order() -> None:
    manifest = parse_manifest(encode({**IMAGE, "layers": [LAYER, LAYER, CONFIG]}))
    assert isinstance(manifest, ImageManifest)
    assert manifest.media_type == MediaType.OCI_IMAGE_MANIFEST
    assert manifest.config == Descriptor(CONFIG["mediaType"], CONFIG["digest"], 6)  # type: ignore[arg-type]
    assert [each.size for each in manifest.layers] == [5, 5, 6]
    assert manifest.children == (manifest.config, *manifest.layers)


def test_an_image_index_gives_manifests_with_platforms() -> None:
    index = parse_manifest(encode(INDEX))
    assert isinstance(index, ImageIndex)
    assert index.manifests[0].platform == ImagePlatform("linux", "amd64")


def test_an_image_index_may_list_nothing() -> None:
    for nothing in ("null", "[]"):
        listed = f'{{"schemaVersion": 2, "manifests": {nothing}}}'.encode()
        assert parse_manifest(listed, MediaType.OCI_IMAGE_INDEX).children == ()


def test_an_image_index_tells_attestations_from_images() -> None:
    index = parse_manifest(encode(INDEX))
    assert isinstance(index, ImageIndex)
    assert index.images == index.manifests[:1]
    assert [each.is_attestation for each in index.manifests] == [False, True]


@pytest.mark.parametrize("media_type", [None, MediaType.DOCKER_MANIFEST_LIST])
def test_docker_media_types_are_understood(media_type: str | None) -> None:
    written = {"mediaType": "application/vnd.docker.distribution.manifest.list.v2+json"}
    manifest = parse_manifest(encode({**INDEX, **written}), media_type)
    assert manifest.media_type == MediaType.DOCKER_MANIFEST_LIST


@pytest.mark.parametrize(
    ("document", "media_type", "finding"),
    [
        pytest.param(b"", None, "it must be JSON", id="empty"),
        pytest.param(b"\xff", None, "it must be JSON", id="not text"),
        pytest.param(b"[" * 100_000, None, "it must be JSON", id="nested without end"),
        pytest.param(b"[]", None, "it must be a JSON object", id="array"),
        pytest.param(encode({**IMAGE, "schemaVersion": 1}), None, "schema version 2", id="old"),
        pytest.param(
            encode({**IMAGE, "manifests": []}), None, "both layers and manifests", id="ambiguous"
        ),
        pytest.param(
            encode({**IMAGE, "mediaType": "text/html"}), None, "media type is text/html", id="other"
        ),
        pytest.param(
            encode({**IMAGE, "mediaType": str(MediaType.OCI_IMAGE_MANIFEST)}),
            str(MediaType.DOCKER_MANIFEST),
            "should be application/vnd.docker.distribution.manifest.v2",
            id="server and content disagree",
        ),
        pytest.param(
            encode(IMAGE), str(MediaType.OCI_IMAGE_INDEX), "content is not that of", id="kind"
        ),
        pytest.param(
            encode({**IMAGE, "config": {**CONFIG, "size": -1}}), None, "'size' must be", id="size"
        ),
        pytest.param(
            encode({**IMAGE, "config": {**CONFIG, "size": True}}), None, "'size' must be", id="bool"
        ),
        pytest.param(
            encode({**IMAGE, "config": {**CONFIG, "digest": "sha256:ab"}}),
            None,
            "The digest 'sha256:ab' must be",
            id="digest",
        ),
        pytest.param(encode({**IMAGE, "layers": {}}), None, "'layers' must be an array", id="map"),
        pytest.param(
            encode({**IMAGE, "layers": ["x"]}), None, r"'layers'\[0\] must be", id="element"
        ),
        pytest.param(
            encode({**IMAGE, "annotations": {"a": 1}}), None, "'annotations'.'a' must", id="pairs"
        ),
    ],
)
def test_a_manifest_that_is_not_sound_is_refused(
    document: bytes, media_type: str | None, finding: str
) -> None:
    with pytest.raises(InvalidManifestError, match=finding):
        parse_manifest(document, media_type)
