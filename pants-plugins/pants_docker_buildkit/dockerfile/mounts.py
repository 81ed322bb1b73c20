"""What does a `RUN --mount` mount?

The counterpart of BuildKit's `instructions/commands_runmount.go`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from pants_docker_buildkit.dockerfile.errors import InvalidMountError
from pants_docker_buildkit.dockerfile.instruction import Instruction


class MountType(str, Enum):
    """What is mounted."""

    BIND = "bind"
    CACHE = "cache"
    TMPFS = "tmpfs"
    SECRET = "secret"
    SSH = "ssh"


_ALIASES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}
_SWITCHES = frozenset({"readonly", "readwrite", "rw", "required"})
_KEYS = frozenset(
    {*_SWITCHES, "type", "from", "source", "target", "id", "sharing", "size", "mode", "uid", "gid"}
) | {"env"}
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


@dataclass(frozen=True)
class Mount:
    """One mount of a `RUN`. `origin` is its `from=`: a stage, an image or a named context."""

    mount_type: MountType
    origin: str = ""
    source: str = ""
    target: str = ""
    id: str = ""
    is_required: bool = False

    @property
    def identity(self) -> str:
        """The name by which a secret or an SSH agent is asked for."""
        if self.mount_type is MountType.SSH:
            return self.id or "default"
        return self.source or self.id or self.target.rpartition("/")[2]


def check_mounts(instruction: Instruction) -> None:
    """Refuse what BuildKit refuses before variables have values."""
    for text in instruction.flag_values("mount"):
        for key, value in _split_fields(text, instruction.start_line):
            if key == "from" and value is not None and "$" in value[:-1]:
                requirement = (
                    "not have a variable in the 'from' of a mount. Define a stage with FROM instead"
                )
                raise InvalidMountError(instruction.start_line, requirement)


def mount_origins(instruction: Instruction) -> tuple[str, ...]:
    """The `from=` of every mount as it is written, `""` where there is none."""
    origins = []
    for text in instruction.flag_values("mount"):
        values = [v for k, v in _split_fields(text, instruction.start_line) if k == "from" and v]
        origins.append(values[-1] if values else "")
    return tuple(origins)


def parse_mounts(instruction: Instruction, expand: Callable[[str], str]) -> tuple[Mount, ...]:
    """The mounts of a `RUN`, with `expand` applied to every value."""
    line = instruction.start_line
    return tuple(_parse_mount(text, expand, line) for text in instruction.flag_values("mount"))


def _parse_mount(text: str, expand: Callable[[str], str], line: int) -> Mount:
    values: dict[str, str] = {}
    for key, value in _split_fields(text, line):
        if value is None and key not in _SWITCHES:
            raise InvalidMountError(line, f"give the mount option '{key}' a value")
        expanded = "true" if value is None else expand(value)
        if key not in _KEYS:
            listed = ", ".join(f"'{known}'" for known in sorted(_KEYS))
            raise InvalidMountError(line, f"not use the mount option '{key}'. Options: {listed}")
        values[key] = expanded
    mount = Mount(
        _parse_type(values.get("type", "bind"), line),
        values.get("from", ""),
        values.get("source", ""),
        values.get("target", ""),
        values.get("id", ""),
        _parse_switch(values.get("required", "false"), "required", line),
    )
    _check_mount(mount, line)
    return mount


def _parse_type(text: str, line: int) -> MountType:
    try:
        return MountType(text.lower())
    except ValueError:
        listed = ", ".join(f"'{known.value}'" for known in MountType)
        raise InvalidMountError(line, f"have a mount type of {listed}, not {text!r}") from None


def _parse_switch(text: str, key: str, line: int) -> bool:
    if text not in _TRUE | _FALSE:
        requirement = f"set the mount option '{key}' to 'true' or 'false', not {text!r}"
        raise InvalidMountError(line, requirement)
    return text in _TRUE


def _check_mount(mount: Mount, line: int) -> None:
    if mount.mount_type is not MountType.SECRET:
        return
    if mount.origin:
        raise InvalidMountError(line, "not have a 'from' in a secret mount")
    if not (mount.source or mount.target or mount.id):
        raise InvalidMountError(line, "give a secret mount an 'id' or a 'target'")
    if mount.source and mount.id:
        raise InvalidMountError(line, "give a secret mount either 'id' or 'source', not both")


def _split_fields(text: str, line: int) -> list[tuple[str, str | None]]:
    """Keys in lower case with aliases resolved, and values, `None` where there is no `=`."""
    fields = []
    for part in _split_csv(text, line):
        key, equals, value = part.partition("=")
        key = key.lower()
        fields.append((_ALIASES.get(key, key), value if equals else None))
    return fields


def _split_csv(text: str, line: int) -> list[str]:
    """The fields of one line of CSV; a quote may only enclose a whole field."""
    if text == "":
        raise InvalidMountError(line, "not have an empty mount")
    fields, position = [], 0
    while True:
        if text.startswith('"', position):
            field, position = _read_quoted_field(text, position + 1, line)
        else:
            end = text.find(",", position)
            end = len(text) if end < 0 else end
            field, position = text[position:end], end
            if '"' in field:
                raise InvalidMountError(line, "have quotes only around a whole option of a mount")
        fields.append(field)
        if position >= len(text):
            return fields
        position += 1


def _read_quoted_field(text: str, position: int, line: int) -> tuple[str, int]:
    field = ""
    while True:
        end = text.find('"', position)
        if end < 0:
            raise InvalidMountError(line, "close every quote in a mount")
        field += text[position:end]
        if text[end + 1 : end + 2] != '"':
            break
        field, position = field + '"', end + 2
    if text[end + 1 : end + 2] not in ("", ","):
        raise InvalidMountError(line, "have quotes only around a whole option of a mount")
    return field, end + 1
