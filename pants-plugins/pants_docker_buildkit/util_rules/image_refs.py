"""What is in the file of a `docker_buildkit_image_refs` target, for dependents and in `dist/`?"""

from __future__ import annotations

from dataclasses import dataclass

from pants.core.goals.package import BuiltPackage, BuiltPackageArtifact, PackageFieldSet
from pants.core.target_types import FileSourceField
from pants.engine.fs import CreateDigest, Digest, FileContent
from pants.engine.target import GeneratedSources, GenerateSourcesRequest

from pants_docker_buildkit.compat import create_digest, digest_to_snapshot, implicitly, rule
from pants_docker_buildkit.errors import InvalidImageFieldError
from pants_docker_buildkit.fields.references import (
    BuildKitImageRefsFormatField,
    BuildKitImageRefsImagesField,
    BuildKitImageRefsOutputPathField,
    BuildKitImageRefsSourcesField,
)
from pants_docker_buildkit.output_file import output_file
from pants_docker_buildkit.references.refs_file import (
    InvalidRefsKeyError,
    RefsFormat,
    check_keys,
    render_refs,
)
from pants_docker_buildkit.util_rules.referenced_images import (
    ImageMention,
    MentionedTargetsRequest,
    pin_images,
)


@dataclass(frozen=True)
class ImageRefsFieldSet(PackageFieldSet):
    """A `docker_buildkit_image_refs` target."""

    required_fields = (BuildKitImageRefsImagesField,)

    images: BuildKitImageRefsImagesField
    format: BuildKitImageRefsFormatField
    output_path: BuildKitImageRefsOutputPathField


class GenerateRefsFileRequest(GenerateSourcesRequest):
    """Asks for the file in the sandbox of a dependent."""

    input = BuildKitImageRefsSourcesField
    output = FileSourceField
    exportable = False


@dataclass(frozen=True)
class RefsFile:
    """A file with references. `references` are the pinned references by key."""

    path: str
    digest: Digest
    references: tuple[tuple[str, str], ...]


def _check_keys(field_set: ImageRefsFieldSet, refs_format: RefsFormat) -> None:
    try:
        check_keys(field_set.images.value, refs_format)
    except InvalidRefsKeyError as e:
        raise InvalidImageFieldError(
            field_set.images.alias,
            field_set.address,
            f"have keys for `{field_set.format.alias}={refs_format.value!r}`, each of which must"
            f" {e.requirement}",
            f"{e.text!r} is one of them",
        ) from e


@rule(desc="Write file with image references")
async def write_refs_file(field_set: ImageRefsFieldSet) -> RefsFile:
    field = field_set.images
    refs_format = RefsFormat(field_set.format.value)
    _check_keys(field_set, refs_format)
    path = output_file(field_set.output_path, refs_format.file_ending)
    mentions = tuple(
        ImageMention(address, repr(key)) for key, address in sorted(field.value.items())
    )
    mentioned = MentionedTargetsRequest(field_set.address, field.alias, "name", mentions)
    pinned = await pin_images(mentioned, **implicitly())
    by_address = dict(pinned.by_text)
    images = {key: by_address[address] for key, address in field.value.items()}
    content = render_refs(images, refs_format)
    digest = await create_digest(CreateDigest((FileContent(path, content),)))
    references = tuple((key, image.reference) for key, image in sorted(images.items()))
    return RefsFile(path, digest, references)


@rule(desc="Generate file with image references")
async def generate_refs_file(request: GenerateRefsFileRequest) -> GeneratedSources:
    field_set = ImageRefsFieldSet.create(request.protocol_target)
    file = await write_refs_file(field_set, **implicitly())
    return GeneratedSources(await digest_to_snapshot(file.digest))


@rule(desc="Package image references")
async def package_image_refs(field_set: ImageRefsFieldSet) -> BuiltPackage:
    """The file, and a line for each reference in it."""
    file = await write_refs_file(field_set, **implicitly())
    lines = tuple(f"  {key}: {reference}" for key, reference in file.references)
    return BuiltPackage(file.digest, (BuiltPackageArtifact(file.path, lines),))
