"""What are the files of a `docker_buildkit_manifests` target with references in place?"""

from __future__ import annotations

import os
from dataclasses import dataclass

from pants.core.goals.package import PackageFieldSet
from pants.core.goals.run import RunFieldSet, RunInSandboxBehavior
from pants.engine.target import (
    HydrateSourcesRequest,
    InferDependenciesRequest,
    InferredDependencies,
)

from pants_docker_buildkit.compat import get_digest_contents, hydrate_sources, implicitly, rule
from pants_docker_buildkit.errors import InvalidImageFieldError
from pants_docker_buildkit.fields.manifests import (
    BuildKitManifestsOutputPathField,
    BuildKitManifestsSourcesField,
)
from pants_docker_buildkit.references.yaml_file import InvalidYamlFileError, YamlFile
from pants_docker_buildkit.util_rules.referenced_images import (
    ImageMention,
    MentionedTargetsRequest,
    find_mentioned_images,
    pin_images,
)


@dataclass(frozen=True)
class ManifestsFieldSet(PackageFieldSet, RunFieldSet):
    """A `docker_buildkit_manifests` target."""

    required_fields = (BuildKitManifestsSourcesField,)
    run_in_sandbox_behavior = RunInSandboxBehavior.RUN_REQUEST_HERMETIC

    sources: BuildKitManifestsSourcesField
    output_path: BuildKitManifestsOutputPathField


class InferManifestsDependencies(InferDependenciesRequest):
    """Asks what manifests depend on by the images that they name."""

    infer_from = ManifestsFieldSet


@dataclass(frozen=True)
class ManifestFiles:
    """Files by their paths from the BUILD file, and what the values in them mention."""

    files: tuple[tuple[str, YamlFile], ...]
    mentioned: MentionedTargetsRequest


@dataclass(frozen=True)
class ResolvedManifests:
    """Files by their paths from the BUILD file, each with the text that it has now.

    `references` are the pinned references that are in them, by the address as it was written.
    """

    files: tuple[tuple[str, YamlFile, str], ...]
    references: tuple[tuple[str, str], ...]


def _parse(field_set: ManifestsFieldSet, path: str, content: bytes) -> YamlFile:
    try:
        return YamlFile.parse(content)
    except InvalidYamlFileError as e:
        raise InvalidImageFieldError(
            field_set.sources.alias,
            field_set.address,
            f"hold files, each of which must {e.requirement}",
            f"line {e.line} of {path} {e.finding}",
            e.next_step,
        ) from e


@rule(desc="Read manifests")
async def read_manifest_files(field_set: ManifestsFieldSet) -> ManifestFiles:
    sources = await hydrate_sources(HydrateSourcesRequest(field_set.sources), **implicitly())
    contents = await get_digest_contents(sources.snapshot.digest)
    files = {each.path: _parse(field_set, each.path, each.content) for each in contents}
    mentions = tuple(
        ImageMention(reference.address, f"line {reference.line} of {path}")
        for path, file in sorted(files.items())
        for reference in file.references
    )
    directory = field_set.address.spec_path
    return ManifestFiles(
        tuple((os.path.relpath(path, directory), file) for path, file in sorted(files.items())),
        MentionedTargetsRequest(
            field_set.address, field_set.sources.alias, "hold files that name", mentions
        ),
    )


@rule(desc="Infer dependencies of manifests")
async def infer_manifests_dependencies(
    request: InferManifestsDependencies,
) -> InferredDependencies:
    """Makes `--changed-dependents` find the manifests that a change of an image touches."""
    files = await read_manifest_files(request.field_set, **implicitly())
    images = await find_mentioned_images(files.mentioned, **implicitly())
    return InferredDependencies(sorted(images.addresses))


@rule(desc="Put references into manifests")
async def resolve_manifests(field_set: ManifestsFieldSet) -> ResolvedManifests:
    """Images are built if need be."""
    read = await read_manifest_files(field_set, **implicitly())
    pinned = await pin_images(read.mentioned, **implicitly())
    references = {address: image.reference for address, image in pinned.by_text}
    return ResolvedManifests(
        tuple((path, file, file.with_references(references)) for path, file in read.files),
        tuple(references.items()),
    )
