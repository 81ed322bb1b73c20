"""Is an argument too long for the system? Then no program starts, and nobody names it."""

from __future__ import annotations

from collections.abc import Iterable

MAX_ARGUMENT = 128 * 1024 - 1
"""Of one argument, without its end: `MAX_ARG_STRLEN` of Linux. macOS has no limit of its own."""

_LONGEST_NAME = 100


class ArgumentTooLongError(ValueError):
    """An argument of buildx is longer than a system takes. `flag` is what it belongs to."""

    def __init__(self, flag: str, name: str, size: int) -> None:
        super().__init__(
            f"Each argument of buildx must have at most {MAX_ARGUMENT} bytes, but that of"
            f" '{flag} {name}' has {size}. Put what is so long into a file of the image."
        )


def check_argument_sizes(arguments: Iterable[str]) -> None:
    """Raise `ArgumentTooLongError` where an argument is too long. Those of flags follow them."""
    flag = ""
    for argument in arguments:
        size = len(argument.encode("utf-8", "surrogateescape"))
        if size > MAX_ARGUMENT:
            name, separator, _ = argument[:_LONGEST_NAME].partition("=")
            raise ArgumentTooLongError(flag, f"{name}=…" if separator else f"{name}…", size)
        flag = argument
