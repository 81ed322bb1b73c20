"""Parse, print and pin `registry/repository[:tag][@digest]`.

The grammar is that of https://pkg.go.dev/github.com/distribution/reference, which Docker and
BuildKit use, restricted to sha256 digests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pants_docker_buildkit.oci.digest import InvalidOciDigestError, OciDigest, parse_oci_digest
from pants_docker_buildkit.oci.invalid_text import InvalidTextError

DOCKER_HUB = "docker.io"
DEFAULT_TAG = "latest"
MAX_REPOSITORY_LENGTH = 255

_HIGHEST_PORT = 65535
_LEGACY_DOCKER_HUB = "index.docker.io"
_DOCKER_HUB_ENDPOINT = f"{_LEGACY_DOCKER_HUB}/v1"
_OFFICIAL_NAMESPACE = "library/"

_HOST_COMPONENT = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_REGISTRY = re.compile(
    rf"(?:{_HOST_COMPONENT}(?:\.{_HOST_COMPONENT})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
)
_PATH_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PATH_COMPONENT}(?:/{_PATH_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_CONFIG_DIGEST = re.compile(r"[a-f0-9]{64}")
_USER_INFO = re.compile(r"(?<=://)[^/@]*@")


class InvalidNameError(InvalidTextError):
    """Text that should name a registry, repository, tag or image does not."""

    noun = "name"

    def __init__(self, text: str, requirement: str) -> None:
        super().__init__(_USER_INFO.sub("", text), requirement)


class InvalidRegistryError(InvalidNameError):
    """Text that should be a registry's host name and port is not."""

    noun = "registry"


class InvalidRepositoryNameError(InvalidNameError):
    """Text that should be a repository's path in its registry is not."""

    noun = "repository name"


class InvalidTagError(InvalidNameError):
    """Text that should be a tag is not."""

    noun = "tag"


class InvalidImageReferenceError(InvalidNameError):
    """Text that should be an image reference is not."""

    noun = "image reference"


def parse_registry(text: str) -> str:
    """`text` as a registry: a host name or address and maybe a port, no scheme and no path."""
    if not _REGISTRY.fullmatch(text):
        if _REGISTRY.fullmatch(text.replace("_", "-")):
            requirement = "have no '_', which Docker takes in no host name: use another name of it"
            raise InvalidRegistryError(text, requirement)
        requirement = "be a host name with an optional port, as in 'ghcr.io' or 'localhost:5000'"
        raise InvalidRegistryError(text, requirement)
    if not looks_like_registry(text):
        requirement = f"have a '.' or a port: Docker takes '{text}/app' for one of {DOCKER_HUB}"
        raise InvalidRegistryError(text, requirement)
    port = text.rpartition("]")[2].partition(":")[2]
    if port and int(port) > _HIGHEST_PORT:
        raise InvalidRegistryError(text, f"have a port up to {_HIGHEST_PORT}")
    return DOCKER_HUB if text == _LEGACY_DOCKER_HUB else text


def read_registry(text: str) -> tuple[str, str]:
    """The registry in `text`, as people write it, and the path in it, which may be empty.

    With a path, as `ghcr.io/org` has one, all repositories are below it, as for `docker_image`.
    `https://` before a registry is dropped, and so is a `/` after it. Plain HTTP is a setting.
    """
    address = text.removeprefix("https://").removesuffix("/")
    if address == _DOCKER_HUB_ENDPOINT:
        return DOCKER_HUB, ""
    if address.startswith("http://"):
        requirement = "have no 'http://'; a registry with plain HTTP needs the setting `insecure`"
        raise InvalidRegistryError(text, requirement)
    host, slash, path = address.partition("/")
    return parse_registry(host), parse_repository_name(path) if slash else ""


def parse_repository_name(text: str) -> str:
    """`text` as a repository: its path in a registry, without the registry."""
    if text != text.lower():
        raise InvalidRepositoryNameError(text, "be in lower case")
    if not _REPOSITORY.fullmatch(text):
        requirement = (
            "consist of lower-case letters and digits, separated by '/', '-', '.', '_' or '__'"
        )
        raise InvalidRepositoryNameError(text, requirement)
    if len(text) > MAX_REPOSITORY_LENGTH:
        raise InvalidRepositoryNameError(text, f"not exceed {MAX_REPOSITORY_LENGTH} characters")
    return text


def parse_tag(text: str) -> str:
    """`text` as a tag: what stands after the colon of a reference."""
    if not _TAG.fullmatch(text):
        requirement = (
            "be at most 128 letters, digits, '_', '.' and '-', and not start with '.' or '-'"
        )
        raise InvalidTagError(text, requirement)
    return text


@dataclass(frozen=True)
class ImageReference:
    """Where an image lives: a registry, a repository in it, and at most one tag and one digest.

    With a digest, the reference is *pinned*: the digest alone selects the content, and the tag is
    kept for people to read. Made by `create` or one of the parsers, all its parts are valid.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: OciDigest | None = None

    @classmethod
    def create(
        cls, registry: str, repository: str, *, tag: str | None = None, digest: str | None = None
    ) -> ImageReference:
        """A reference made of these parts, each of which is checked."""
        return cls(
            parse_registry(registry),
            parse_repository_name(repository),
            None if tag is None else parse_tag(tag),
            None if digest is None else parse_oci_digest(digest),
        )

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """The reference that `text` spells out. It must name its registry; no tag is assumed."""
        first, slash, _ = text.partition("/")
        if not (slash and looks_like_registry(first)) and "://" not in text:
            example = f"as in '{DOCKER_HUB}/library/ubuntu:24.04'"
            raise InvalidImageReferenceError(text, f"name its registry, {example}")
        return cls._parse(text, default_tag=None)

    @classmethod
    def parse_familiar(cls, text: str) -> ImageReference:
        """The reference that Docker understands by `text`.

        `ubuntu` is `docker.io/library/ubuntu:latest`: where `text` has no registry, Docker Hub is
        meant, and where it has neither tag nor digest, the tag `latest`.
        """
        return cls._parse(text, default_tag=DEFAULT_TAG)

    @classmethod
    def _parse(cls, text: str, default_tag: str | None) -> ImageReference:
        if "://" in text:
            raise InvalidImageReferenceError(text, "not start with a URL scheme")
        if _CONFIG_DIGEST.fullmatch(text):
            raise InvalidImageReferenceError(text, "name a repository, not an image ID")
        registry, remainder = _split_registry(text)
        name_and_tag, at, digest = remainder.partition("@")
        repository, colon, tag = name_and_tag.partition(":")
        assumed_tag = None if at else default_tag
        if registry == DOCKER_HUB and "/" not in repository:
            repository = _OFFICIAL_NAMESPACE + repository
        try:
            return cls.create(
                registry,
                repository,
                tag=tag if colon else assumed_tag,
                digest=digest if at else None,
            )
        except (InvalidNameError, InvalidOciDigestError) as e:
            kind = "sha256" if isinstance(e, InvalidOciDigestError) else "valid"
            written = e.text if e.text in text else e.text.removeprefix(_OFFICIAL_NAMESPACE)
            requirement = f"have a {kind} {e.noun}: {written!r} must {e.requirement}"
            raise InvalidImageReferenceError(text, requirement) from e

    @property
    def name(self) -> str:
        """Registry and repository, as `docker.io/library/ubuntu`."""
        return f"{self.registry}/{self.repository}"

    @property
    def is_pinned(self) -> bool:
        """Whether a digest selects the content, so that it can never be another."""
        return self.digest is not None

    def pinned(self, digest: OciDigest) -> ImageReference:
        """The same reference, its content selected by `digest`; a tag stays for people to read."""
        return replace(self, digest=digest)

    def with_tag(self, tag: str) -> ImageReference:
        """The same repository under `tag`, and no longer pinned."""
        return replace(self, tag=parse_tag(tag), digest=None)

    @property
    def familiar(self) -> str:
        """The reference as people write it: Docker Hub and its `library/` are left out."""
        text = str(self)
        if self.registry == DOCKER_HUB and not looks_like_registry(self.repository.split("/")[0]):
            text = text.removeprefix(f"{DOCKER_HUB}/")
            repository = self.repository.removeprefix(_OFFICIAL_NAMESPACE)
            if "/" not in repository:
                text = text.removeprefix(_OFFICIAL_NAMESPACE)
        return text

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return f"{self.name}{tag}{digest}"


def looks_like_registry(component: str) -> bool:
    """Whether Docker takes the first of several path components as a host name."""
    return (
        component == "localhost"
        or "." in component
        or ":" in component
        or component != component.lower()
    )


def _split_registry(text: str) -> tuple[str, str]:
    first, slash, remainder = text.partition("/")
    if slash and looks_like_registry(first):
        return DOCKER_HUB if first == _LEGACY_DOCKER_HUB else first, remainder
    return DOCKER_HUB, text
