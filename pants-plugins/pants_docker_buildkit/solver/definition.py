"""What is built: everything that can change the image, and nothing else.

The rules make a definition and hash it into the `build_digest`; the build process reads it as
JSON. Where a build runs, who pays for it and what its result is called is not in it.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any, Optional

from pants_docker_buildkit.oci.json_values import decode_written

SCHEMA_VERSION = 2


IMAGE_SCHEME = "docker-image://"
GIT_SCHEME = "git://"

# What Git calls a commit, in SHA-1 or SHA-256, before a directory.
_COMMIT = re.compile(r"#([0-9a-f]{40}|[0-9a-f]{64})(?::|$)")

ARTIFACTS_OUTPUT = "files"
"""The output of a build that leaves files, and no image."""

TAR_OUTPUT = "tar"
"""The output of a build that leaves its root file system in one file, and no image."""


class ContextKind(str, Enum):
    """What a named build context stands for."""

    FILES = "files"
    IMAGE = "image"
    LAYOUT = "layout"
    GIT = "git"
    URL = "url"


@dataclass(frozen=True, order=True)
class NamedContext:
    """A named build context.

    `value` is what it names: for `files` nothing, because the context digest covers them; for
    `layout` the digest of its image; for `image` a reference, for `git` and `url` a URL, all of
    which are pinned as sources. `directory` is where files and layouts lie in the input tree.
    """

    name: str
    kind: ContextKind
    value: str = ""
    directory: str = ""

    def source(self, contexts: Path) -> str:
        """As buildx takes it, where files lie in the directory `contexts`."""
        if self.kind is ContextKind.IMAGE:
            return f"{IMAGE_SCHEME}{self.value}"
        if self.kind is ContextKind.LAYOUT:
            return f"oci-layout://{self.directory}@{self.value}"
        return str(contexts / self.directory) if self.kind is ContextKind.FILES else self.value


@dataclass(frozen=True, order=True)
class PinnedSource:
    """Something outside of the repository that the build may read, and exactly what it gives.

    `identifier` is BuildKit's name for what the Dockerfile names:
    `docker-image://docker.io/library/node:latest`, `https://…`, `git://HOST/PATH#REF`. `pinned` is
    what is read in its place: the image by digest, the repository by commit, the URL itself. Its
    `checksum` is the sha256 of a URL's content, or the commit that a Git reference must be.
    """

    identifier: str
    pinned: str
    checksum: str = ""

    @property
    def commit(self) -> str:
        """What is read of a Git repository."""
        found = _COMMIT.search(self.pinned)
        return found[1] if found else self.checksum

    @classmethod
    def image(cls, reference: str, pinned: str) -> PinnedSource:
        """The image that `pinned`, a reference with a digest, names in place of `reference`.

        Both are spelled out: they have a registry, and a tag or a digest.
        """
        return cls(f"{IMAGE_SCHEME}{reference}", f"{IMAGE_SCHEME}{pinned}")


@dataclass(frozen=True)
class BuildDefinition:
    """A whole build, as BuildKit will see it.

    `dockerfile` is the sha256 of the Dockerfile's bytes in hex, `context` the digest of the build
    context with the named contexts that are files. `context_paths` are all that BuildKit may ask
    for of the build context, with wildcards; `None` where it may ask for anything. `sources` are
    all that BuildKit may read from outside, frontend included: it refuses anything else. `policies`
    are files in Rego that may refuse more, in the order in which they are asked: where each lies in
    the input tree, and its sha256 in hex. `secret_hashes` are keyed hashes of the content of those
    secrets whose content counts. `build_platforms` says of each platform which one its builder must
    have, where the Dockerfile uses that and no build argument can say it. Where nobody named the
    one of `platforms`, and the image is based on one for another, it gets that, which is
    `platform_of_base`. All other pairs are sorted by their first item. `attestations` are rendered
    attributes, sorted. `output_files` and `output_directories` are what is kept of the stage in
    place of an image, for `output="files"`.
    """

    dockerfile: str
    context: str
    platforms: tuple[str, ...]
    output: str
    context_paths: Optional[tuple[str, ...]] = None
    target_stage: Optional[str] = None
    named_contexts: tuple[NamedContext, ...] = ()
    sources: tuple[PinnedSource, ...] = ()
    policies: tuple[tuple[str, str], ...] = ()
    build_args: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    secret_ids: tuple[str, ...] = ()
    secret_hashes: tuple[tuple[str, str], ...] = ()
    ssh_ids: tuple[str, ...] = ()
    network: Optional[str] = None
    extra_hosts: tuple[tuple[str, str], ...] = ()
    shm_size: Optional[str] = None
    ulimits: tuple[tuple[str, str], ...] = ()
    entitlements: tuple[str, ...] = ()
    no_cache: bool = False
    inline_cache: bool = False
    build_platforms: tuple[tuple[str, str], ...] = ()
    platform_of_base: Optional[str] = None
    reproducible: bool = False
    compression: Optional[str] = None
    compression_level: Optional[int] = None
    force_compression: bool = False
    attestations: tuple[str, ...] = ()
    output_files: tuple[str, ...] = ()
    output_directories: tuple[str, ...] = ()

    def as_map(self) -> dict[str, Any]:
        """The definition in the types of JSON, from which the `build_digest` is taken."""
        document = {each.name: getattr(self, each.name) for each in fields(self)}
        document["named_contexts"] = tuple(
            {**asdict(each), "kind": each.kind.value} for each in self.named_contexts
        )
        document["sources"] = tuple(asdict(each) for each in self.sources)
        if self.platform_of_base is None:
            # So no other image is built again for it.
            del document["platform_of_base"]
        return document


@dataclass(frozen=True)
class BuildJob:
    """What the build process is to do: a definition, and the repositories the image goes to.

    `build_digest` is that of the definition. `repositories` are `registry/repository` names, or one
    repository name without a registry for `output="docker"`. They are in the process's key, because
    its result is only true of them.
    """

    build_digest: str
    definition: BuildDefinition
    repositories: tuple[str, ...]

    def to_json(self) -> bytes:
        """The same bytes for equal jobs."""
        document = {
            "schema": SCHEMA_VERSION,
            "build_digest": self.build_digest,
            "definition": self.definition.as_map(),
            "repositories": list(self.repositories),
        }
        return json.dumps(document, indent=1, sort_keys=True).encode()


def parse_job(text: bytes) -> BuildJob:
    """The job that `BuildJob.to_json` wrote. Raises `InvalidJsonError`."""
    return decode_written(BuildJob, text)
