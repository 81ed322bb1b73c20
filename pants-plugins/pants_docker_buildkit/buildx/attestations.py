"""What `--attest` says: which attestations BuildKit puts into the index of an image.

https://docs.docker.com/build/metadata/attestations/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pants_docker_buildkit.buildx.attributes import (
    InvalidAttributesError,
    parse_cache_attributes,
    render_attributes,
)

PROVENANCE, SBOM = "provenance", "sbom"

_GENERATOR = "generator"
_SCANNER = "docker.io/docker/buildkit-syft-scanner:stable-1"
"""What BuildKit takes for itself (`DefaultSBOMGenerator`), whatever its version."""


def parse_attestations(texts: Iterable[str]) -> tuple[str, ...]:
    """The attributes of each kind of attestation, sorted, with what buildx takes for granted.

    Raises `InvalidAttributesError`.
    """
    found: dict[str, str] = {}
    for text in texts:
        attributes = dict(_parse(text))
        kind = attributes.pop("type")
        if kind not in (PROVENANCE, SBOM):
            raise InvalidAttributesError(text, f"have the type '{PROVENANCE}' or '{SBOM}'")
        if kind in found:
            raise InvalidAttributesError(text, f"be the only one of the type {kind!r}")
        if kind == SBOM:
            attributes.setdefault(_GENERATOR, _SCANNER)
        found[kind] = render_attributes([("type", kind), *sorted(attributes.items())])
    return tuple(each for _, each in sorted(found.items()))


def scanner_image(attestations: Iterable[str]) -> str | None:
    """The image that makes SBOMs; `None` where none are made."""
    for each in attestations:
        attributes = parse_cache_attributes(each)
        if attributes["type"] == SBOM:
            return attributes[_GENERATOR]
    return None


def _parse(text: str) -> Mapping[str, str]:
    if "type=" not in text:
        raise InvalidAttributesError(text, "have a type, as in 'type=provenance,mode=max'")
    attributes = parse_cache_attributes(text)
    if "disabled" in attributes:
        raise InvalidAttributesError(text, "be left out in place of `disabled`")
    return attributes
