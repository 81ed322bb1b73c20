"""What do `${x#pattern}`, `${x%pattern}` and `${x/pattern/text}` leave of a value?

Patterns know `*`, `?` and escapes, but no `[…]`, as in BuildKit's `shell/lex.go`.
"""

from __future__ import annotations

import re

_MAX_STEPS = 100_000
_MAX_LENGTH = 128 * 1024
_TEMPLATE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))")
_ESCAPABLE = frozenset("*?\\")


class ShellPatternError(ValueError):
    """A pattern is malformed. `requirement` completes "must …"."""

    def __init__(self, requirement: str) -> None:
        self.requirement = requirement
        super().__init__(f"A pattern must {requirement}.")


def trim_prefix(value: str, pattern: str, *, is_greedy: bool) -> str:
    """`value` without the shortest beginning that matches, or the longest if `is_greedy`."""
    match = _compile(pattern, value, 0, is_greedy=is_greedy).match(value)
    return value[match.end() :] if match else value


def trim_suffix(value: str, pattern: str, *, is_greedy: bool) -> str:
    """`value` without the shortest ending that matches, or the longest if `is_greedy`."""
    return trim_prefix(value[::-1], _reversed_pattern(pattern), is_greedy=is_greedy)[::-1]


def replace_pattern(value: str, pattern: str, replacement: str, *, replaces_all: bool) -> str:
    """`value` with its first match replaced, or with all of them."""
    compiled = _compile(pattern, value, 1, is_greedy=True)
    if replaces_all:
        return _replace_all(value, compiled, replacement)
    match = compiled.search(value)
    return value[: match.start()] + replacement + value[match.end() :] if match else value


def _replace_all(value: str, compiled: re.Pattern[str], template: str) -> str:
    """As Go's `ReplaceAllString`: no empty match directly after another, `$0` is the match."""
    result: list[str] = []
    position, last_end, length = 0, -1, 0
    for match in compiled.finditer(value):
        if match.start() == match.end() == last_end:
            continue
        filled = _fill(template, match.group())
        length += match.start() - position + len(filled)
        if length > _MAX_LENGTH:
            raise ShellPatternError(f"not make a value longer than {_MAX_LENGTH} characters")
        result += [value[position : match.start()], filled]
        position = last_end = match.end()
    return "".join([*result, value[position:]])


def _fill(template: str, matched: str) -> str:
    def fill(reference: re.Match[str]) -> str:
        if reference.group(1):
            return "$"
        return matched if (reference.group(2) or reference.group(3)) == "0" else ""

    return _TEMPLATE.sub(fill, template)


def _compile(pattern: str, value: str, starts: int, *, is_greedy: bool) -> re.Pattern[str]:
    """The expression for `pattern`. `starts` is 1 where a match may start anywhere in `value`."""
    pattern = re.sub(r"(?<!\\)\*{2,}", "*", pattern)
    stars = pattern.count("*")
    if stars and (len(value) + 1) ** (stars + starts) > _MAX_STEPS:
        raise ShellPatternError("have fewer '*' for a value as long as this")
    return re.compile(_to_regular_expression(pattern, is_greedy=is_greedy))


def _to_regular_expression(pattern: str, *, is_greedy: bool) -> str:
    star = ".*" if is_greedy else ".*?"
    result: list[str] = []
    characters = iter(range(len(pattern)))
    for index in characters:
        character, following = pattern[index], pattern[index + 1 : index + 2]
        if character == "*":
            result.append(star)
        elif character == "?":
            result.append(".")
        elif character != "\\":
            result.append(re.escape(character))
        elif following in _ESCAPABLE:
            result.append(re.escape(following))
            next(characters)
        elif following == "" or following not in "}/":
            raise ShellPatternError(f"not have '\\{following}': only '*', '?' and '\\' need it")
    return "".join(result)


def _reversed_pattern(pattern: str) -> str:
    """`pattern` back to front, with every escape still before what it escapes."""
    return "".join(reversed(re.findall(r"\\.|.", pattern, flags=re.DOTALL)))
