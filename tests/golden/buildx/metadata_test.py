"""Is what buildx 0.29 wrote read as it was meant? The documents are recorded, and shortened."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pants_docker_buildkit.buildx.metadata import parse_metadata

CASES = sorted((Path(__file__).parent / "metadata").glob("*.json"))


def test_there_are_cases() -> None:
    assert len(CASES) >= 4


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_what_buildx_wrote_is_read(case: Path) -> None:
    golden = json.loads(case.read_text("utf-8"))
    metadata = parse_metadata(json.dumps(golden["document"]))
    assert {
        "digest": metadata.digest,
        "media_type": metadata.media_type,
        "size": metadata.size,
        "config_digest": metadata.config_digest,
        "materials": [{"uri": each.uri, "digest": each.digest} for each in metadata.materials],
    } == golden["read"]
