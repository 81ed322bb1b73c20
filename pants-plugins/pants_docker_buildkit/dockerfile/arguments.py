"""What are the arguments of an instruction?

The counterpart of BuildKit's `parser/line_parsers.go`, one entry per keyword.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pants_docker_buildkit.dockerfile.words import (
    MalformedArgumentsError,
    parse_json_strings,
    split_at_whitespace,
    split_first_word,
    split_name_and_value,
    split_quoted,
)

Splitter = Callable[[str, str], "tuple[tuple[str, ...], bool]"]
"""From the text after the flags and the escape character."""

_LEAST: Mapping[str, int] = MappingProxyType({"ADD": 2, "COPY": 2, "FROM": 1, "ONBUILD": 1})


def split_arguments(keyword: str, text: str, escape: str) -> tuple[tuple[str, ...], bool]:
    """The arguments that `text` gives to `keyword`, and whether it does so in JSON form.

    Raises `MalformedArgumentsError` where they mean nothing; whatever else BuildKit may have
    against them is left to it.
    """
    arguments, is_json = SPLITTERS[keyword](text, escape)
    if len(arguments) < _LEAST.get(keyword, 0):
        raise MalformedArgumentsError(f"{keyword} has too few arguments")
    return arguments, is_json


def _whole(text: str, _escape: str) -> tuple[tuple[str, ...], bool]:
    return ((text,) if text else ()), False


def _words(text: str, _escape: str) -> tuple[tuple[str, ...], bool]:
    return split_at_whitespace(text), False


def _quoted_words(text: str, escape: str) -> tuple[tuple[str, ...], bool]:
    return split_quoted(text, escape), False


def _json_or_whole(text: str, escape: str) -> tuple[tuple[str, ...], bool]:
    strings = parse_json_strings(text)
    return _whole(text, escape) if strings is None else (strings, True)


def _json_or_words(text: str, escape: str) -> tuple[tuple[str, ...], bool]:
    strings = parse_json_strings(text)
    return _words(text, escape) if strings is None else (strings, True)


def _health_check(text: str, escape: str) -> tuple[tuple[str, ...], bool]:
    kind, command = split_first_word(text)
    arguments, is_json = _json_or_whole(command, escape)
    return ((kind, *arguments) if kind else ()), is_json


def _names_and_values(text: str, escape: str) -> tuple[tuple[str, ...], bool]:
    words = split_quoted(text, escape)
    if words and "=" not in words[0]:
        pair = split_name_and_value(text)
        if pair is None:
            raise MalformedArgumentsError(f"{words[0]!r} has no value")
        return pair, False
    arguments: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise MalformedArgumentsError(f"{word!r} has no '='")
        arguments += (name, value)
    return tuple(arguments), False


SPLITTERS: Mapping[str, Splitter] = MappingProxyType(
    {
        "ADD": _json_or_words,
        "ARG": _quoted_words,
        "CMD": _json_or_whole,
        "COPY": _json_or_words,
        "ENTRYPOINT": _json_or_whole,
        "ENV": _names_and_values,
        "EXPOSE": _words,
        "FROM": _words,
        "HEALTHCHECK": _health_check,
        "LABEL": _names_and_values,
        "MAINTAINER": _whole,
        "ONBUILD": _whole,
        "RUN": _json_or_whole,
        "SHELL": _json_or_whole,
        "STOPSIGNAL": _whole,
        "USER": _whole,
        "VOLUME": _json_or_words,
        "WORKDIR": _whole,
    }
)
"""Every instruction that BuildKit has, and how it splits what follows the flags."""
