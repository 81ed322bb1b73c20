"""`type=…,key=value` strings for exporters, cache importers and exporters, and secrets.

buildx reads them as one CSV record (https://pkg.go.dev/encoding/csv), so a value with a comma or a
quote has to be quoted as a whole field.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping

from pants_docker_buildkit.oci.invalid_text import InvalidTextError


class InvalidAttributesError(InvalidTextError):
    """Text that should be `key=value` attributes is not."""

    noun = "attributes"


def render_attributes(attributes: Iterable[tuple[str, str]]) -> str:
    """One CSV record of `key=value` fields, in the given order."""
    return _record(f"{key}={value}" for key, value in attributes)


def render_values(values: Iterable[str]) -> str:
    """One CSV record of plain values, as the `name` attribute takes several references."""
    return _record(values)


def parse_cache_attributes(text: str) -> Mapping[str, str]:
    """The attributes of a cache importer or exporter.

    A bare reference such as `ghcr.io/org/cache` stands for a `registry` cache, as in buildx.
    """
    fields = _fields(text)
    if not fields:
        raise InvalidAttributesError(text, "not be empty")
    if len(fields) == 1 and "=" not in fields[0]:
        return {"type": "registry", "ref": fields[0]}
    attributes = {}
    for each in fields:
        key, separator, value = each.partition("=")
        if not separator:
            raise InvalidAttributesError(text, f"consist of key=value pairs, unlike {each!r}")
        attributes[key.strip().lower()] = value
    if "type" not in attributes:
        raise InvalidAttributesError(
            text, "have a type, as in 'type=registry,ref=ghcr.io/org/cache'"
        )
    return attributes


def read_caches(text: str, resolve: Callable[[str], str]) -> tuple[str, ...]:
    """The caches that `text` names, one or several references or one set of attributes.

    `resolve` gives the absolute path of a directory that a `local` cache names: buildx itself runs
    in one that is gone after the build.
    """
    texts = (text,) if "=" in text else _fields(text)
    return tuple(_resolved(each, resolve) for each in texts or (text,))


def is_inline_cache(text: str) -> bool:
    """Whether what `read_caches` gave is the cache that an image itself contains."""
    return parse_cache_attributes(text)["type"] == "inline"


def _resolved(text: str, resolve: Callable[[str], str]) -> str:
    attributes = parse_cache_attributes(text)
    if attributes["type"] != "local":
        return text
    return render_attributes(
        (key, resolve(value) if key in ("src", "dest") else value)
        for key, value in attributes.items()
    )


def read_ssh(text: str, resolve: Callable[[str], str]) -> str:
    """An agent or keys for SSH, `ID` or `ID=PATH,PATH`, with absolute paths."""
    name, equals, paths = text.partition("=")
    if not paths:
        return text
    # What has a `=` of its own is an option.
    resolved = (each if "=" in each else resolve(each) for each in paths.split(","))
    return f"{name}{equals}{','.join(resolved)}"


def _fields(text: str) -> tuple[str, ...]:
    try:
        return tuple(next(csv.reader([text]), ()))
    except csv.Error as e:
        raise InvalidAttributesError(text, "be one record of comma-separated values") from e


def _record(fields: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(list(fields))
    return buffer.getvalue()
