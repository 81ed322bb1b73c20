"""Edit Python source by the places of its syntax tree, and leave all else as it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

_COMMA = re.compile(r"\s*,")
_REST_OF_LINE = re.compile(r"[ \t]*(#[^\n]*)?\n")


@dataclass(frozen=True)
class Edit:
    """Puts `text` in place of what is between two offsets."""

    start: int
    end: int
    text: str


class SourceText:
    """Source, with the places of nodes as offsets into its text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = text.splitlines(keepends=True)
        starts = [0]
        for line in self._lines:
            starts.append(starts[-1] + len(line))
        self._starts = starts

    def start(self, node: ast.expr | ast.keyword) -> int:
        """Where a node begins."""
        return self._offset(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.keyword) -> int:
        """Where a node ends."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._offset(node.end_lineno, node.end_col_offset)

    def replace(self, node: ast.expr, text: str) -> Edit:
        """Put text in place of a node."""
        return Edit(self.start(node), self.end(node), text)

    def add_after(self, item: ast.keyword, text: str) -> Edit:
        """Put an argument after another one: on a line of its own if that has one."""
        start, end = self.start(item), self.end(item)
        line = self.text.rfind("\n", 0, start) + 1
        indent = self.text[line:start]
        return Edit(end, end, f",\n{indent}{text}" if not indent.strip() else f", {text}")

    def remove(self, item: ast.expr | ast.keyword, start: int | None = None) -> Edit:
        """Take out an argument, or an entry that begins at `start`, with its comma and its line."""
        start = self.start(item) if start is None else start
        end = self.end(item)
        comma = _COMMA.match(self.text, end)
        if comma is None:
            # The last of its list: the comma before it goes, if nothing is between them.
            kept = self.text[:start].rstrip()
            return Edit(len(kept) - 1, end, "") if kept.endswith(",") else Edit(start, end, "")
        end = comma.end()
        line = self.text.rfind("\n", 0, start) + 1
        rest = _REST_OF_LINE.match(self.text, end)
        if not self.text[line:start].strip() and rest is not None:
            return Edit(line, rest.end(), "")
        while self.text[end : end + 1] == " ":
            end += 1
        return Edit(start, end, "")

    def apply(self, edits: Iterable[Edit]) -> str:
        """The text after edits, none of which overlap."""
        text = self.text
        for edit in sorted(edits, key=lambda each: each.start, reverse=True):
            text = text[: edit.start] + edit.text + text[edit.end :]
        return text

    def _offset(self, line: int, column: int) -> int:
        # Columns of a syntax tree count bytes of UTF-8.
        before = self._lines[line - 1].encode()[:column] if line <= len(self._lines) else b""
        return self._starts[line - 1] + len(before.decode())
