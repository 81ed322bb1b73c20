"""Whatever comes from outside is either understood or refused with the parser's own error."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.image_platform import ImagePlatform, InvalidImagePlatformError
from pants_docker_buildkit.oci.manifest import InvalidManifestError, parse_manifest
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.oci.platform_image import read_config_platform, read_platform_images
from pants_docker_buildkit.oci.reference import (
    ImageReference,
    InvalidImageReferenceError,
    InvalidNameError,
    parse_registry,
    parse_repository_name,
    parse_tag,
)
from pants_docker_buildkit.oci.testing.damage import JSON_PIECES, Edit, damage

REFERENCE_TEXTS = st.one_of(
    st.text(),
    st.from_regex(r"[a-zA-Z0-9.:/@_\[\]-]{0,40}(@sha256:[0-9a-f]{63,65})?", fullmatch=True),
)
MEMBERS = (
    *("schemaVersion", "mediaType", "config", "layers", "manifests", "digest", "size"),
    *("platform", "os", "architecture", "variant", "annotations", "subject"),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["sha256:" + "0" * 64, "application/vnd.oci.image.index.v1+json", 2]),
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=4), inner, max_size=6)
    ),
)


@given(REFERENCE_TEXTS)
def test_a_reference_is_refused_or_prints_as_something_that_means_the_same(text: str) -> None:
    try:
        reference = ImageReference.parse_familiar(text)
    except InvalidImageReferenceError:
        return
    assert ImageReference.parse(str(reference)) == reference


@given(st.one_of(st.text(), st.from_regex(r"[a-z0-9/().]{0,20}", fullmatch=True)))
def test_a_platform_is_refused_or_prints_as_something_that_means_the_same(text: str) -> None:
    try:
        platform = ImagePlatform.parse(text)
    except InvalidImagePlatformError:
        return
    assert ImagePlatform.parse(str(platform)) == platform


@given(st.one_of(st.binary(), DOCUMENTS.map(lambda value: json.dumps(value).encode())))
def test_a_manifest_is_refused_or_read(content: bytes) -> None:
    with contextlib.suppress(InvalidManifestError):
        parse_manifest(content)
    with contextlib.suppress(InvalidManifestError):
        read_config_platform(content)


BLOB = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": "sha256:" + "0" * 64}
MANIFEST = {"schemaVersion": 2, "config": {**BLOB, "size": 2}, "layers": [{**BLOB, "size": 3}]}
INDEX = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "manifests": [
        {**BLOB, "size": 9, "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}},
        {**BLOB, "size": 9, "annotations": {"vnd.docker.reference.type": "attestation-manifest"}},
    ],
}
CONFIG = {"os": "linux", "architecture": "amd64", "variant": "v2"}
EDITS = st.lists(
    st.tuples(
        st.integers(0, 6), st.integers(0, 900), st.integers(0, 40), st.sampled_from(JSON_PIECES)
    ),
    min_size=1,
    max_size=6,
)


@given(st.sampled_from([MANIFEST, INDEX, CONFIG]), EDITS)
def test_a_manifest_that_was_damaged_is_refused_or_read(sample: object, edits: list[Edit]) -> None:
    content = damage(json.dumps(sample).encode(), edits)
    try:
        parse_manifest(content)
        read_config_platform(content)
    except InvalidManifestError as e:
        str(e).encode()


@given(st.text())
@pytest.mark.parametrize("parse", [parse_registry, parse_repository_name, parse_tag])
def test_a_name_is_refused_or_taken_as_it_is(parse: Callable[[str], str], text: str) -> None:
    with contextlib.suppress(InvalidNameError):
        assert set(parse(text)) <= {*text, *"docker.io"}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"[" * 100_000, id="deep nesting"),
        pytest.param(b'{"a":' * 100_000, id="deep objects"),
        pytest.param(b'{"schemaVersion": 2, "size": NaN}', id="NaN"),
        pytest.param(b'{"schemaVersion": ' + b"9" * 5000 + b"}", id="huge number"),
        pytest.param(b'{"schemaVersion": 2, "schemaVersion": 2}', id="member twice"),
        pytest.param(b'{"mediaType": "\\ud800"}', id="half a character"),
        pytest.param('{"mediaType": "a"}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"mediaType": "\xed\xa0\x80"}', id="bytes that are no text"),
    ],
)
def test_json_that_readers_understand_differently_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidManifestError, match="it must be JSON"):
        parse_manifest(content)


def test_indexes_that_list_each_other_many_times_are_read_once() -> None:
    content: dict[str, bytes] = {}

    def add(document: object, media_type: MediaType) -> Descriptor:
        written = json.dumps(document).encode()
        digest = sha256_digest(written)
        content[digest] = written
        return Descriptor(media_type, digest, len(written))

    def refer(child: Descriptor) -> dict[str, object]:
        return {"mediaType": child.media_type, "digest": child.digest, "size": child.size}

    config = refer(add(CONFIG, MediaType.OCI_IMAGE_CONFIG))
    manifest = {"schemaVersion": 2, "config": config}
    root = add(manifest, MediaType.OCI_IMAGE_MANIFEST)
    for _ in range(4):
        index = {"schemaVersion": 2, "manifests": [refer(root)] * 100}
        root = add(index, MediaType.OCI_IMAGE_INDEX)
    images = read_platform_images(root, lambda descriptor: content[descriptor.digest])
    assert len(images) == 100
