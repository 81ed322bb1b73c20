"""Which flags does an instruction have?

The counterpart of BuildKit's `instructions/bflag.go`. Flags that only some builds of BuildKit know
(`COPY --parents`, `RUN --security`, `RUN --device`) are among them; values are BuildKit's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pants_docker_buildkit.dockerfile.instruction import Flag

_COPY_FLAGS = frozenset({"chown", "chmod", "link", "exclude"})

FLAGS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "ADD": _COPY_FLAGS | {"keep-git-dir", "checksum", "unpack"},
        "COPY": _COPY_FLAGS | {"from", "parents"},
        "FROM": frozenset({"platform"}),
        "HEALTHCHECK": frozenset(
            {"interval", "timeout", "start-period", "start-interval", "retries"}
        ),
        "RUN": frozenset({"mount", "network", "security", "device"}),
    }
)
"""The flags of each instruction; one that is missing here has none."""

IGNORES_FLAGS = frozenset({"ARG", "STOPSIGNAL"})
"""Instructions whose flags BuildKit drops without a look."""


def parse_flags(keyword: str, words: Sequence[str]) -> tuple[tuple[Flag, ...], tuple[str, ...]]:
    """The flags that `words` spell, and the names of those that `keyword` does not have."""
    if keyword in IGNORES_FLAGS:
        return (), ()
    known = FLAGS.get(keyword, frozenset())
    flags: list[Flag] = []
    unknown: list[str] = []
    for word in words:
        name, equals, value = word[2:].partition("=")
        if name in known:
            flags.append(Flag(name, value if equals else None))
        else:
            unknown.append(f"--{name}")
    return tuple(flags), tuple(unknown)
