"""Does an option hold a number that can be used?"""

from __future__ import annotations

from pants_docker_buildkit.errors import InvalidOptionError
from pants_docker_buildkit.options.table import LONGEST_SECONDS


def above_zero(option: str, number: int, kind: str = "a number") -> int:
    """What an option says that has to be positive. Raises `InvalidOptionError`."""
    if number <= 0:
        raise InvalidOptionError(option, f"be {kind} above zero", f"it is {number}")
    return number


def seconds(option: str, number: int) -> int:
    """How long something may take, as an option says. Raises `InvalidOptionError`."""
    return min(above_zero(option, number, "a number of seconds"), LONGEST_SECONDS)
