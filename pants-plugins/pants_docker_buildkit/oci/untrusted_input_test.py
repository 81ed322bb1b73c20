"""Whatever comes from outside is either understood or refused with the parser's own error."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st

from pants_docker_buildkit.oci.image_platform import ImagePlatform, InvalidImagePlatformError
from pants_docker_buildkit.oci.manifest import InvalidManifestError, parse_manifest
from pants_docker_buildkit.oci.platform_image import read_config_platform
from pants_docker_buildkit.oci.reference import ImageReference, InvalidImageReferenceError

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
