"""Which builders do the options describe?"""

from __future__ import annotations

from dataclasses import dataclass

from pants_docker_buildkit.buildx.builder_description import BuilderDescription
from pants_docker_buildkit.buildx.builder_table import parse_builder_table
from pants_docker_buildkit.compat import implicitly, rule
from pants_docker_buildkit.errors import InvalidOptionError
from pants_docker_buildkit.options.table import InvalidTableError
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.docker_environment import resolve_docker_environment
from pants_docker_buildkit.util_rules.option_values import named_entries, option_path


@dataclass(frozen=True)
class DescribedBuilders:
    """All entries of `[docker-buildkit.builders]`."""

    all: tuple[BuilderDescription, ...]

    def find(self, name: str | None) -> BuilderDescription | None:
        """The builder of this name, unless it is one of the user's own."""
        return next((each for each in self.all if each.name == name), None)


def _parse(name: str, table: object, home: str) -> BuilderDescription:
    try:
        return parse_builder_table(name, table, lambda path: option_path(path, home))
    except InvalidTableError as e:
        option = ".".join(filter(None, ("builders", name, e.setting)))
        raise InvalidOptionError(option, e.requirement, e.finding) from e


@rule(desc="Read described builders")
async def read_described_builders(subsystem: DockerBuildKitSubsystem) -> DescribedBuilders:
    environment = await resolve_docker_environment(**implicitly())
    return DescribedBuilders(
        tuple(
            _parse(name, table, environment.home)
            for name, table in named_entries("builders", subsystem.builders)
        )
    )
