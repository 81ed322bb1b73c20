"""A YAML file whose values name image targets, and what it is with their references in place.

Only the places of those values are changed: comments, order, quotes and line ends stay, which is
why positions are taken from the parser's events, and nothing is written by a YAML library.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import yaml

SCHEME = "pants://"

_BYTE_ORDER_MARK = "\ufeff"
_TEMPLATE = "{{"


class InvalidYamlFileError(ValueError):
    """A file cannot be read, or a value in it.

    `requirement` completes "must …", and `finding` "line 3 of a.yaml …".
    """

    def __init__(self, line: int, requirement: str, finding: str, next_step: str = "") -> None:
        self.line = line
        self.requirement = requirement
        self.finding = finding
        self.next_step = next_step
        super().__init__(f"A file must {requirement}, but line {line} {finding}.")


@dataclass(frozen=True)
class YamlReference:
    """`pants://address` at the end of a value. It lies between two positions of the text."""

    address: str
    line: int
    start: int
    end: int


@dataclass(frozen=True)
class YamlFile:
    """A stream of YAML documents. `separator` has to stand before it if it follows another one."""

    text: str
    references: tuple[YamlReference, ...]
    separator: str

    @classmethod
    def parse(cls, content: bytes) -> YamlFile:
        """The file with this content. Raises `InvalidYamlFileError`."""
        try:
            text = content.decode()
        except UnicodeDecodeError as e:
            line = content.count(b"\n", 0, e.start) + 1
            raise InvalidYamlFileError(
                line, "be UTF-8", f"has the byte {content[e.start]:#x}"
            ) from e
        try:
            events = tuple(yaml.parse(text, yaml.SafeLoader))  # type: ignore[no-untyped-call]
        except yaml.YAMLError as e:
            raise _not_yaml(text, e) from e
        _refuse_templates(events)
        references = (_reference_in(value, text) for value in _values(events))
        return cls(text, tuple(each for each in references if each is not None), _separator(events))

    def with_references(self, references: Mapping[str, str]) -> str:
        """The text with these references in place of the addresses."""
        parts, position = [], 0
        for each in self.references:
            parts += [self.text[position : each.start], references[each.address]]
            position = each.end
        return "".join((*parts, self.text[position:]))


def join_files(files: Iterable[tuple[YamlFile, str]]) -> str:
    """One stream of the documents of several files, each with the text that it has now."""
    stream = ""
    for file, text in files:
        text = text.removeprefix(_BYTE_ORDER_MARK)
        ending = "" if text.endswith("\n") or not text else "\n"
        stream += f"{file.separator if stream else ''}{text}{ending}"
    return stream


def _values(events: Iterable[yaml.Event]) -> Iterator[yaml.ScalarEvent]:
    """The scalars that are values: members of sequences and mappings, or whole documents."""
    # For each open collection, whether the next node in it is a key; `None` for a sequence.
    open_collections: list[bool | None] = []
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            open_collections.pop()
        if not isinstance(event, yaml.NodeEvent):
            continue
        is_key = bool(open_collections and open_collections[-1])
        if open_collections and open_collections[-1] is not None:
            open_collections[-1] = not is_key
        if isinstance(event, yaml.CollectionStartEvent):
            open_collections.append(True if isinstance(event, yaml.MappingStartEvent) else None)
        elif isinstance(event, yaml.ScalarEvent) and not is_key:
            yield event


def _reference_in(value: yaml.ScalarEvent, text: str) -> YamlReference | None:
    """The reference at the end of a value. Block scalars are text, and hold none."""
    if value.style in ("|", ">") or SCHEME not in value.value:
        return None
    line = value.start_mark.line + 1
    _, _, address = value.value.partition(SCHEME)
    if not address or SCHEME in address or any(each.isspace() for each in address):
        raise InvalidYamlFileError(
            line,
            f"have one address after {SCHEME!r}, at the end of a value",
            f"has the value {value.value!r}",
            "Text that is not meant as a reference can stand in a block scalar.",
        )
    # Where a value ends is where its quote does. It may start with an anchor or a tag.
    end = value.end_mark.index - (0 if value.style is None else 1)
    start = end - len(SCHEME) - len(address)
    if text[start:end] != f"{SCHEME}{address}":
        raise InvalidYamlFileError(
            line,
            f"have {SCHEME!r} and the address after it without escapes and line breaks",
            f"has some in the value {value.value!r}",
        )
    return YamlReference(address, text.count("\n", 0, start) + 1, start, end)


def _separator(events: Iterable[yaml.Event]) -> str:
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            if event.version or event.tags:
                return "...\n"
            return "" if event.explicit else "---\n"
    return ""


def _refuse_templates(events: tuple[yaml.Event, ...]) -> None:
    """`{{ .Values.image }}` is a mapping whose key is a mapping, as far as YAML is concerned."""
    for outer, inner in zip(events, events[1:]):
        if (
            isinstance(outer, yaml.MappingStartEvent)
            and isinstance(inner, yaml.MappingStartEvent)
            and outer.flow_style
            and inner.flow_style
            and inner.start_mark.index == outer.end_mark.index
        ):
            raise _template(outer.start_mark.line + 1)


def _not_yaml(text: str, error: yaml.YAMLError) -> InvalidYamlFileError:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        return InvalidYamlFileError(line, "be YAML", f"is not: {getattr(error, 'reason', error)}")
    template = text.rfind(_TEMPLATE, 0, mark.index + len(_TEMPLATE))
    if template >= 0:
        return _template(text.count("\n", 0, template) + 1)
    problem = getattr(error, "problem", error)
    return InvalidYamlFileError(mark.line + 1, "be YAML", f"is not: {problem}")


def _template(line: int) -> InvalidYamlFileError:
    return InvalidYamlFileError(
        line,
        "be YAML",
        "has `{{`, as templates of Helm do",
        "Name the chart's values files instead: a template takes the reference from a value.",
    )
