from __future__ import annotations

from pants_docker_buildkit.digests.build_digest import (
    DOMAIN,
    SCHEMA_VERSION,
    build_digest,
    encode_build,
)
from pants_docker_buildkit.digests.context_digest import DOMAIN as CONTEXT_DOMAIN
from pants_docker_buildkit.digests.encoding import Encodable, encode

DEFINITION: dict[str, Encodable] = {
    "stage": "app",
    "build_args": {"A": "1", "B": "2"},
    "platforms": ["linux/amd64"],
}


def test_build_is_encoded_with_its_domain_and_schema_version() -> None:
    assert encode_build(DEFINITION) == encode([DOMAIN, SCHEMA_VERSION, DEFINITION])


def test_build_and_context_never_share_an_encoding() -> None:
    assert DOMAIN != CONTEXT_DOMAIN


def test_order_of_the_definition_does_not_matter() -> None:
    other: dict[str, Encodable] = {
        "platforms": ["linux/amd64"],
        "build_args": {"B": "2", "A": "1"},
        "stage": "app",
    }
    assert build_digest(other) == build_digest(DEFINITION)


def test_digest_changes_with_every_part_of_the_definition() -> None:
    changed: list[dict[str, Encodable]] = [
        {**DEFINITION, "stage": None},
        {**DEFINITION, "stage": "ap"},
        {**DEFINITION, "build_args": {"A": "1"}},
        {**DEFINITION, "build_args": {"A": "12", "B": ""}},
        {**DEFINITION, "build_args": {"A": 1, "B": "2"}},
        {**DEFINITION, "platforms": []},
        {**DEFINITION, "platforms": "linux/amd64"},
        {**DEFINITION, "network": None},
    ]
    digests = {build_digest(definition) for definition in [DEFINITION, *changed]}
    assert len(digests) == 1 + len(changed)
