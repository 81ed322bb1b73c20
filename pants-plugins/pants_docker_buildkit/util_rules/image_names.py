"""Under which names does an image get into its registries?"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from pants.engine.target import Field

from pants_docker_buildkit.compat import implicitly
from pants_docker_buildkit.dockerfile.analysis import DockerfileAnalysis, OriginKind
from pants_docker_buildkit.errors import (
    BuildKitImageError,
    InvalidImageFieldError,
    InvalidOptionError,
)
from pants_docker_buildkit.fields.naming import (
    ALL_DEFAULT_REGISTRIES,
    ImageOutput,
    RunOutput,
    image_name,
)
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.oci.reference import (
    ImageReference,
    InvalidNameError,
    InvalidTagError,
    parse_repository_name,
    parse_tag,
)
from pants_docker_buildkit.options.placeholders import InvalidPlaceholderError, Placeholders
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.git_commit import read_git_commit
from pants_docker_buildkit.util_rules.registries import ConfiguredRegistries, ConfiguredRegistry

GIT_SHA = "git_sha"
"""The placeholder for the commit, in tags only: whatever else it stood in would be built anew."""

_SOME_COMMIT = "0" * 40

_KNOWN_PLACEHOLDERS = "only have known placeholders in braces"


def placeholders(
    field_set: BuildKitImageFieldSet,
    analysis: DockerfileAnalysis,
    build_args: Mapping[str, str],
    targets: Collection[str],
    inputs_hash: str,
) -> Placeholders:
    """The values of placeholders, as `docker_image` has them.

    `targets` are the arguments that stand for images of this repository.
    """
    return address_placeholders(field_set).merge(
        {
            "build_args": {**_defaults(analysis), **build_args},
            "tags": _stage_tags(analysis, targets),
            "pants": {"hash": inputs_hash},
        }
    )


def address_placeholders(field_set: BuildKitImageFieldSet) -> Placeholders:
    """Those whose values are known before anything that goes into the image."""
    address, stage = field_set.address, field_set.target_stage.value
    return Placeholders(
        {
            "name": image_name(address),
            **({"stage": stage} if stage else {}),
            "directory": os.path.basename(address.spec_path),
            "parent_directory": os.path.basename(os.path.dirname(address.spec_path)),
            "full_directory": address.spec_path,
        }
    )


def fill_in(
    field_set: BuildKitImageFieldSet, field: Field, text: str, context: Placeholders
) -> str:
    """The text of a field with its placeholders replaced."""
    try:
        return context.fill(text)
    except InvalidPlaceholderError as e:
        raise field_set.error(field, _KNOWN_PLACEHOLDERS, e.finding, e.hint) from e


def _fill_option(option: str, text: str, values: Placeholders) -> str:
    """The text of an option with its placeholders replaced."""
    try:
        return values.fill(text)
    except InvalidPlaceholderError as e:
        finding = f"{e.finding}. {e.hint[:-1]}"
        raise InvalidOptionError(option, _KNOWN_PLACEHOLDERS, finding) from e


@dataclass(frozen=True)
class Naming:
    """What names an image: the fields of its target, and what the options say of them.

    `registries` are those that it names, each once, and `output` says where it goes.
    """

    field_set: BuildKitImageFieldSet
    registries: tuple[ConfiguredRegistry, ...]
    output: ImageOutput
    default_repository: str

    @classmethod
    def create(
        cls,
        field_set: BuildKitImageFieldSet,
        configured: ConfiguredRegistries,
        subsystem: DockerBuildKitSubsystem,
    ) -> Naming:
        """What names the image of a target."""
        registries = image_registries(field_set, configured)
        output = _image_output(field_set, registries, subsystem.output)
        return cls(field_set, registries, output, subsystem.default_repository)

    def repository(self, values: Placeholders, registry: ConfiguredRegistry | None = None) -> str:
        """The repository, without a registry: as a template or a path of that one says."""
        field_set, field = self.field_set, self.field_set.repository
        option = "default_repository"
        text = _fill_option(option, self.default_repository, values)
        values = values.merge({"default_repository": text})
        if field.value:
            option, text = "", fill_in(field_set, field, field.value, values)
        if registry is not None and registry.repository:
            values = values.merge({"target_repository": text})
            option = f"registries.{registry.alias}.repository"
            text = _fill_option(option, registry.repository, values)
        if field_set.address.spec_path.count("/") == 0:
            # `{directory}` is empty for a target of the build root, `{parent_directory}` also below
            # it.
            text = re.sub("/{2,}", "/", text).strip("/")
        path = f"{registry.path}/" if registry is not None and registry.path else ""
        try:
            return parse_repository_name(path + text.lower())
        except InvalidNameError as e:
            if not option:
                raise field_set.error(field, e.requirement, f"it is {e.text!r}") from e
            finding = f"it gives {e.text!r} for {field_set.address}"
            raise InvalidOptionError(option, e.requirement, finding) from e

    def in_registries(
        self, values: Placeholders
    ) -> Iterator[tuple[ConfiguredRegistry, ImageReference]]:
        """Each registry with the repository of the image there, still without tag or digest."""
        for registry in self.registries:
            repository = self.repository(values, registry)
            yield registry, ImageReference(registry.address, repository)

    def tags(self, values: Placeholders) -> tuple[str, ...]:
        """The tags of the image, each once."""
        field = self.field_set.image_tags
        filled = (fill_in(self.field_set, field, each, values) for each in field.value or ())
        return _tags(filled, partial(self.field_set.error, field))

    def tags_in(self, registry: ConfiguredRegistry, values: Placeholders) -> tuple[str, ...]:
        """Its tags in a registry, where every image may get more."""
        option = f"registries.{registry.alias}.extra_image_tags"
        filled = [_fill_option(option, each, values) for each in registry.extra_image_tags]
        return (*self.tags(values), *_tags(filled, partial(InvalidOptionError, option)))

    def check_tags(self, values: Placeholders) -> None:
        """Refuse what `publish` would only refuse after the build. Git is not asked."""
        tag_values = values.merge({GIT_SHA: _SOME_COMMIT})
        for registry in self.registries:
            self.tags_in(registry, tag_values)

    def local_references(self, repository: str, values: Placeholders) -> tuple[str, ...]:
        """The names of the image in the local engine, where `docker_image` gives it these, too.

        What is written for a registry has to find the image.
        """
        names = [f"{repository}:{tag}" for tag in self.tags(values)]
        for registry, reference in self.in_registries(values):
            tags = self.tags_in(registry, values)
            names += (f"{reference.name}:{tag}" for tag in tags)
            if registry.uses_local_alias and registry.alias:
                name = reference.repository.removeprefix(f"{registry.path}/")
                names += (f"{registry.alias}/{name}:{tag}" for tag in tags)
        return tuple(dict.fromkeys(names))


def _naming_commit(naming: Naming) -> Callable[[str, str], BuildKitImageError] | None:
    """What refuses the field or option that names a tag after the commit; `None` if none does."""
    field, placeholder = naming.field_set.image_tags, f"{{{GIT_SHA}"
    if any(placeholder in each for each in field.value or ()):
        return partial(naming.field_set.error, field)
    for registry in naming.registries:
        if any(placeholder in each for each in registry.extra_image_tags):
            option = f"registries.{registry.alias}.extra_image_tags"
            return partial(InvalidOptionError, option)
    return None


async def with_git(naming: Naming, values: Placeholders) -> Placeholders:
    """Placeholders for tags, which may name the commit: a tag is never part of a build.

    Git is asked only where one does.
    """
    refuse = _naming_commit(naming)
    if refuse is None:
        # Known all the same to who looks for the name of a placeholder.
        return values.merge({GIT_SHA: ""})
    commit = await read_git_commit(**implicitly())
    if commit.sha is None:
        requirement = f"not use `{{{GIT_SHA}}}` outside of a Git worktree with a commit"
        raise refuse(requirement, commit.problem)
    return values.merge({GIT_SHA: commit.sha})


def _tags(
    texts: Iterable[str], refuse: Callable[[str, str], BuildKitImageError]
) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys(parse_tag(each) for each in texts))
    except InvalidTagError as e:
        requirement = f"hold tags, each of which must {e.requirement}"
        raise refuse(requirement, f"{e.text!r} is not valid") from e


def image_registries(
    field_set: BuildKitImageFieldSet, configured: ConfiguredRegistries
) -> tuple[ConfiguredRegistry, ...]:
    """The registries of an image, each once."""
    found: list[ConfiguredRegistry] = []
    for name in field_set.registries.value or ():
        if name == ALL_DEFAULT_REGISTRIES:
            found += configured.defaults
            continue
        try:
            registry = configured.find(name)
        except InvalidNameError as e:
            requirement = f"hold registries, each of which must {e.requirement}"
            raise _bad_registry(field_set, requirement, name, configured) from e
        if registry is None:
            raise _bad_registry(field_set, "hold aliases that exist", name, configured)
        found.append(registry)
    return tuple(dict.fromkeys(found))


def output_of_run(field_set: BuildKitImageFieldSet, option: RunOutput | None) -> ImageOutput | None:
    """What the option `output` says of an image, `None` if nothing, as of what leaves files."""
    if field_set.artifacts_field is not None:
        return None
    if option is None or (field_set.is_upstream and option is RunOutput.DOCKER):
        return None
    return ImageOutput(option.value)


def _image_output(
    field_set: BuildKitImageFieldSet,
    registries: tuple[ConfiguredRegistry, ...],
    option: RunOutput | None,
) -> ImageOutput:
    """Where the image goes: what the option says, else its target, else a registry if it has one.

    BuildKit does not find by digest what is in the local engine only. So what other images are
    built on is a layout there.
    """
    chosen = output_of_run(field_set, option)
    if chosen is not None:
        if chosen is ImageOutput.REGISTRY and not registries:
            raise InvalidOptionError(
                field_set.output.alias,
                f"not be '{chosen.value}' where an image has no registry",
                f"{field_set.address} has none",
            )
        return chosen
    field = field_set.output
    artifacts = field_set.artifacts_field
    if artifacts is field:
        return ImageOutput.TAR
    if artifacts is not None:
        if field.value is not None:
            raise field_set.error(
                field,
                f"be left out where `{artifacts.alias}` names files, in place of an image",
                f"it is {field.value!r}",
                "Use a target for the image and another for the files.",
            )
        return ImageOutput.FILES
    if field.value is None:
        return ImageOutput.REGISTRY if registries else ImageOutput.OCI
    output = ImageOutput(field.value)
    if output is ImageOutput.DOCKER and field_set.is_upstream:
        return ImageOutput.OCI
    if output is ImageOutput.DOCKER:
        _check_platforms_for_engine(field_set)
    if output is ImageOutput.REGISTRY and not registries:
        raise field_set.error(
            field,
            f"not be '{output.value}' for an image without a registry",
            f"`{field_set.registries.alias}` is empty and no configured registry is a default",
            "Configure '[docker-buildkit.registries]', or use 'oci'.",
        )
    return output


def _check_platforms_for_engine(field_set: BuildKitImageFieldSet) -> None:
    """Records name the image of each platform, and nothing reads those from an engine."""
    field = field_set.platforms_field
    names = field.value or ()
    if len(set(names)) > 1:
        raise field_set.error(
            field,
            f"name one platform where `{field_set.output.alias}` is '{ImageOutput.DOCKER.value}'",
            f"it names {', '.join(names)}",
            "Push the image or write it as a layout to have several. For one run,"
            " '[docker-buildkit].output' has the engine get this machine's.",
        )


def _bad_registry(
    field_set: BuildKitImageFieldSet, requirement: str, name: str, configured: ConfiguredRegistries
) -> InvalidImageFieldError:
    aliases = ", ".join(f"'@{each.alias}'" for each in configured.all) or "none"
    return field_set.error(
        field_set.registries,
        requirement,
        f"{name!r} is not one",
        f"Aliases in '[docker-buildkit.registries]': {aliases}.",
    )


def _defaults(analysis: DockerfileAnalysis) -> dict[str, str]:
    return {each.name: each.value for each in analysis.arguments if each.value is not None}


def _stage_tags(analysis: DockerfileAnalysis, targets: Collection[str]) -> dict[str, str]:
    """The tag of each stage's base image, and of the first one as `baseimage`.

    An image of this repository has none here: it is known by its digest.
    """
    tags: dict[str, str] = {}
    kinds = (OriginKind.IMAGE, OriginKind.NAMED_CONTEXT)
    based = [each for each in analysis.stages if each.base.kind in kinds]
    for stage in based:
        base = stage.base
        if base.kind is not OriginKind.IMAGE or set(base.arguments).intersection(targets):
            continue
        try:
            tag = ImageReference.parse_familiar(base.text).tag or "latest"
        except InvalidNameError:
            continue
        tags[stage.name or f"stage{stage.index}"] = tag
        if stage is based[0]:
            tags["baseimage"] = tag
    return tags
