"""Which build arguments does an image get, and with which values?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.rules import Rule, collect_rules

from pants_docker_buildkit.compat import environment_vars_subset, implicitly, rule
from pants_docker_buildkit.errors import InvalidImageFieldError
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem


@dataclass(frozen=True)
class BuildArgsRequest:
    """Asks for the build arguments of a target."""

    field_set: BuildKitImageFieldSet


@dataclass(frozen=True)
class BuildArgs:
    """Build arguments by name. `shared` are the names that only the option sets."""

    values: tuple[tuple[str, str], ...]
    shared: tuple[str, ...]


def _with_values(arguments: Iterable[str], environment: Mapping[str, str]) -> dict[str, str | None]:
    """`NAME=value` as it is, `NAME` with its value in the environment."""
    values: dict[str, str | None] = {}
    for argument in arguments:
        name, separator, value = argument.partition("=")
        values[name] = value if separator else environment.get(name)
    return values


@rule(desc="Resolve build arguments")
async def resolve_build_args(
    request: BuildArgsRequest, subsystem: DockerBuildKitSubsystem
) -> BuildArgs:
    field = request.field_set.build_args
    own, shared = field.value or (), subsystem.build_args
    names = [argument for argument in (*shared, *own) if "=" not in argument]
    environment = await environment_vars_subset(EnvironmentVarsRequest(names), **implicitly())
    own_values = _with_values(own, environment)
    for name, value in own_values.items():
        if value is None:
            raise InvalidImageFieldError(
                field.alias,
                request.field_set.address,
                "hold 'NAME=value', or a NAME that the environment of Pants has",
                f"{name!r} is not in the environment",
                f"Set it, or write '{name}=…'.",
            )
    shared_values = _with_values(shared, environment)
    merged = {**shared_values, **own_values}
    return BuildArgs(
        values=tuple(sorted((name, value) for name, value in merged.items() if value is not None)),
        shared=tuple(sorted(set(shared_values) - set(own_values))),
    )


def rules() -> Iterable[Rule]:
    return collect_rules()
