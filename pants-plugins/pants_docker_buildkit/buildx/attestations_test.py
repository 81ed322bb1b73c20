from __future__ import annotations

import pytest

from pants_docker_buildkit.buildx.attestations import parse_attestations, scanner_image
from pants_docker_buildkit.buildx.attributes import InvalidAttributesError

SCANNER = "docker.io/docker/buildkit-syft-scanner:stable-1"


def test_attestations_have_one_order_and_a_scanner() -> None:
    asked = parse_attestations(["type=sbom", "version=v1,type=provenance,mode=max"])
    assert asked == ("type=provenance,mode=max,version=v1", f"type=sbom,generator={SCANNER}")
    assert scanner_image(asked) == SCANNER
    assert scanner_image(asked[:1]) is None
    assert scanner_image(parse_attestations(["type=sbom,generator=a:1"])) == "a:1"
    assert parse_attestations(()) == ()


@pytest.mark.parametrize(
    ("texts", "requirement"),
    [
        (["mode=max"], "have a type"),
        (["provenance"], "have a type"),
        (["type=vex"], "have the type 'provenance' or 'sbom'"),
        (["type=sbom", "type=sbom,generator=a"], "be the only one of the type 'sbom'"),
        (["type=provenance,disabled=true"], "be left out in place of `disabled`"),
        (["type=provenance,max"], "consist of key=value pairs"),
    ],
)
def test_what_is_no_attestation_is_refused(texts: list[str], requirement: str) -> None:
    with pytest.raises(InvalidAttributesError, match=requirement):
        parse_attestations(texts)
