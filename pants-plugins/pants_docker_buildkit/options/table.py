"""Read a table of an options file.

Its values come untyped. Each is read as what it must be, or refused with the setting's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_SIZE = re.compile(r"\d+(\.\d+)? ?([kMGT]i?B?|B|%)?", re.IGNORECASE)


LONGEST_SECONDS = 366 * 24 * 3600
"""Whoever writes more means without end, and the system's clocks have one."""


class InvalidTableError(ValueError):
    """A setting must hold something else. `requirement` completes "must …".

    `setting` is its path, empty for the table itself.
    """

    def __init__(self, setting: str, requirement: str, finding: str) -> None:
        self.setting = setting
        self.requirement = requirement
        self.finding = finding
        super().__init__(f"{setting or 'The table'} must {requirement}, but {finding}.")


@dataclass(frozen=True)
class OptionTable:
    """A table at a path. A setting that is missing reads as `None`, or as none of several.

    Creating and reading it raise `InvalidTableError`, which repeats the value.
    """

    path: str
    content: Any

    def __post_init__(self) -> None:
        if not isinstance(self.content, Mapping):
            requirement = 'be a table, as {name = "value"}'
            raise InvalidTableError(self.path, requirement, f"is {self.content!r}")

    def at(self, key: str) -> str:
        """The path of a setting."""
        return f"{self.path}.{key}" if self.path else key

    def has(self, key: str) -> bool:
        """Whether a setting is there."""
        return self.content.get(key) is not None

    def only(self, known: Iterable[str], condition: str = "") -> None:
        """Refuse other settings than these, which are `known` under some condition."""
        unknown = sorted(set(self.content) - set(known))
        if unknown:
            names = ", ".join(f"`{key}`" for key in sorted(known))
            requirement = f"only have the settings {names}{condition}"
            raise InvalidTableError(self.path, requirement, f"has `{unknown[0]}`")

    def text(self, key: str, kind: str = "a text") -> str | None:
        """A text that is not empty. `kind` says what it is for."""
        value = self.content.get(key)
        if value is None or (isinstance(value, str) and value):
            return value
        raise InvalidTableError(self.at(key), f"be {kind}", f"is {value!r}")

    def required_text(self, key: str) -> str:
        """A text that must be there."""
        value = self.text(key)
        if value is None:
            raise InvalidTableError(self.at(key), "be a text", "it is missing")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self.content.get(key, ())
        if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
            return tuple(value)
        raise InvalidTableError(
            self.at(key), 'be a list of texts, as ["one", "two"]', f"is {value!r}"
        )

    def boolean(self, key: str) -> bool | None:
        """True or false, which the command line can only give as a text."""
        value = self.content.get(key)
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if value is None or isinstance(value, bool):
            return value
        raise InvalidTableError(self.at(key), "be true or false", f"is {value!r}")

    def seconds(self, key: str, default: int) -> int:
        """A number of seconds, at most `LONGEST_SECONDS`."""
        found = self._above_zero(key, "a whole number of seconds above 0") or default
        return min(found, LONGEST_SECONDS)

    def count(self, key: str) -> int | None:
        """A number of things."""
        return self._above_zero(key, "a whole number above 0")

    def _above_zero(self, key: str, kind: str) -> int | None:
        value = self.content.get(key)
        if value is None or (type(value) is int and value > 0):
            return value
        raise InvalidTableError(self.at(key), f"be {kind}", f"is {value!r}")

    def size(self, key: str) -> str | None:
        """A number of bytes or a part of the disk, as BuildKit reads it."""
        value = self.content.get(key)
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if text is None or (isinstance(text, str) and _SIZE.fullmatch(text)):
            return text
        raise InvalidTableError(self.at(key), 'be a size such as "10GB" or "20%"', f"is {value!r}")

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """The texts of a table, sorted by their names. Numbers and booleans become texts."""
        table = self.table(key)
        found = {}
        for name, value in table.content.items():
            if not isinstance(value, (str, int, float)):
                raise InvalidTableError(table.at(name), "be a text", f"is {value!r}")
            found[name] = str(value).lower() if isinstance(value, bool) else str(value)
        return tuple(sorted(found.items()))

    def table(self, key: str) -> OptionTable:
        """A table in this table, an empty one if it is missing."""
        return OptionTable(self.at(key), self.content.get(key, {}))

    def tables(self, key: str) -> tuple[OptionTable, ...]:
        """A list of tables."""
        value = self.content.get(key, ())
        if not isinstance(value, (list, tuple)):
            raise InvalidTableError(self.at(key), "be a list of tables", f"is {value!r}")
        return tuple(
            OptionTable(f"{self.at(key)}[{index}]", each) for index, each in enumerate(value)
        )
