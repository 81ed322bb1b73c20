from __future__ import annotations

import pytest

from pants_docker_buildkit.oci.digest import OciDigest, sha256_digest
from pants_docker_buildkit.oci.reference import (
    ImageReference,
    InvalidImageReferenceError,
    InvalidNameError,
    InvalidRegistryError,
    InvalidRepositoryNameError,
    InvalidTagError,
    parse_registry,
    parse_repository_name,
    parse_tag,
    read_registry,
)

DIGEST = sha256_digest(b"")


@pytest.mark.parametrize(
    "text",
    ["ghcr.io/org/app", "localhost:5000/app:1.0", f"ghcr.io/org/app@{DIGEST}", f"h:1/a:b@{DIGEST}"],
)
def test_a_parsed_reference_prints_as_it_was_written(text: str) -> None:
    assert str(ImageReference.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["ubuntu", "library/ubuntu:24.04", f"app@{DIGEST}", "", "app:5000"]
)
def test_parse_rejects_a_reference_without_registry(text: str) -> None:
    with pytest.raises(InvalidImageReferenceError, match="must name its registry"):
        ImageReference.parse(text)


def test_parse_assumes_no_tag() -> None:
    assert ImageReference.parse("ghcr.io/org/app").tag is None


@pytest.mark.parametrize(
    ("familiar", "meaning"),
    [
        ("ubuntu", "docker.io/library/ubuntu:latest"),
        ("ubuntu:24.04", "docker.io/library/ubuntu:24.04"),
        (f"ubuntu@{DIGEST}", f"docker.io/library/ubuntu@{DIGEST}"),
        ("org/app", "docker.io/org/app:latest"),
        ("index.docker.io/app:1", "docker.io/library/app:1"),
        ("localhost/app", "localhost/app:latest"),
        ("Host/app", "Host/app:latest"),
    ],
)
def test_parse_familiar_adds_what_docker_assumes(familiar: str, meaning: str) -> None:
    assert str(ImageReference.parse_familiar(familiar)) == meaning


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "ghcr.io/org/app@sha256:ab",
            "The image reference 'ghcr.io/org/app@sha256:ab' must have a sha256 digest: "
            "'sha256:ab' must be 'sha256:' followed by 64 lower-case hexadecimal characters.",
            id="digest",
        ),
        pytest.param(
            "ghcr.io/Org/app",
            "The image reference 'ghcr.io/Org/app' must have a valid repository name: "
            "'Org/app' must be in lower case.",
            id="upper case",
        ),
        pytest.param(
            "ghcr.io/org/app:",
            "The image reference 'ghcr.io/org/app:' must have a valid tag: '' must be "
            "at most 128 letters, digits, '_', '.' and '-', and not start with '.' or '-'.",
            id="tag",
        ),
        pytest.param(
            "https://me:secret@ghcr.io/org/app",
            "The image reference 'https://ghcr.io/org/app' must not start with a URL scheme.",
            id="scheme, and the password is not repeated",
        ),
    ],
)
def test_an_invalid_reference_says_which_part_is_wrong(text: str, message: str) -> None:
    with pytest.raises(InvalidImageReferenceError) as info:
        ImageReference.parse(text)
    assert str(info.value) == message


def test_pinned_keeps_the_tag_and_selects_the_content() -> None:
    pinned = ImageReference.parse("ghcr.io/org/app:1").pinned(DIGEST)
    assert pinned.is_pinned
    assert str(pinned) == f"ghcr.io/org/app:1@{DIGEST}"


def test_with_tag_unpins() -> None:
    reference = ImageReference("ghcr.io", "org/app", digest=OciDigest(DIGEST)).with_tag("2")
    assert not reference.is_pinned
    assert str(reference) == "ghcr.io/org/app:2"


@pytest.mark.parametrize(
    "text", ["ghcr.io", "localhost:5000", "[::1]:5000", "10.0.0.1", "localhost", "[::1]"]
)
def test_parse_registry_accepts_a_host_and_port(text: str) -> None:
    assert parse_registry(text) == text


@pytest.mark.parametrize("text", ["", "http://host", "host/path", "ho st", "host:port", "-a.io"])
def test_parse_registry_rejects_anything_else(text: str) -> None:
    with pytest.raises(InvalidRegistryError, match="must be a host name with an optional port"):
        parse_registry(text)


@pytest.mark.parametrize(
    ("text", "registry", "path"),
    [
        ("ghcr.io", "ghcr.io", ""),
        ("ghcr.io/", "ghcr.io", ""),
        ("https://ghcr.io", "ghcr.io", ""),
        ("https://localhost:5000/", "localhost:5000", ""),
        ("https://index.docker.io/v1/", "docker.io", ""),
        ("index.docker.io/org", "docker.io", "org"),
        ("https://us-docker.pkg.dev/project/repo/", "us-docker.pkg.dev", "project/repo"),
    ],
)
def test_read_registry_drops_what_means_nothing(text: str, registry: str, path: str) -> None:
    assert read_registry(text) == (registry, path)


@pytest.mark.parametrize(
    ("text", "requirement"),
    [
        ("http://ghcr.io", "have no 'http://'; a registry with plain HTTP needs the setting"),
        ("http://ghcr.io/org", "have no 'http://'"),
        ("my_registry:5000", "have no '_'"),
        ("dev", "have a '.' or a port: Docker takes 'dev/app' for one of docker.io"),
        ("ghcr.io:65536", "have a port up to 65535"),
        ("[::1]:65536", "have a port up to 65535"),
        ("https://", "be a host name"),
        ("ghcr.io//", "consist of lower-case letters"),
        ("ghcr.io/Org", "be in lower case"),
        ("dev/org", "have a '.' or a port"),
    ],
)
def test_read_registry_says_what_to_write(text: str, requirement: str) -> None:
    with pytest.raises(InvalidNameError) as raised:
        read_registry(text)
    assert raised.value.requirement.startswith(requirement)


def test_parse_registry_knows_docker_hub_by_both_names() -> None:
    assert parse_registry("index.docker.io") == "docker.io"


@pytest.mark.parametrize("text", ["", "a//b", "/a", "a/", "a b", "a..b", "-a", "a:b", "ä"])
def test_parse_repository_name_rejects_what_no_registry_takes(text: str) -> None:
    with pytest.raises(InvalidRepositoryNameError):
        parse_repository_name(text)


@pytest.mark.parametrize("text", ["", ".a", "-a", "a" * 129, "a b", "a/b", "ä", "a\n"])
def test_parse_tag_rejects_what_no_registry_takes(text: str) -> None:
    with pytest.raises(InvalidTagError, match="at most 128"):
        parse_tag(text)
