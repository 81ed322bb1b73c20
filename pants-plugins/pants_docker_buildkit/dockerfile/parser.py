"""Which instructions does a Dockerfile have?

The counterpart of BuildKit's `frontend/dockerfile/parser`. Any text is read: what BuildKit refuses,
or a newer one may understand, is left out and becomes a `Limit`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pants_docker_buildkit.dockerfile.arguments import SPLITTERS, split_arguments
from pants_docker_buildkit.dockerfile.characters import SPACES
from pants_docker_buildkit.dockerfile.directives import (
    DEFAULT_ESCAPE,
    DirectiveReader,
    Frontend,
    detect_frontend,
)
from pants_docker_buildkit.dockerfile.expansion import ExpansionError
from pants_docker_buildkit.dockerfile.flags import parse_flags
from pants_docker_buildkit.dockerfile.heredoc import find_heredocs
from pants_docker_buildkit.dockerfile.instruction import Heredoc, Instruction
from pants_docker_buildkit.dockerfile.limits import Limit
from pants_docker_buildkit.dockerfile.words import (
    MalformedArgumentsError,
    parse_json_strings,
    split_flags,
    split_keyword,
)
from pants_docker_buildkit.oci.image_platform import ImagePlatform

_BYTE_ORDER_MARK = "\ufeff"
_HEREDOC_KEYWORDS = frozenset({"ADD", "COPY", "RUN"})


@dataclass(frozen=True)
class KnownBase:
    """What an image says to a stage that is based on it, by the name that `Origin` has for it.

    `triggers` are `None` where its configuration cannot be read. `own_platform` is the one that it
    names: an image need not be for the `platform` that it is pulled for.
    """

    name: str
    platform: ImagePlatform | None
    triggers: tuple[str, ...] | None
    own_platform: ImagePlatform | None = None


@dataclass(frozen=True)
class Dockerfile:
    """The instructions of a Dockerfile, in order.

    `known_bases` are images outside, as far as it is known what they say. No file tells: whoever
    has read the configuration of an image adds it.

    `limits` says what could not be understood. With a frontend that is not one for Dockerfiles,
    there are no instructions at all.
    """

    instructions: tuple[Instruction, ...]
    frontend: Frontend | None = None
    escape: str = DEFAULT_ESCAPE
    limits: tuple[Limit, ...] = ()
    known_bases: tuple[KnownBase, ...] = ()

    @property
    def argument_names(self) -> frozenset[str]:
        """What any `ARG` declares, in whichever stage."""
        return frozenset(each.partition("=")[0] for each in self._declarations())

    @property
    def argument_defaults(self) -> frozenset[str]:
        """Those of them that some `ARG` gives a value."""
        return frozenset(each.partition("=")[0] for each in self._declarations() if "=" in each)

    def _declarations(self) -> Iterator[str]:
        for instruction in self.instructions:
            if instruction.keyword == "ARG":
                yield from instruction.arguments


def parse_dockerfile(content: bytes | str, *, syntax: str | None = None) -> Dockerfile:
    """The Dockerfile that `content` spells out.

    `syntax` is the value of the build argument `BUILDKIT_SYNTAX`, which chooses another frontend.
    """
    text = content if isinstance(content, str) else content.decode("utf-8", "replace")
    text = text.removeprefix(_BYTE_ORDER_MARK)
    frontend = detect_frontend(text, syntax)
    if frontend is not None and not frontend.is_dockerfile:
        why = f"the frontend '{frontend.reference}' is not one for Dockerfiles"
        return Dockerfile((), frontend, limits=(Limit(frontend.line, why),))
    reader = _Reader(text)
    instructions = tuple(reader.read())
    directives = reader.directives
    limits = (*directives.limits, *reader.limits)
    return Dockerfile(instructions, frontend, directives.escape, limits)


def parse_trigger(text: str, line: int) -> tuple[tuple[Instruction, ...], tuple[Limit, ...]]:
    """The instruction that an `ONBUILD` adds to a stage built on it, as if it stood on `line`.

    BuildKit reads it as a file of its own: with a backslash as the escape. It refuses several.
    """
    reader = _Reader(text)
    triggers = tuple(replace(each, start_line=line, end_line=line) for each in reader.read())
    limits = tuple(replace(limit, line=line) for limit in reader.limits)
    return triggers, limits


class _Reader:
    """Reads a file line by line."""

    def __init__(self, text: str) -> None:
        self._lines = _iterate_lines(text)
        self._line = 0
        self.directives = DirectiveReader()
        self.limits: list[Limit] = []
        self._escape = DEFAULT_ESCAPE

    def read(self) -> Iterator[Instruction]:
        """The instructions, each with its continued lines and heredocs."""
        for raw_line in self._lines:
            self._line += 1
            line = raw_line.rstrip("\r\n").lstrip(SPACES)
            if not self.directives.is_done:
                self.directives.read(line)
                self._escape = self.directives.escape
            if line and not line.startswith("#"):
                instruction = self._read_instruction(line)
                if instruction is not None:
                    yield instruction

    def _read_instruction(self, first: str) -> Instruction | None:
        start = self._line
        text = self._join_continued(first)
        try:
            instruction = self._parse(text, start)
            if "<<" in text and self._may_have_heredoc(instruction):
                instruction = self._with_heredocs(instruction)
        except MalformedArgumentsError as e:
            self.limits.append(Limit(start, str(e)))
            return None
        return replace(instruction, end_line=self._line)

    def _join_continued(self, first: str) -> str:
        text, is_continued = self._split_continuation(first)
        if not is_continued:
            return text
        parts = [text]
        while is_continued:
            raw_line = next(self._lines, None)
            if raw_line is None:
                break
            self._line += 1
            line = raw_line.rstrip("\r\n")
            stripped = line.lstrip(SPACES)
            if stripped and not stripped.startswith("#"):
                text, is_continued = self._split_continuation(line)
                parts.append(text)
        return "".join(parts)

    def _split_continuation(self, line: str) -> tuple[str, bool]:
        """`line` without the escape that continues it, and whether it has one."""
        stripped = line.rstrip(" \t")
        if not stripped.endswith(self._escape) or stripped.endswith(self._escape * 2):
            return line, False
        return stripped[:-1], True

    def _parse(self, text: str, line: int) -> Instruction:
        keyword, rest = split_keyword(text)
        keyword = keyword.upper() if keyword.isascii() else keyword
        if keyword not in SPLITTERS:
            self.limits.append(Limit(line, f"the instruction '{keyword}' is unknown"))
            return Instruction(keyword, text, line, line, (rest,) if rest else ())
        words, rest = split_flags(rest, self._escape)
        arguments, is_json = split_arguments(keyword, rest, self._escape)
        flags, unknown = parse_flags(keyword, words)
        for name in unknown:
            self.limits.append(Limit(line, f"the flag '{name}' of {keyword} is unknown"))
        return Instruction(keyword, text, line, line, arguments, flags, is_json=is_json)

    def _may_have_heredoc(self, instruction: Instruction) -> bool:
        keyword, is_json = instruction.keyword, instruction.is_json
        if keyword == "ONBUILD":
            keyword, rest = split_keyword(instruction.arguments[0])
            keyword = keyword.upper()
            is_json = parse_json_strings(split_flags(rest, self._escape)[1]) is not None
        return keyword in _HEREDOC_KEYWORDS and not is_json

    def _with_heredocs(self, instruction: Instruction) -> Instruction:
        try:
            found = find_heredocs(instruction.text)
        except ExpansionError as e:
            raise MalformedArgumentsError(f"a heredoc must {e.requirement}") from e
        heredocs = tuple(self._read_heredoc(h, instruction.start_line) for h in found)
        if instruction.keyword != "ONBUILD":
            return replace(instruction, heredocs=heredocs)
        documents = "".join(f"\n{heredoc.content}{heredoc.name}" for heredoc in heredocs)
        return replace(instruction, arguments=(instruction.arguments[0] + documents,))

    def _read_heredoc(self, heredoc: Heredoc, start: int) -> Heredoc:
        content: list[str] = []
        for raw_line in self._lines:
            self._line += 1
            line = raw_line.rstrip("\r\n")
            if (line.lstrip("\t") if heredoc.chomps else line) == heredoc.name:
                return replace(heredoc, content="".join(content))
            content.append(raw_line)
        self.limits.append(Limit(start, f"no line '{heredoc.name}' ends the heredoc"))
        return replace(heredoc, content="".join(content))


def _iterate_lines(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end
