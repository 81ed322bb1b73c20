"""Does an option that is a map have texts where it must?

Pants takes any JSON or Python value for it from the command line and the environment, and any value
of TOML from a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pants_docker_buildkit.errors import InvalidOptionError


def named_entries(
    option: str, entries: Mapping[Any, Any], scope: str = "docker-buildkit"
) -> tuple[tuple[str, Any], ...]:
    """The entries by name, sorted. Raises `InvalidOptionError` for a name that is no text."""
    for name in entries:
        if not isinstance(name, str):
            raise InvalidOptionError(
                option, "have texts as names of its entries", f"one of them is {name!r}", scope
            )
    return tuple(sorted(entries.items(), key=lambda entry: entry[0]))


def text_entries(option: str, entries: Mapping[Any, Any]) -> dict[str, str]:
    """The entries, all of which are texts. Raises as above for any other value, too."""
    found = dict(named_entries(option, entries))
    for name, value in found.items():
        if not isinstance(value, str):
            requirement = "have a text for each of its names"
            raise InvalidOptionError(option, requirement, f"for {name!r} it has {value!r}")
    return found
