"""Which parser directives (`# syntax=`, `# escape=`, `# check=`) open a Dockerfile?

https://docs.docker.com/reference/dockerfile/#parser-directives. BuildKit looks for the frontend in
more places than for the others: after a `#!` line, in `// syntax=`, and in a JSON document.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from pants_docker_buildkit.dockerfile.characters import REGEXP_SPACES, strip_spaces
from pants_docker_buildkit.dockerfile.limits import Limit

DEFAULT_ESCAPE = "\\"
_ESCAPES = (DEFAULT_ESCAPE, "`")

_S = f"[{REGEXP_SPACES}]*"
_DIRECTIVE = (
    r"{comment}" + _S + r"([a-zA-Z][a-zA-Z0-9]*)" + _S + "=" + _S + r"([^\n]+?)" + _S + r"\Z"
)
_HASH_DIRECTIVE = re.compile(_DIRECTIVE.format(comment="#"))
_SLASHES_DIRECTIVE = re.compile(_DIRECTIVE.format(comment="//"))
_NAMES = frozenset({"syntax", "escape", "check"})
_DOCKERFILE_FRONTEND = re.compile(r"(?:.+/)?docker/dockerfile(?:-upstream)?(?:[:@].*)?")


@dataclass(frozen=True)
class Frontend:
    """The image that interprets the file: the first word of `# syntax=`, and the line that has it.

    `line` is `None` where the frontend was chosen from outside (`BUILDKIT_SYNTAX`).
    """

    reference: str
    line: int | None

    @property
    def is_dockerfile(self) -> bool:
        """Whether this frontend reads Dockerfiles: `docker/dockerfile`, or a mirror of it."""
        return _DOCKERFILE_FRONTEND.fullmatch(self.reference) is not None


class DirectiveReader:
    """Takes the directives from the lines of a file, one by one, until a line is not one.

    `limits` are those that BuildKit refuses.
    """

    def __init__(self, pattern: re.Pattern[str] = _HASH_DIRECTIVE) -> None:
        self._pattern = pattern
        self._line = 0
        self.is_done = False
        self.values: dict[str, str] = {}
        self.lines: dict[str, int] = {}
        self.limits: list[Limit] = []

    def read(self, text: str) -> None:
        """Take the directive in the next line, if it has one."""
        self._line += 1
        match = None if self.is_done else self._pattern.match(text)
        name = match.group(1).lower() if match else ""
        if match is None or name not in _NAMES:
            self.is_done = True
            return
        if name in self.values:
            self.limits.append(Limit(self._line, f"the parser directive '{name}' appears again"))
            self.is_done = True
            return
        if name == "escape" and match.group(2) not in _ESCAPES:
            why = f"the parser directive 'escape' is {match.group(2)!r}"
            self.limits.append(Limit(self._line, why))
        self.values[name] = match.group(2)
        self.lines[name] = self._line

    @property
    def escape(self) -> str:
        """The character that escapes others and continues lines."""
        value = self.values.get("escape", DEFAULT_ESCAPE)
        return value if value in _ESCAPES else DEFAULT_ESCAPE


def detect_frontend(text: str, override: str | None = None) -> Frontend | None:
    """The frontend that BuildKit would choose for the file `text`, `None` for the builder's own.

    `override` is the value of the build argument `BUILDKIT_SYNTAX`.
    """
    if override is not None:
        return Frontend(strip_spaces(override).partition(" ")[0], None)
    offset = 0
    if text.startswith("#!"):
        text, offset = text.partition("\n")[2], 1
    for pattern in (_HASH_DIRECTIVE, _SLASHES_DIRECTIVE):
        frontend = _find_syntax(text, pattern, offset)
        if frontend is not None:
            return frontend
    return _find_json_syntax(text)


def _find_syntax(text: str, pattern: re.Pattern[str], offset: int) -> Frontend | None:
    reader = DirectiveReader(pattern)
    for line in _first_lines(text):
        reader.read(line)
        if reader.is_done:
            break
    if "syntax" not in reader.values:
        return None
    return Frontend(reader.values["syntax"].partition(" ")[0], reader.lines["syntax"] + offset)


def _first_lines(text: str) -> Iterable[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end].removesuffix("\r")
        start = end + 1


def _find_json_syntax(text: str) -> Frontend | None:
    if not text.lstrip(" \t\r\n").startswith("{"):
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    syntax = document.get("syntax") if isinstance(document, dict) else None
    return Frontend(syntax, 1) if isinstance(syntax, str) else None
