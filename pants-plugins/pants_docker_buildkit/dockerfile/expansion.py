"""What does a word of a Dockerfile become when its variables are expanded?

The rules are those of BuildKit's `frontend/dockerfile/shell/lex.go`, much like a POSIX shell's:
`$x`, `${x}`, the modifiers `:-` `-` `:+` `+` `:?` `?` `#` `##` `%` `%%` `/` `//`, quotes, escapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from pants_docker_buildkit.dockerfile.characters import SPACES
from pants_docker_buildkit.dockerfile.shell_pattern import (
    ShellPatternError,
    replace_pattern,
    trim_prefix,
    trim_suffix,
)

MAX_NESTING = 50
"""How deep `${a:-${b:-…}}` may nest. BuildKit has no limit; a Dockerfile has no use for more."""

MAX_LENGTH = 128 * 1024
"""How long a word may become: Linux hands a program no longer argument and no longer variable."""

_SPECIAL_PARAMETERS = frozenset("@*#?-$!0")
_MODIFIERS = frozenset("+-?#%")
_HEREDOC_SPACES = frozenset("\t\r ")
_BYTE_ORDER_MARK = "\ufeff"
_PLAIN = re.compile(r"[^$<'\"\\`}/]*")


class ExpansionError(ValueError):
    """An expression cannot be expanded. `requirement` completes "must …"."""

    def __init__(self, requirement: str) -> None:
        self.requirement = requirement
        super().__init__(f"An expression must {requirement}.")


@dataclass(frozen=True)
class Expansion:
    """A word after expansion, and the variables that it asked for: those that were set or not."""

    text: str
    matched: frozenset[str] = frozenset()
    unmatched: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ExpansionRules:
    """How to treat quotes, escapes and unset variables; by default as in `FROM` or `COPY`."""

    escape: str = "\\"
    keeps_quotes: bool = False
    keeps_escapes: bool = False
    keeps_unset: bool = False
    """Leave `$x` as it stands where `x` is not set."""


Lookup = Callable[[str], "str | None"]
"""The value of a variable, or `None` where it is not set."""


def is_literal(word: str, rules: ExpansionRules) -> bool:
    """Whether `word` is its own expansion, as nothing in it has a meaning."""
    return not any(special in word for special in ("$", "'", '"', rules.escape, _BYTE_ORDER_MARK))


def expand(word: str, lookup: Lookup, rules: ExpansionRules) -> Expansion:
    """`word` with its variables replaced and its quotes removed, as one word."""
    if is_literal(word, rules):
        return Expansion(word)
    lexer = _Lexer(word, lookup, rules)
    text = lexer.read_all()
    return Expansion(text, frozenset(lexer.matched), frozenset(lexer.unmatched))


def expand_to_words(text: str, lookup: Lookup, rules: ExpansionRules) -> tuple[str, ...]:
    """`text` expanded, then split at white space that is not quoted."""
    words = _Words()
    _Lexer(text, lookup, rules, words).read_all()
    return words.finish()


@dataclass
class _Words:
    """Collects words: white space ends one, unless it comes from quotes or an escape."""

    finished: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        for character in text:
            if character not in SPACES:
                self.current.append(character)
            elif self.current:
                self.end_word()

    def add_raw(self, text: str) -> None:
        if text:
            self.current.append(text)

    def end_word(self) -> None:
        self.finished.append("".join(self.current))
        self.current.clear()

    def finish(self) -> tuple[str, ...]:
        if self.current:
            self.end_word()
        return tuple(self.finished)


class _Lexer:
    """One pass over one text. `""` stands for the end of the text, as a peeked character.

    `words`, where they are wanted, are those of the whole text; nothing nested has any.
    """

    def __init__(
        self, text: str, lookup: Lookup, rules: ExpansionRules, words: _Words | None = None
    ) -> None:
        self._words = words
        self._text = text[1:] if text.startswith(_BYTE_ORDER_MARK) else text
        self._position = 0
        self._lookup = lookup
        self._rules = rules
        self._keeps_escapes = rules.keeps_escapes
        self._depth = 0
        self._taken = 0
        self.matched: set[str] = set()
        self.unmatched: set[str] = set()

    def read_all(self) -> str:
        """The text up to its end."""
        return self._read_until(None, keeps_escapes=self._rules.keeps_escapes)

    def _read_until(self, stop: str | None, *, keeps_escapes: bool) -> str:
        """The text up to `stop`, which is consumed, or up to the end."""
        outer, self._keeps_escapes = self._keeps_escapes, keeps_escapes
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise ExpansionError(f"not nest variables deeper than {MAX_NESTING} levels")
        result: list[str] = []
        while (character := self._peek()) not in ("", stop):
            result.append(self._read_next(character))
        if stop is not None:
            if character == "":
                raise ExpansionError(f"close the variable with '{stop}'")
            self._position += 1
        self._depth -= 1
        self._keeps_escapes = outer
        return "".join(result)

    def _read_next(self, character: str) -> str:
        words = self._words if self._depth == 1 else None
        is_raw = True
        if character == "$":
            text, is_raw = self._read_dollar(), False
        elif character == "<":
            text = self._read_angle_bracket()
        elif character in "'\"":
            text = self._read_quotes(character)
        elif character == self._rules.escape:
            text = self._read_escape()
        else:
            text, is_raw = self._read_plain(), False
        if words is not None:
            (words.add_raw if is_raw else words.add)(text)
        return text

    def _read_plain(self) -> str:
        """The characters from here that mean nothing in any set of rules, and at least one."""
        run = _PLAIN.match(self._text, self._position + 1)
        start, self._position = self._position, run.end() if run else self._position + 1
        return self._text[start : self._position]

    def _read_escape(self) -> str:
        escape = self._next()
        return (escape if self._keeps_escapes else "") + self._next()

    def _read_quotes(self, quote: str) -> str:
        self._position += 1
        inside = self._read_single_quoted() if quote == "'" else self._read_double_quoted()
        return f"{quote}{inside}{quote}" if self._rules.keeps_quotes else inside

    def _read_single_quoted(self) -> str:
        end = self._text.find("'", self._position)
        if end < 0:
            raise ExpansionError("close every single quote")
        inside = self._text[self._position : end]
        self._position = end + 1
        return inside

    def _read_double_quoted(self) -> str:
        result: list[str] = []
        while (character := self._peek()) != '"':
            if character == "":
                raise ExpansionError("close every double quote")
            if character == "$":
                result.append(self._read_dollar())
            elif character == self._rules.escape:
                result.append(self._read_quoted_escape())
            else:
                result.append(self._next())
        self._position += 1
        return "".join(result)

    def _read_quoted_escape(self) -> str:
        """Between double quotes, an escape is one only before `"`, `$` and itself."""
        escape = self._next()
        kept = escape if self._keeps_escapes else ""
        following = self._peek()
        if following == "":
            return kept
        if following in ('"', "$", escape):
            return kept + self._next()
        return kept + escape

    def _read_angle_bracket(self) -> str:
        """`<`, or `<<` together with the spaces after it, which belong to a heredoc's word."""
        start = self._position
        self._position += 1
        if self._peek() == "<":
            self._position += 1
            while self._peek() in _HEREDOC_SPACES:
                self._position += 1
        return self._text[start : self._position]

    def _read_dollar(self) -> str:
        text = self._read_variable()
        self._taken += len(text)
        if self._taken > MAX_LENGTH:
            raise ExpansionError(f"not become longer than {MAX_LENGTH} characters")
        return text

    def _read_variable(self) -> str:
        self._position += 1
        if self._peek() == "{":
            self._position += 1
            return self._read_braces()
        name = self._read_name()
        if name == "":
            return "$"
        value = self._value(name)
        if value is None:
            return f"${name}" if self._rules.keeps_unset else ""
        return value

    def _read_braces(self) -> str:
        if self._peek() == "":
            raise ExpansionError("close the variable with '}'")
        if self._peek() in "{}:":
            raise ExpansionError("name a variable between '${' and '}'")
        name = self._read_name()
        operator = self._next()
        if operator == "}":
            value = self._value(name)
            if value is None:
                return f"${{{name}}}" if self._rules.keeps_unset else ""
            return value
        if operator == "/":
            return self._read_replacement(name)
        ignores_empty = operator == ":"
        if ignores_empty:
            operator = self._next()
        if operator == "":
            raise ExpansionError("close the variable with '}'")
        if operator not in _MODIFIERS or (ignores_empty and operator in "#%"):
            if name == "":
                raise ExpansionError("name a variable between '${' and '}'")
            shown = ":" * ignores_empty + operator
            raise ExpansionError(f"not use '{shown}' after the name of the variable '{name}'")
        return self._read_modified(name, operator, ignores_empty=ignores_empty)

    def _read_modified(self, name: str, operator: str, *, ignores_empty: bool) -> str:
        trims = operator in "#%"
        word = self._read_until("}", keeps_escapes=trims)
        value = self._value(name)
        if value is None and self._rules.keeps_unset:
            return f"${{{name}{':' * ignores_empty}{operator}{word}}}"
        if trims:
            return self._trim(operator, word, value or "")
        has_value = value is not None and not (ignores_empty and value == "")
        if operator == "+":
            return word if has_value else ""
        if has_value:
            return value or ""
        if operator == "-":
            return word
        state = "unset" if value is None else "empty"
        why = word or f"it is not allowed to be {state}"
        raise ExpansionError(f"have a value for the variable '{name}': {why}")

    def _trim(self, operator: str, pattern: str, value: str) -> str:
        is_greedy = pattern.startswith(operator)
        trim = trim_prefix if operator == "#" else trim_suffix
        try:
            return trim(value, pattern[is_greedy:], is_greedy=is_greedy)
        except ShellPatternError as e:
            raise ExpansionError(e.requirement) from e

    def _read_replacement(self, name: str) -> str:
        replaces_all = self._peek() == "/"
        if replaces_all:
            self._position += 1
        pattern = self._read_until("/", keeps_escapes=True)
        replacement = self._read_until("}", keeps_escapes=True)
        value = self._value(name)
        if value is None and self._rules.keeps_unset:
            return f"${{{name}/{pattern}/{replacement}}}"
        try:
            return replace_pattern(value or "", pattern, replacement, replaces_all=replaces_all)
        except ShellPatternError as e:
            raise ExpansionError(e.requirement) from e

    def _read_name(self) -> str:
        start = self._position
        first = self._peek()
        if first.isdecimal():
            while self._peek().isdecimal():
                self._position += 1
        elif first in _SPECIAL_PARAMETERS:
            self._position += 1
        else:
            while (
                (character := self._peek()).isalpha() or character.isdecimal() or character == "_"
            ):
                self._position += 1
        return self._text[start : self._position]

    def _value(self, name: str) -> str | None:
        value = self._lookup(name)
        (self.unmatched if value is None else self.matched).add(name)
        return value

    def _peek(self) -> str:
        return self._text[self._position : self._position + 1]

    def _next(self) -> str:
        character = self._peek()
        self._position += 1
        return character
