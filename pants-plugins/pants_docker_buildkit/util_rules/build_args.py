"""Which build arguments does an image get, and with which values?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.internals.build_files import AddressFamilyDir

from pants_docker_buildkit.compat import ensure_address_family, environment_vars_subset, implicitly
from pants_docker_buildkit.dockerfile.parser import Dockerfile
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.target_types import BuildKitImagesTarget, BuildKitImageTarget

_VARIABLE = re.compile(r"[A-Za-z_]\w*")
"""What Pants takes for the name of a variable. It has no others."""


@dataclass(frozen=True)
class BuildArgs:
    """Build arguments by name.

    `shared` are the names that the target does not set itself, but the option or `__defaults__`,
    `unset` those that it takes from the environment, which lacks them.
    """

    values: tuple[tuple[str, str], ...]
    shared: tuple[str, ...]
    unset: tuple[str, ...] = ()


def _with_values(arguments: Iterable[str], environment: Mapping[str, str]) -> dict[str, str | None]:
    """`NAME=value` as it is, `NAME` with its value in the environment."""
    values: dict[str, str | None] = {}
    for argument in arguments:
        name, separator, value = argument.partition("=")
        values[name] = value if separator else environment.get(name)
    return values


def _split(
    arguments: Iterable[str], defaults: Iterable[object]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The arguments that a target sets, and those that it has from `__defaults__`.

    Those are many values for a default that `parametrize` gives, which is no tuple.
    """
    inherited = {each for default in defaults if isinstance(default, tuple) for each in default}
    own = tuple(each for each in arguments if each not in inherited)
    return own, tuple(each for each in arguments if each in inherited)


async def resolve_build_args(
    field_set: BuildKitImageFieldSet, subsystem: DockerBuildKitSubsystem
) -> BuildArgs:
    """The build arguments of a target, with those of the option and of `__defaults__`."""
    field = field_set.build_args
    family = await ensure_address_family(
        **implicitly(AddressFamilyDir(field_set.address.spec_path))
    )
    kinds = (BuildKitImageTarget.alias, BuildKitImagesTarget.alias)
    defaults = [family.defaults[each].get(field.alias) for each in kinds if each in family.defaults]
    own, inherited = _split(field.value or (), defaults)
    shared = (*subsystem.build_args, *inherited)
    names = [argument for argument in (*shared, *own) if _VARIABLE.fullmatch(argument)]
    environment: Mapping[str, str] = {}
    if names:
        environment = await environment_vars_subset(EnvironmentVarsRequest(names), **implicitly())
    own_values = _with_values(own, environment)
    for name, value in own_values.items():
        if not name:
            finding = f"one of them is '={value or ''}'"
            raise field_set.error(field, "hold 'NAME=value', or a NAME", finding)
    shared_values = _with_values(shared, environment)
    merged = {**shared_values, **own_values}
    return BuildArgs(
        values=tuple(sorted((name, value) for name, value in merged.items() if value is not None)),
        shared=tuple(sorted(set(shared_values) - set(own_values))),
        unset=tuple(name for name, value in own_values.items() if value is None),
    )


def check_unset(
    field_set: BuildKitImageFieldSet, build_args: BuildArgs, dockerfile: Dockerfile
) -> None:
    """What the environment lacks must have a default in the Dockerfile, which then holds.

    For a build or a lock, that is: whoever asks for dependencies need not be able to build.
    """
    for name in build_args.unset:
        if name not in dockerfile.argument_defaults:
            raise field_set.error(
                field_set.build_args,
                "hold 'NAME=value', or a NAME that the environment of Pants has",
                f"{name!r} is not in the environment",
                f"Set it, or write '{name}=…'.",
            )
