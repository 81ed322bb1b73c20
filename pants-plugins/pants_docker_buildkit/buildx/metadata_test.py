"""See also the documents that buildx wrote in `tests/golden/buildx/metadata`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pants_docker_buildkit.buildx.metadata import (
    BuildMaterial,
    InvalidMetadataError,
    parse_metadata,
    parse_provenance,
)

DIGEST, CONFIG, BASE = f"sha256:{'a' * 64}", f"sha256:{'c' * 64}", "b" * 64
PROVENANCE = {"materials": [{"uri": "pkg:docker/base@1", "digest": {"sha256": BASE}}]}
DOCUMENT: dict[str, Any] = {
    "containerimage.descriptor": {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": DIGEST,
        "size": 475,
    },
    "containerimage.config.digest": CONFIG,
    "buildx.build.provenance": PROVENANCE,
}


def without(*path: str) -> str:
    document = json.loads(json.dumps(DOCUMENT))
    part = document
    for key in path[:-1]:
        part = part[key]
    del part[path[-1]]
    return json.dumps(document)


def test_the_digest_to_pin_is_the_descriptors_and_not_the_configs() -> None:
    metadata = parse_metadata(json.dumps(DOCUMENT))
    assert (metadata.digest, metadata.config_digest, metadata.size) == (DIGEST, CONFIG, 475)


def test_an_index_has_no_config() -> None:
    assert parse_metadata(without("containerimage.config.digest")).config_digest is None


def test_of_an_index_that_was_merged_the_registry_says_more() -> None:
    index = b'{"mediaType": "application/vnd.oci.image.index.v1+json"}'
    text = json.dumps({"containerimage.digest": DIGEST})
    metadata = parse_metadata(text, lambda digest: index if digest == DIGEST else b"")
    assert (metadata.digest, metadata.config_digest, metadata.size) == (DIGEST, None, len(index))
    assert metadata.media_type == "application/vnd.oci.image.index.v1+json"
    with pytest.raises(InvalidMetadataError, match=r"containerimage\.descriptor"):
        parse_metadata(text)


def test_materials_of_several_platforms_are_merged_sorted_and_each_once() -> None:
    more = {"materials": [*PROVENANCE["materials"], {"uri": "a", "digest": {"sha256": BASE}}]}
    document = {
        **DOCUMENT,
        "buildx.build.provenance/linux/arm64": more,
        "buildx.build.provenance/linux/amd64": PROVENANCE,
    }
    assert parse_metadata(json.dumps(document)).materials == (
        BuildMaterial("a", f"sha256:{BASE}"),
        BuildMaterial("pkg:docker/base@1", f"sha256:{BASE}"),
    )


@pytest.mark.parametrize(
    ("reference", "found"),
    [("default/node0/abc", "abc"), ("abc", "abc"), ("", None), (None, None)],
)
def test_a_build_is_named_without_its_builder(reference: str | None, found: str | None) -> None:
    metadata = parse_metadata(json.dumps({**DOCUMENT, "buildx.build.ref": reference}))
    assert metadata.build_reference == found


@pytest.mark.parametrize(
    "predicate",
    [
        pytest.param(PROVENANCE, id="SLSA 0.2"),
        pytest.param(
            {"buildDefinition": {"resolvedDependencies": PROVENANCE["materials"]}}, id="SLSA 1"
        ),
    ],
)
def test_provenance_names_materials_in_two_forms(predicate: dict[str, Any]) -> None:
    materials = parse_provenance(json.dumps(predicate))
    assert materials == (BuildMaterial("pkg:docker/base@1", f"sha256:{BASE}"),)


@pytest.mark.parametrize("text", ["", "[]", '{"materials": 1}', '{"materials": [{"uri": "a"}]}'])
def test_provenance_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidMetadataError):
        parse_provenance(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("[]", id="list"),
        pytest.param("null", id="null"),
        pytest.param("{}", id="no-image"),
        pytest.param(without("containerimage.descriptor", "digest"), id="no-digest"),
        pytest.param(without("containerimage.descriptor", "size"), id="no-size"),
        pytest.param(json.dumps({**DOCUMENT, "containerimage.descriptor": DIGEST}), id="old-form"),
        pytest.param(
            json.dumps({**DOCUMENT, "buildx.build.provenance": {"materials": "x"}}),
            id="materials-are-no-list",
        ),
        pytest.param(
            json.dumps({**DOCUMENT, "buildx.build.provenance": {"materials": [{}]}}),
            id="material-without-digest",
        ),
    ],
)
def test_what_names_no_image_is_refused(text: str) -> None:
    with pytest.raises(InvalidMetadataError):
        parse_metadata(text)


def test_credentials_in_the_uri_of_a_material_are_left_out() -> None:
    material = {"uri": "https://me:s3cret@git.example/a.git", "digest": {"sha1": "0"}}
    (found,) = parse_provenance(json.dumps({"materials": [material]}))
    assert found.uri == "https://***@git.example/a.git"
