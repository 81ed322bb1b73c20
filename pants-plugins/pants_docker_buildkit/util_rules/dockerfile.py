"""Which Dockerfile is built, and what does it need on each platform?"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pants.engine.fs import EMPTY_DIGEST, CreateDigest, FileEntry, PathGlobs
from pants.engine.platform import Platform

from pants_docker_buildkit.compat import (
    create_digest,
    get_digest_contents,
    get_digest_entries,
    implicitly,
    path_globs_to_digest,
    rule,
)
from pants_docker_buildkit.dockerfile.analysis import DockerfileAnalysis
from pants_docker_buildkit.dockerfile.bases import SCRATCH
from pants_docker_buildkit.dockerfile.named_contexts import is_image_reference
from pants_docker_buildkit.dockerfile.parser import Dockerfile, parse_dockerfile
from pants_docker_buildkit.dockerfile.stages import UnknownStageError, analyze
from pants_docker_buildkit.errors import (
    InvalidDockerfileError,
    InvalidImageFieldError,
    InvalidOptionError,
)
from pants_docker_buildkit.fields.dockerfile import lower_case_name
from pants_docker_buildkit.fields.naming import ImageOutput
from pants_docker_buildkit.fields.stages import BuildKitImagesStagesField
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.oci.image_platform import ImagePlatform, InvalidImagePlatformError
from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.build_args import BuildArgs, resolve_build_args
from pants_docker_buildkit.util_rules.build_platform import chosen_build_platform, own_platform
from pants_docker_buildkit.util_rules.git_contexts import read_git_context

logger = logging.getLogger(__name__)

FRONTEND_ARGUMENT = "BUILDKIT_SYNTAX"
"""The build argument that names the frontend, and wins over `# syntax=`."""


@dataclass(frozen=True)
class ImageDockerfile:
    """The Dockerfile of a target, and what it needs for each platform that the target names.

    `path` is relative to the build root, `None` where the target has `instructions`, or where the
    file is one of the Git repository that is the context. Then `remote` names it.
    `build_platforms` are those that the builder is supposed to have, for each platform.
    """

    path: str | None
    content: bytes
    parsed: Dockerfile
    build_args: BuildArgs
    platforms: tuple[ImagePlatform, ...]
    build_platforms: tuple[ImagePlatform, ...]
    analyses: tuple[DockerfileAnalysis, ...] = ()
    remote: str = ""

    @property
    def sha256(self) -> str:
        """The hash of the file's bytes, in hex."""
        return hashlib.sha256(self.content).hexdigest()

    def error(
        self, field_set: BuildKitImageFieldSet, reason: str, next_step: str = ""
    ) -> InvalidDockerfileError:
        """What to raise when this Dockerfile breaks a rule."""
        path = self.path or self.remote or None
        field = field_set.source if path else field_set.instructions
        return InvalidDockerfileError(field.alias, field_set.address, path, reason, next_step)

    @property
    def names_out_of_reach(self) -> dict[str, str]:
        """Values for `ARG`s that are no names of images, though bases of stages out of reach are.

        They are addresses of targets, which nothing needs. BuildKit refuses them all the same.
        """
        return {
            argument.name: SCRATCH
            for analysis in self.analyses
            for argument in analysis.unreached_arguments
            if argument.value and not is_image_reference(argument.value)
        }

    @property
    def name(self) -> str:
        """What to call the file in messages."""
        return self.path or self.remote or "the instructions"


def image_platforms(
    field_set: BuildKitImageFieldSet, default: tuple[str, ...], host: Platform
) -> tuple[ImagePlatform, ...]:
    """The platforms to build for, each once and in the order given."""
    field = field_set.platforms_field
    other = field_set.platforms
    if field is not other and other.value:
        raise field_set.error(
            field,
            f"not be set together with `{other.alias}`",
            "both are",
            f"They mean the same; keep `{other.alias}`.",
        )
    names = field.value or default or (str(own_platform(host)),)
    try:
        return tuple(dict.fromkeys(ImagePlatform.parse(name) for name in names))
    except InvalidImagePlatformError as e:
        requirement = f"hold platforms, each of which must {e.requirement}"
        finding = f"{e.text!r} is not valid"
        if not field.value:
            raise InvalidOptionError("default_platforms", requirement, finding) from e
        raise field_set.error(field, requirement, finding) from e


def _may_choose_platform(field_set: BuildKitImageFieldSet) -> bool:
    """Whether the image is for the local engine, and of its platforms just the default is known."""
    is_for_engine = field_set.output.value == ImageOutput.DOCKER.value
    return is_for_engine and not field_set.is_upstream and not field_set.platforms_field.value


def for_one_platform(dockerfile: ImageDockerfile, host: Platform) -> ImageDockerfile:
    """The same for one platform of those that it is for: this machine's, or else the first."""
    platforms = dockerfile.platforms
    own = own_platform(host)
    chosen = platforms.index(own) if own in platforms else 0
    part = slice(chosen, chosen + 1)
    return replace(
        dockerfile,
        platforms=platforms[part],
        build_platforms=dockerfile.build_platforms[part],
        analyses=dockerfile.analyses[part],
    )


def analyze_dockerfile(
    dockerfile: ImageDockerfile,
    field_set: BuildKitImageFieldSet,
    build_args: Iterable[tuple[str, str]],
    extra_contexts: Iterable[str] = (),
) -> ImageDockerfile:
    """The Dockerfile, and what it needs with these build arguments and contexts."""
    arguments = dict(build_args)
    named_contexts = (*(field_set.build_contexts.value or ()), *extra_contexts)
    try:
        analyses = tuple(
            analyze(
                dockerfile.parsed,
                build_args=arguments,
                target_platform=target,
                build_platform=native,
                target_stage=field_set.target_stage.value,
                named_contexts=named_contexts,
            )
            for target, native in zip(dockerfile.platforms, dockerfile.build_platforms)
        )
    except UnknownStageError as e:
        raise _unknown_stage(dockerfile, field_set, e) from e
    return replace(dockerfile, analyses=analyses)


def _unknown_stage(
    dockerfile: ImageDockerfile, field_set: BuildKitImageFieldSet, error: UnknownStageError
) -> InvalidImageFieldError:
    """What to raise for a stage that is not there, at the field that somebody wrote."""
    alias, address, verb = field_set.target_stage.alias, field_set.address, "name a stage"
    if address.generated_name == error.stage:
        alias, verb = BuildKitImagesStagesField.alias, "name stages"
        address = address.maybe_convert_to_target_generator()
    finding = f"{error.stage!r} is not one"
    requirement = f"{verb} of {dockerfile.name}"
    return InvalidImageFieldError(alias, address, requirement, finding, f"{error.hint}.")


async def _read_from_git(field_set: BuildKitImageFieldSet) -> tuple[str, bytes]:
    """What to call the Dockerfile of the repository that is the context, and its text."""
    context = await read_git_context(field_set, **implicitly())
    wanted = os.path.normpath(field_set.source.value or "Dockerfile")
    entries = {each.path: each for each in await get_digest_entries(context.tree)}
    found = (entries.get(each) for each in (wanted, lower_case_name(wanted)) if each)
    file = next((each for each in found if isinstance(each, FileEntry)), None)
    if file is None:
        raise field_set.error(
            field_set.source,
            f"name a file of the repository in `{field_set.context.alias}`",
            f"at {context.commit} there is no {wanted}",
            f"Name another one, or set `{field_set.instructions.alias}`.",
        )
    contents = await get_digest_contents(await create_digest(CreateDigest((file,))))
    return f"{file.path} of {redact(field_set.context.value or '')}", contents[0].content


async def _read_file(written: str) -> tuple[str | None, bytes]:
    """Where the Dockerfile is in this repository, and its text; `None` where there is none.

    As a file, not as the sources of a target: that is two nodes of Pants' graph fewer, and each
    image waits for this one beneath all others.
    """
    for path in (written, lower_case_name(written)):
        if path is not None:
            digest = await path_globs_to_digest(PathGlobs((path,)), **implicitly())
            # There is none in a directory of that name.
            files = await get_digest_contents(digest) if digest != EMPTY_DIGEST else ()
            if files:
                return files[0].path, files[0].content
    return None, b""


@rule(desc="Understand Dockerfile")
async def read_image_dockerfile(
    field_set: BuildKitImageFieldSet, subsystem: DockerBuildKitSubsystem, host: Platform
) -> ImageDockerfile:
    path, content, remote = None, b"", ""
    if field_set.source.file_path is not None:
        path, content = await _read_file(field_set.source.file_path)
    if field_set.instructions.value:
        if path is not None:
            raise field_set.error(
                field_set.instructions,
                f"not be set where `{field_set.source.alias}` names a Dockerfile",
                f"there is {path}",
                f"Remove one of them, or set `{field_set.source.alias}=None`.",
            )
        content = ("\n".join(field_set.instructions.value) + "\n").encode()
    elif path is None and field_set.context.value:
        remote, content = await _read_from_git(field_set)
    elif path is None:
        wanted = os.path.join(field_set.address.spec_path, field_set.source.value or "Dockerfile")
        raise field_set.error(
            field_set.source,
            "name a file that exists",
            f"there is no {wanted}",
            f"Create it, or set `{field_set.instructions.alias}`.",
        )
    build_args = await resolve_build_args(field_set, subsystem)
    platforms = image_platforms(field_set, tuple(subsystem.default_platforms), host)
    # Which builder builds is not asked here: dependencies are the same before there is any.
    native = chosen_build_platform(subsystem.build_platform) or own_platform(host)
    parsed = parse_dockerfile(content, syntax=dict(build_args.values).get(FRONTEND_ARGUMENT))
    natives = (native,) * len(platforms)
    unread = ImageDockerfile(path, content, parsed, build_args, platforms, natives, remote=remote)
    if subsystem.output is None and _may_choose_platform(field_set):
        unread = for_one_platform(unread, host)
    dockerfile = analyze_dockerfile(unread, field_set, build_args.values)
    limits = (limit for analysis in dockerfile.analyses for limit in analysis.limits)
    for limit in dict.fromkeys(limits):
        logger.info(
            f"Of {dockerfile.name} of {field_set.address}, not everything is understood ({limit})."
            " The build is not affected, but dependencies may have to be declared."
        )
    return dockerfile
