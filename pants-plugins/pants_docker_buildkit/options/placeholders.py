"""What do the placeholders in a text stand for?

`{name}`, `{build_args.NAME}`, and `{git_sha:.12}` for a part of a value, with a format of Python.
`{{` and `}}` are braces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Union

_PIECE = re.compile(r"\{\{|\}\}|\{(?P<name>[A-Za-z_][\w.-]*)(?::(?P<format>[^{}]*))?\}|[{}]")
_BRACES = "Write '{{' and '}}' where braces stand for themselves"
_ADVICE = {
    "build_args": " Give it a value in `extra_build_args` or `[docker-buildkit].build_args`, or set"
    " the variable of its name that they take it from."
}

Values = Mapping[str, Union[str, Mapping[str, str]]]


class InvalidPlaceholderError(ValueError):
    """A text has braces that mean nothing. `finding` completes "…, but", `hint` is a sentence."""

    def __init__(self, finding: str, hint: str) -> None:
        self.finding = finding
        self.hint = hint
        super().__init__(f"A text must only have known placeholders, but {finding}. {hint}")


@dataclass(frozen=True)
class Placeholders:
    """The values of placeholders. What stands in a value is not looked at again."""

    values: Values

    def merge(self, more: Values) -> Placeholders:
        """These and more; more wins."""
        return Placeholders({**self.values, **more})

    def fill(self, text: str) -> str:
        """`text` with its placeholders replaced."""
        return _PIECE.sub(lambda piece: self._replace(piece, text), text)

    def _replace(self, piece: re.Match[str], text: str) -> str:
        if piece.group() in ("{{", "}}"):
            return piece.group()[0]
        name = piece["name"]
        if name is None:
            finding = f"{text!r} has a {piece.group()!r} that belongs to none"
            raise InvalidPlaceholderError(finding, f"{_BRACES}.")
        group, dot, key = name.partition(".")
        found = self.values.get(group)
        if dot and isinstance(found, Mapping):
            found = found.get(key)
        if not isinstance(found, str) or (dot and isinstance(self.values.get(group), str)):
            known = ", ".join(f"'{{{each}}}'" for each in self._names())
            finding = f"{text!r} has {piece.group()!r}"
            advice = _ADVICE.get(group, "") if dot else ""
            raise InvalidPlaceholderError(finding, f"Known are {known}.{advice} {_BRACES}.")
        try:
            return format(found, piece["format"] or "")
        except ValueError as e:
            finding = f"{text!r} has {piece.group()!r}, whose format means nothing ({e})"
            raise InvalidPlaceholderError(finding, f"{_BRACES}.") from e

    def _names(self) -> Iterator[str]:
        for name, value in sorted(self.values.items()):
            if isinstance(value, str):
                yield name
            else:
                yield from (f"{name}.{key}" for key in sorted(value))
