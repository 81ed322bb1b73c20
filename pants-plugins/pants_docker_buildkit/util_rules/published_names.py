"""Which tags does an image get on `publish`, in which repositories, and which are left out?"""

from __future__ import annotations

from dataclasses import dataclass

from pants_docker_buildkit.compat import implicitly, rule
from pants_docker_buildkit.errors import InvalidImageFieldError, InvalidOptionError
from pants_docker_buildkit.fields.naming import ImageOutput
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.options.placeholders import Placeholders
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.definition import image_placeholders
from pants_docker_buildkit.util_rules.image_inputs import resolve_image_inputs
from pants_docker_buildkit.util_rules.image_names import Naming, address_placeholders, with_git
from pants_docker_buildkit.util_rules.registries import read_configured_registries


@dataclass(frozen=True)
class PublishedRepository:
    """One repository, and the tags that the image gets there.

    `skipped_by` says why it is left out, and is empty where it is not.
    """

    registry: str
    repository: str
    tags: tuple[str, ...]
    skipped_by: str = ""

    @property
    def name(self) -> str:
        """`registry/repository`."""
        return self.reference.name

    @property
    def reference(self) -> ImageReference:
        """The repository as the reference of an image in it, still without tag or digest."""
        return ImageReference(self.registry, self.repository)


@dataclass(frozen=True)
class PublishedNames:
    """All names of one image. `output` says where it is before."""

    output: ImageOutput
    repositories: tuple[PublishedRepository, ...]


def _merge(known: PublishedRepository | None, more: PublishedRepository) -> PublishedRepository:
    """Two aliases may lead to one repository. It is left out only where both leave it out."""
    if known is None or known.skipped_by:
        return PublishedRepository(
            more.registry, more.repository, tuple(dict.fromkeys(more.tags)), more.skipped_by
        )
    if more.skipped_by:
        return known
    tags = tuple(dict.fromkeys((*known.tags, *more.tags)))
    return PublishedRepository(more.registry, more.repository, tags)


async def _repositories(naming: Naming, values: Placeholders) -> tuple[PublishedRepository, ...]:
    tag_values = await with_git(naming, values)
    found: dict[str, PublishedRepository] = {}
    for registry, there in naming.in_registries(values):
        skipped_by = f"`skip_push` on registry @{registry.alias}" if registry.skips_push else ""
        published = PublishedRepository(
            there.registry, there.repository, naming.tags_in(registry, tag_values), skipped_by
        )
        found[there.name] = _merge(found.get(there.name), published)
    return tuple(found.values())


@rule(desc="Name published image")
async def name_published_image(
    field_set: BuildKitImageFieldSet, subsystem: DockerBuildKitSubsystem
) -> PublishedNames:
    configured = await read_configured_registries(**implicitly())
    naming = Naming.create(field_set, configured, subsystem)
    output = naming.output
    if output is ImageOutput.DOCKER or not output.is_image or not naming.registries:
        return PublishedNames(output, ())
    try:
        repositories = await _repositories(naming, address_placeholders(field_set))
    except (InvalidImageFieldError, InvalidOptionError):
        # Most names are known without what goes into the image, which a base may have to be
        # built for.
        inputs = await resolve_image_inputs(field_set, **implicitly())
        repositories = await _repositories(naming, image_placeholders(field_set, inputs))
    return PublishedNames(output, repositories)
