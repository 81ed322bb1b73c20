"""Edit Python source by the places of its syntax tree, and leave all else as it is."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

_LINE = re.compile(r"[^\r\n]*(\r\n|\r|\n|\Z)")
"""What Python takes for a line, unlike `str.splitlines`."""

_REST_OF_LINE = re.compile(r"[ \t]*(#[^\r\n]*)?(?P<end>\r\n|\r|\n)")
_NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
_TAKEN_OUT = "\0"
"""Stands for what is taken out, until its line is looked at. No Python has it."""

_DEPTH = {**dict.fromkeys("([{", 1), **dict.fromkeys(")]}", -1)}


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
        self._lines = [match.group() for match in _LINE.finditer(text) if match.group()]
        starts = [0]
        for line in self._lines:
            starts.append(starts[-1] + len(line))
        self._starts = starts
        self._line_end = "\r\n" if "\r\n" in text else "\n"

    @cached_property
    def _code(self) -> list[tuple[str, int, int]]:
        """The tokens that are code, with where each begins and ends."""
        lines = (re.sub(r"\r\n?\Z", "\n", line) for line in self._lines)
        tokens = tokenize.generate_tokens(io.StringIO("".join(lines)).readline)
        return [
            (
                token.string,
                self._starts[token.start[0] - 1] + token.start[1],
                self._starts[token.end[0] - 1] + token.end[1],
            )
            for token in tokens
            if token.type not in _NO_CODE and token.string
        ]

    @cached_property
    def _commas(self) -> frozenset[int]:
        """Where the commas end that are code."""
        return frozenset(after for text, _, after in self._code if text == ",")

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
        is_alone = not indent.strip()
        return Edit(end, end, f",{self._line_end}{indent}{text}" if is_alone else f", {text}")

    def add_before(self, node: ast.expr, text: str) -> Edit:
        """Put an entry before another one: on a line of its own if that has one."""
        start = self.start(node)
        indent = self.text[self.text.rfind("\n", 0, start) + 1 : start]
        gap = " " if indent.strip() else f"{self._line_end}{indent}"
        return Edit(start, start, f"{text},{gap}")

    def text_of(self, node: ast.expr, edits: Iterable[Edit]) -> str:
        """The text of a node after those of these edits that are in it."""
        start, end = self.start(node), self.end(node)
        within = [each for each in edits if start <= each.start and each.end <= end]
        joined = self._join(within)
        moved = (Edit(each.start - start, each.end - start, each.text) for each in joined)
        return _apply(self.text[start:end], moved)

    def remove(self, item: ast.expr | ast.keyword, start: int | None = None) -> Edit:
        """Take out an argument, or an entry that begins at `start`, with its comma and its line."""
        start = self.start(item) if start is None else start
        end, is_last = self._end_of_item(start, self.end(item))
        line = self.text.rfind("\n", 0, start) + 1
        rest = _REST_OF_LINE.match(self.text, end)
        if not self.text[line:start].strip() and rest is not None:
            return Edit(line, rest.start("end"), "")
        before = self.text[:start].rstrip()
        if is_last and len(before) in self._commas:
            return Edit(len(before) - 1, end, "")
        while not is_last and self.text[end : end + 1] == " ":
            end += 1
        return Edit(start, end, "")

    def _end_of_item(self, start: int, end: int) -> tuple[int, bool]:
        """Where an item ends that is between two offsets: with its parentheses, and its comma.

        And whether it has no comma, so is the last of its list.
        """
        depth = 0
        for text, at, after in self._code:
            if at < start:
                continue
            if at >= end and depth == 0:
                return (after, False) if text == "," else (end, True)
            depth += _DEPTH.get(text, 0)
            end = max(end, after)
        return end, True

    def apply(self, edits: Iterable[Edit]) -> str:
        """The text after edits. Only what is taken out may overlap."""
        return _apply(self.text, self._join(edits))

    def _join(self, edits: Iterable[Edit]) -> list[Edit]:
        """These edits, in order, where none overlap.

        The last of a list takes the comma before it along. If that went with what is before it, the
        last that stays has a comma to lose.
        """
        joined: list[Edit] = []
        for edit in sorted(edits, key=_place):
            while joined and edit.start < joined[-1].end:
                start = joined.pop().start
                before = len(self.text[:start].rstrip())
                edit = Edit(before - 1 if before in self._commas else start, edit.end, "")
            joined.append(edit)
        return joined

    def _offset(self, line: int, column: int) -> int:
        # Columns of a syntax tree count bytes of UTF-8.
        before = self._lines[line - 1].encode()[:column] if line <= len(self._lines) else b""
        return self._starts[line - 1] + len(before.decode())


def _place(edit: Edit) -> tuple[int, int]:
    """What is put in at a place comes before what is taken out from there."""
    return edit.start, edit.end


def _apply(text: str, edits: Iterable[Edit]) -> str:
    """The text after edits. A line of which nothing is left goes, with a blank one beside it."""
    for edit in sorted(edits, key=_place, reverse=True):
        text = text[: edit.start] + (edit.text or _TAKEN_OUT) + text[edit.end :]
    if _TAKEN_OUT not in text:
        return text
    lines: list[str] = []
    is_after_gap = False
    for match in _LINE.finditer(text):
        line = match.group()
        if _TAKEN_OUT in line and not line.replace(_TAKEN_OUT, "").strip():
            is_after_gap = True
            continue
        if is_after_gap and lines:
            before = lines[-1].rstrip()
            if line and not line.strip() and (not before or before[-1] in "([{"):
                continue
            if not before and line.lstrip()[:1] in tuple(")]}"):
                lines.pop()
        is_after_gap = False
        lines.append(_close_up(line))
    return "".join(lines)


def _close_up(line: str) -> str:
    """A line without what stands for what was taken out, and without the space before that."""
    while _TAKEN_OUT in line:
        before, _, after = line.partition(_TAKEN_OUT)
        if before.strip() and (not after or after[0].isspace()):
            before = before.rstrip()
        elif before.strip() and after[:1] == "#":
            before = f"{before.rstrip()}  "
        line = before + after
    return line
