"""What a cache, buildx or an older version wrote is understood, or refused with our own error."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pants_docker_buildkit.buildx.attributes import InvalidAttributesError, parse_cache_attributes
from pants_docker_buildkit.buildx.builder import InvalidBuilderError, parse_builder
from pants_docker_buildkit.buildx.metadata import (
    BuildMaterial,
    InvalidMetadataError,
    parse_metadata,
    parse_provenance,
)
from pants_docker_buildkit.image_record import ImageRecord
from pants_docker_buildkit.oci.digest import parse_oci_digest
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.platform_image import PlatformImage
from pants_docker_buildkit.oci.testing.damage import JSON_PIECES, Edit, damage
from pants_docker_buildkit.plans.build_history import (
    history_path,
    read_past_build,
    read_past_inputs,
    write_past_build,
)
from pants_docker_buildkit.plans.build_inputs import BuildInputs
from pants_docker_buildkit.plans.reasons import explain_build
from pants_docker_buildkit.solver.failure import summarize_failure
from pants_docker_buildkit.solver.result import (
    BuildResult,
    InvalidBuildResultError,
    parse_build_result,
)

BUILD = "blake3:" + "1" * 64
DIGEST = parse_oci_digest("sha256:" + "a" * 64)
RESULT = BuildResult(
    build_digest=BUILD,
    digest=DIGEST,
    media_type="application/vnd.oci.image.index.v1+json",
    size=855,
    platforms=(
        PlatformImage(ImagePlatform.parse("linux/amd64"), DIGEST, DIGEST),
        PlatformImage(ImagePlatform.parse("linux/arm/v7"), DIGEST, DIGEST),
    ),
    materials=(BuildMaterial("pkg:docker/base@1", "sha256:" + "d" * 64),),
)
METADATA = json.dumps(
    {
        "containerimage.descriptor": {"mediaType": "m", "digest": DIGEST, "size": 4},
        "containerimage.config.digest": DIGEST,
        "buildx.build.ref": "default/default/abc",
        "buildx.build.provenance/linux/amd64": {
            "materials": [{"uri": "pkg:docker/a@1", "digest": {"sha256": "0"}}]
        },
    }
).encode()
PROVENANCE = (
    b'{"buildDefinition": {"resolvedDependencies": [{"uri": "a", "digest": {"sha256": "0"}}]}}'
)
BUILDER = b"Name: default\nDriver: docker\n\nNodes:\nName: default\nEndpoint: default\nError: no\n"
PAST = BuildInputs(BUILD, {"context": "a", "sources": {"b": "c d"}}, ("1",), {"a": "b"})

EDITS = st.lists(
    st.tuples(
        st.integers(0, 6), st.integers(0, 1200), st.integers(0, 40), st.sampled_from(JSON_PIECES)
    ),
    min_size=1,
    max_size=6,
)


@given(EDITS)
def test_a_cached_result_that_was_damaged_is_refused_or_a_result(edits: list[Edit]) -> None:
    content = damage(RESULT.to_json().encode(), edits)
    try:
        result = parse_build_result(content, BUILD, 2)
    except InvalidBuildResultError as e:
        str(e).encode()
        return
    assert parse_build_result(result.to_json().encode(), BUILD, 2) == result
    assert result.size >= 0
    ImageRecord("a:b", "blake3:" + "c" * 64, result, ("reg.io/a",)).to_json()


@given(st.sampled_from([METADATA, PROVENANCE]), EDITS)
def test_what_buildx_says_of_a_build_is_read_or_refused(sample: bytes, edits: list[Edit]) -> None:
    text = damage(sample, edits).decode("utf-8", "replace")
    parsers: tuple[Callable[[str], object], ...] = (parse_metadata, parse_provenance)
    for parse in parsers:
        with contextlib.suppress(InvalidMetadataError):
            parse(text)


@given(EDITS)
def test_what_buildx_says_of_a_builder_is_read_or_refused(edits: list[Edit]) -> None:
    with contextlib.suppress(InvalidBuilderError):
        assert parse_builder(damage(BUILDER, edits).decode("utf-8", "replace")).name is not None


@given(EDITS)
def test_a_history_that_was_damaged_explains_less(edits: list[Edit]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = history_path(Path(directory), "/checkout", "a:b")
        write_past_build(path, PAST, 1.0)
        path.write_bytes(damage(path.read_bytes(), edits))
        now = BuildInputs("blake3:" + "2" * 64, {"context": "b", "labels": {}}, (), {"a": "c"})
        assert explain_build(read_past_inputs(path), now)
        past = read_past_build(path)
        assert past is None or past.build_digest


@pytest.mark.parametrize("parse", [parse_metadata, parse_provenance])
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "1e999", "9" * 5000, "null"])
def test_what_buildx_says_may_be_nonsense(parse, text: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidMetadataError):
        parse(text)


@given(st.text() | st.text(alphabet='type=registry,ref"\\\0\n\r '))
def test_any_cache_has_attributes_or_is_refused(text: str) -> None:
    with contextlib.suppress(InvalidAttributesError):
        assert "type" in parse_cache_attributes(text)


@given(st.text() | st.lists(st.sampled_from(["------\n", " > ", "\x1b[", "m", "a\n"])).map("".join))
def test_any_output_of_a_failed_build_has_a_summary(output: str) -> None:
    assert "\x1b[1m" not in summarize_failure(output, 1)
