"""Does an option hold a value that can be used, and what does it stand for?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pants.base.build_environment import get_buildroot

from pants_docker_buildkit.errors import InvalidOptionError
from pants_docker_buildkit.options.table import LONGEST_SECONDS


def named_entries(
    option: str, entries: Mapping[Any, Any], scope: str = "docker-buildkit"
) -> tuple[tuple[str, Any], ...]:
    """The entries by name, sorted. Raises `InvalidOptionError` for a name that is no text.

    Pants takes any JSON or Python value from the command line and the environment, and any value of
    TOML from a file.
    """
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


def above_zero(option: str, number: int, kind: str = "a number") -> int:
    """What an option says that has to be positive. Raises `InvalidOptionError`."""
    if number <= 0:
        raise InvalidOptionError(option, f"be {kind} above zero", f"it is {number}")
    return number


def seconds(option: str, number: int) -> int:
    """How long something may take, as an option says. Raises `InvalidOptionError`."""
    return min(above_zero(option, number, "a number of seconds"), LONGEST_SECONDS)


def option_path(text: str, home: str) -> str:
    """An absolute path: below the user's `home` directory after `~`, else below the build root."""
    is_below_home = text == "~" or text.startswith("~/")
    parts = (home, text[2:]) if is_below_home else (text,)
    return os.path.normpath(os.path.join(get_buildroot(), *parts))
