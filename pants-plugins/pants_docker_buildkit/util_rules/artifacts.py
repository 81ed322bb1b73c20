"""Which files does a stage leave for other targets, and are those there that must be?

They are packaged, as everything that has an output path, and are generated sources, as what an
`adhoc_tool` makes: in both ways they have the same paths.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pants.core.target_types import FileSourceField
from pants.engine.fs import EMPTY_SNAPSHOT, AddPrefix, Digest, DigestEntries, Directory
from pants.engine.target import GeneratedSources, GenerateSourcesRequest

from pants_docker_buildkit.compat import (
    add_prefix,
    digest_to_snapshot,
    get_digest_entries,
    implicitly,
    rule,
)
from pants_docker_buildkit.dockerfile.context_entries import implied_directories
from pants_docker_buildkit.errors import MissingArtifactsError
from pants_docker_buildkit.fields.artifacts import OutputsMatchMode
from pants_docker_buildkit.fields.dockerfile import BuildKitImageSourceField
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet, artifacts_field
from pants_docker_buildkit.output_file import artifacts_directory
from pants_docker_buildkit.plans.reasons import Reason
from pants_docker_buildkit.solver.artifact_patterns import unmatched_paths
from pants_docker_buildkit.solver.definition import BuildDefinition
from pants_docker_buildkit.util_rules.build import ImageOutcome, build_files

logger = logging.getLogger(__name__)


class GenerateArtifactsRequest(GenerateSourcesRequest):
    """Asks for the files in the sandbox of a dependent."""

    input = BuildKitImageSourceField
    output = FileSourceField


@dataclass(frozen=True)
class Artifacts:
    """The files of a target, where its dependents and `dist/` have them.

    `paths` are files and links, `directories` are those that are empty.
    """

    digest: Digest
    paths: tuple[str, ...]
    directories: tuple[str, ...]
    definition: BuildDefinition
    outcome: ImageOutcome
    reasons: tuple[Reason, ...]


def _check(
    field_set: BuildKitImageFieldSet, definition: BuildDefinition, entries: DigestEntries
) -> None:
    """Whether there is what `outputs_match_mode` wants."""
    mode = OutputsMatchMode(field_set.outputs_match_mode.value)
    named = (*definition.output_files, *definition.output_directories)
    if mode is OutputsMatchMode.ALLOW_EMPTY or not named:
        return
    files = [each.path for each in entries if not isinstance(each, Directory)]
    directories = implied_directories(each.path for each in entries)
    directories.update(each.path for each in entries if isinstance(each, Directory))
    no_files, no_directories = unmatched_paths(
        definition.output_files, definition.output_directories, files, directories - {""}
    )
    unmatched = (*no_files, *no_directories)
    if not unmatched or (not mode.needs_all and len(unmatched) < len(named)):
        return
    field = field_set.output_files if no_files else field_set.output_directories
    platforms = [each.replace("/", "_") for each in definition.platforms]
    error = MissingArtifactsError(
        field.alias,
        field_set.address,
        unmatched,
        sorted(files),
        (field_set.outputs_match_mode.alias, mode.value),
        platforms if len(platforms) > 1 else (),
    )
    if mode.is_strict:
        raise error
    logger.warning(str(error))


def _prefixed(paths: Iterable[str], directory: str) -> Iterator[str]:
    for path in sorted(paths):
        yield path if directory == "." else f"{directory}/{path}"


@rule(desc="Find files that an image target leaves")
async def find_artifacts(field_set: BuildKitImageFieldSet) -> Artifacts:
    is_tar = field_set.artifacts_field is field_set.output
    directory = artifacts_directory(field_set.output_path, has_own=is_tar)
    built = await build_files(field_set, **implicitly())
    entries = await get_digest_entries(built.tree)
    _check(field_set, built.definition, entries)
    digest = built.tree
    if directory != "." and entries:
        digest = await add_prefix(AddPrefix(built.tree, directory))
    empty = [each.path for each in entries if isinstance(each, Directory) and each.path]
    files = [each.path for each in entries if not isinstance(each, Directory)]
    return Artifacts(
        digest=digest,
        paths=tuple(_prefixed(files, directory)),
        directories=tuple(_prefixed(empty, directory)),
        definition=built.definition,
        outcome=built.outcome,
        reasons=built.reasons,
    )


@rule(desc="Generate files with BuildKit")
async def generate_artifacts(request: GenerateArtifactsRequest) -> GeneratedSources:
    target = request.protocol_target
    if artifacts_field(target) is None:
        return GeneratedSources(EMPTY_SNAPSHOT)
    field_set = BuildKitImageFieldSet.create(target)
    artifacts = await find_artifacts(field_set, **implicitly())
    return GeneratedSources(await digest_to_snapshot(artifacts.digest))
