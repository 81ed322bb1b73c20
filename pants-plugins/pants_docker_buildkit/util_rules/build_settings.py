"""What must a build process know that cannot change the image?

None of it is in its key: it asks the session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Callable

from pants.base.build_environment import get_buildroot
from pants.engine.target import StringSequenceField
from pants.option.global_options import GlobalOptions

from pants_docker_buildkit.buildx.attributes import (
    InvalidAttributesError,
    is_inline_cache,
    read_caches,
    read_ssh,
)
from pants_docker_buildkit.compat import rule
from pants_docker_buildkit.errors import BuildKitImageError, InvalidOptionError
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet, path_from_buildroot
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.build_secrets import secret_sources
from pants_docker_buildkit.util_rules.builders import DescribedBuilders
from pants_docker_buildkit.util_rules.docker_environment import DockerEnvironment
from pants_docker_buildkit.util_rules.mirrors import image_mirrors
from pants_docker_buildkit.util_rules.option_values import (
    above_zero,
    option_path,
    seconds,
    text_entries,
)


@dataclass(frozen=True)
class BuildOptions:
    """What the options say of all builds.

    `builders` are those that they describe, and `home` is the user's home directory, empty if there
    is none. `reads_remote_cache` tells that other machines may have built something.
    """

    subsystem: DockerBuildKitSubsystem
    builders: DescribedBuilders
    home: str
    reads_remote_cache: bool


@rule
async def read_build_options(
    subsystem: DockerBuildKitSubsystem,
    global_options: GlobalOptions,
    builders: DescribedBuilders,
    docker: DockerEnvironment,
) -> BuildOptions:
    return BuildOptions(subsystem, builders, docker.home, global_options.remote_cache_read)


def build_settings(field_set: BuildKitImageFieldSet, options: BuildOptions) -> BuildSettings:
    """What the build process of a target learns from its session."""
    subsystem, home = options.subsystem, options.home
    builder = field_set.builder.value or subsystem.builder
    return BuildSettings(
        target=field_set.address.spec,
        context_name=_context_name(field_set),
        builder=builder,
        described_builder=options.builders.find(builder),
        cache_from=(
            *_option_caches("cache_from", subsystem.cache_from, home),
            *field_caches(field_set, field_set.cache_from, home),
        ),
        cache_to=_exports(field_set, subsystem, home),
        inline_cache_tag=subsystem.inline_cache_tag,
        secrets=tuple((name, str(source)) for name, source in secret_sources(field_set)),
        ssh=tuple(
            read_ssh(each, partial(option_path, home=home)) for each in forwarded_ssh(field_set)
        ),
        build_timeout=field_set.build_timeout.value or _build_timeout(subsystem),
        max_builds=_max_builds(subsystem),
        resources=tuple(
            sorted(
                {
                    **text_entries("resources", subsystem.resources),
                    **(field_set.resources.value or {}),
                }.items()
            )
        ),
        progress=subsystem.progress.value,
        passes_proxies=subsystem.pass_proxies,
        mirrors=image_mirrors(subsystem).routes,
    )


def forwarded_ssh(field_set: BuildKitImageFieldSet) -> tuple[str, ...]:
    """The agents and keys of a target. Their paths are absolute, or below the home, as `~/key`."""

    def resolve(path: str) -> str:
        return path if path.startswith("~") else _field_path(path, field_set, home="")

    return tuple(read_ssh(each, resolve) for each in field_set.ssh.value or ())


def _exports(
    field_set: BuildKitImageFieldSet, subsystem: DockerBuildKitSubsystem, home: str
) -> tuple[str, ...]:
    """Where the cache goes beside the image. Whether it is in it, which changes it, has a field."""
    caches = (
        *_option_caches("cache_to", subsystem.cache_to, home),
        *field_caches(field_set, field_set.cache_to, home),
    )
    return tuple(each for each in caches if not is_inline_cache(each))


def _build_timeout(subsystem: DockerBuildKitSubsystem) -> int | None:
    number = subsystem.build_timeout
    return None if number is None else seconds("build_timeout", number)


def _max_builds(subsystem: DockerBuildKitSubsystem) -> int | None:
    number = subsystem.max_builds
    return None if number is None else above_zero("max_builds", number)


def _context_name(field_set: BuildKitImageFieldSet) -> str:
    """A name that no other target has, in this checkout or another that uses the same builder."""
    image = f"{get_buildroot()}\0{field_set.address.spec}"
    return f"context-{hashlib.sha256(image.encode()).hexdigest()[:16]}"


def field_caches(
    field_set: BuildKitImageFieldSet, field: StringSequenceField, home: str
) -> Iterator[str]:
    """The caches of a field, each of which buildx will take for one."""
    return _caches(
        field.value or (),
        lambda path: _field_path(path, field_set, home),
        partial(field_set.error, field),
    )


def _caches(
    values: Iterable[str],
    resolve: Callable[[str], str],
    refuse: Callable[[str, str], BuildKitImageError],
) -> Iterator[str]:
    for value in values:
        try:
            yield from read_caches(value, resolve)
        except InvalidAttributesError as e:
            requirement = f"name caches, each of which must {e.requirement}"
            raise refuse(requirement, f"{e.text!r} is not valid") from e


def _option_caches(option: str, values: Iterable[str], home: str) -> Iterator[str]:
    resolve = partial(option_path, home=home)
    return _caches(values, resolve, partial(InvalidOptionError, option))


def _field_path(text: str, field_set: BuildKitImageFieldSet, home: str) -> str:
    """A path as `secrets` has them: from the build root, the BUILD file with `./`, or the home."""
    is_elsewhere = text.startswith(("~", "/"))
    return option_path(text if is_elsewhere else path_from_buildroot(text, field_set.address), home)
