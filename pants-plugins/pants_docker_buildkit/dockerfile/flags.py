"""Which flags may an instruction have, and are these well-formed?

The counterpart of BuildKit's `instructions/bflag.go`. Flags that only some builds of BuildKit know
(`COPY --parents`, `RUN --security`, `RUN --device`) are accepted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from types import MappingProxyType

from pants_docker_buildkit.dockerfile.errors import InvalidFlagError, UnknownFlagError
from pants_docker_buildkit.dockerfile.instruction import Flag


class FlagType(Enum):
    """What may follow the name of a flag."""

    SWITCH = "switch"
    VALUE = "value"
    VALUES = "values"


_COPY_FLAGS = {
    "chown": FlagType.VALUE,
    "chmod": FlagType.VALUE,
    "link": FlagType.SWITCH,
    "exclude": FlagType.VALUES,
}

FLAGS: Mapping[str, Mapping[str, FlagType]] = MappingProxyType(
    {
        "ADD": {
            **_COPY_FLAGS,
            "keep-git-dir": FlagType.SWITCH,
            "checksum": FlagType.VALUE,
            "unpack": FlagType.SWITCH,
        },
        "COPY": {**_COPY_FLAGS, "from": FlagType.VALUE, "parents": FlagType.SWITCH},
        "FROM": {"platform": FlagType.VALUE},
        "HEALTHCHECK": {
            "interval": FlagType.VALUE,
            "timeout": FlagType.VALUE,
            "start-period": FlagType.VALUE,
            "start-interval": FlagType.VALUE,
            "retries": FlagType.VALUE,
        },
        "RUN": {
            "mount": FlagType.VALUES,
            "network": FlagType.VALUE,
            "security": FlagType.VALUE,
            "device": FlagType.VALUES,
        },
    }
)
"""The flags of each instruction; one that is missing here has none."""

IGNORES_FLAGS = frozenset({"ARG", "STOPSIGNAL"})
"""Instructions whose flags BuildKit drops without a look."""


def parse_flags(keyword: str, words: Sequence[str], line: int) -> tuple[Flag, ...]:
    """The flags that `words` spell, if `keyword` has them."""
    if not words or keyword in IGNORES_FLAGS:
        return ()
    known = FLAGS.get(keyword, {})
    flags: list[Flag] = []
    for word in words:
        name, equals, value = word[2:].partition("=")
        if name not in known:
            raise UnknownFlagError(line, keyword, f"--{name}", known)
        if known[name] != FlagType.VALUES and any(flag.name == name for flag in flags):
            raise InvalidFlagError(line, f"give the flag '--{name}' only once")
        flags.append(Flag(name, value if equals else None))
        _check_value(flags[-1], known[name], line)
    return tuple(flags)


def _check_value(flag: Flag, flag_type: FlagType, line: int) -> None:
    if flag_type is not FlagType.SWITCH:
        if flag.value is None:
            raise InvalidFlagError(line, f"give the flag '--{flag.name}' a value")
    elif flag.value is not None and flag.value.lower() not in ("true", "false"):
        requirement = f"set the flag '--{flag.name}' to 'true' or 'false', not {flag.value!r}"
        raise InvalidFlagError(line, requirement)
