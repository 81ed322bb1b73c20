from __future__ import annotations

import pytest

from pants_docker_buildkit.dockerfile.parser import parse_dockerfile
from pants_docker_buildkit.dockerfile.source_date_epoch import AmbiguousEpochError, find_epoch
from pants_docker_buildkit.dockerfile.stages import analyze
from pants_docker_buildkit.oci.image_platform import ImagePlatform

AMD64 = ImagePlatform.parse("linux/amd64")


def epoch(text: str) -> str | None:
    analysis = analyze(
        parse_dockerfile(text.encode()),
        build_args={},
        target_platform=AMD64,
        build_platform=AMD64,
    )
    return find_epoch(analysis)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("FROM a\n", None, id="nothing"),
        pytest.param("FROM a\nARG SOURCE_DATE_EPOCH\n", None, id="no default"),
        pytest.param("ARG SOURCE_DATE_EPOCH=7\nFROM a\n", "7", id="global"),
        pytest.param("ARG N=7\nARG SOURCE_DATE_EPOCH=$N\nFROM a\n", "7", id="expanded"),
        pytest.param("FROM a\nARG SOURCE_DATE_EPOCH=7\n", "7", id="of a stage"),
        pytest.param(
            "ARG SOURCE_DATE_EPOCH=7\nFROM a\nARG SOURCE_DATE_EPOCH\n", "7", id="inherited"
        ),
        pytest.param(
            "FROM a AS one\nARG SOURCE_DATE_EPOCH=7\nFROM b\nARG SOURCE_DATE_EPOCH=8\n",
            "8",
            id="of a stage that is reached",
        ),
        pytest.param("ARG SOURCE_DATE_EPOCH=context\nFROM a\n", "context", id="a name"),
    ],
)
def test_the_time_is_the_default_that_the_dockerfile_gives(text: str, expected: str | None) -> None:
    assert epoch(text) == expected


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        pytest.param(
            "FROM a AS one\nARG SOURCE_DATE_EPOCH=7\nFROM one\nARG SOURCE_DATE_EPOCH=8\n",
            "it sets 7 and 8",
            id="two stages",
        ),
        pytest.param(
            "ARG SOURCE_DATE_EPOCH=7\nFROM a\nARG SOURCE_DATE_EPOCH=8\n",
            "it sets 7 and 8",
            id="another one in a stage",
        ),
        pytest.param(
            "FROM a\nARG SOURCE_DATE_EPOCH=today\n",
            "a stage sets 'today', which is no number of seconds",
            id="a name in a stage",
        ),
        pytest.param(
            "FROM a\nARG SOURCE_DATE_EPOCH=$FROM_THE_BASE\n",
            "its default depends on what only the build knows",
            id="unknown",
        ),
    ],
)
def test_what_gives_no_single_time_is_refused(text: str, finding: str) -> None:
    with pytest.raises(AmbiguousEpochError) as raised:
        epoch(text)
    assert raised.value.finding == finding
