"""What does a `RUN --mount` mount?

The counterpart of BuildKit's `instructions/commands_runmount.go`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from pants_docker_buildkit.dockerfile.instruction import Instruction


class MountType(str, Enum):
    """What is mounted."""

    BIND = "bind"
    CACHE = "cache"
    TMPFS = "tmpfs"
    SECRET = "secret"
    SSH = "ssh"


@dataclass(frozen=True)
class Mount:
    """One mount of a `RUN`, as far as it is understood.

    `origin` is its `from=`: a stage, an image or a named context. What depends on a variable
    without a known value is `None`, and so is a type of mount that we do not know.
    """

    mount_type: MountType | None
    origin: str = ""
    source: str | None = ""


def mount_origins(instruction: Instruction) -> tuple[str, ...]:
    """The `from=` of every mount, `""` where there is none. BuildKit allows no variable in it."""
    texts = instruction.flag_values("mount")
    return tuple(_last_origin(_split_fields(text)) for text in texts)


def parse_mounts(
    instruction: Instruction, expand: Callable[[str], str | None]
) -> tuple[Mount, ...]:
    """The mounts of a `RUN`. `expand` gives every value, `None` where it is not known."""
    return tuple(_parse_mount(text, expand) for text in instruction.flag_values("mount"))


def _parse_mount(text: str, expand: Callable[[str], str | None]) -> Mount:
    values: dict[str, str | None] = {"type": "bind", "source": ""}
    fields = _split_fields(text)
    for key, value in fields:
        values[key] = "true" if value is None else expand(value)
    return Mount(_parse_type(values["type"]), _last_origin(fields), values["source"])


def _last_origin(fields: list[tuple[str, str | None]]) -> str:
    return next((value for key, value in reversed(fields) if key == "from" and value), "")


def _parse_type(text: str | None) -> MountType | None:
    try:
        return None if text is None else MountType(text.lower())
    except ValueError:
        return None


def _split_fields(text: str) -> list[tuple[str, str | None]]:
    """The options of a mount, by the name that each has first in the reference."""
    fields = []
    for field in _split_csv(text):
        key, equals, value = field.partition("=")
        key = key.lower()
        fields.append(("source" if key == "src" else key, value if equals else None))
    return fields


def _split_csv(text: str) -> list[str]:
    """One record of comma-separated values. A quote that stands where none may is taken as it is.

    BuildKit refuses that.
    """
    fields, position = [], 0
    while position < len(text):
        if text.startswith('"', position):
            field, position = _read_quoted_field(text, position + 1)
        else:
            end = text.find(",", position)
            end = len(text) if end < 0 else end
            field, position = text[position:end], end
        fields.append(field)
        position += 1
    return fields


def _read_quoted_field(text: str, position: int) -> tuple[str, int]:
    field = ""
    while True:
        end = text.find('"', position)
        end = len(text) if end < 0 else end
        field += text[position:end]
        if text[end + 1 : end + 2] != '"':
            return field, end + 1
        field, position = field + '"', end + 2
