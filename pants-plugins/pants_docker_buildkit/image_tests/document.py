"""Read a structure test from YAML or JSON, and say by field and line what is wrong with it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Optional, TypeVar

import yaml

from pants_docker_buildkit.dockerfile.go_characters import InvalidGoRegexpError
from pants_docker_buildkit.dockerfile.go_expression import GoExpression
from pants_docker_buildkit.image_tests.structure import (
    CommandTest,
    FileContentTest,
    FileExistenceTest,
    LicenseTest,
    MetadataTest,
    StructureTest,
    Variable,
)

_NULL, _BOOL, _INT = (f"tag:yaml.org,2002:{each}" for each in ("null", "bool", "int"))
_EXECUTABLE_BY = ("owner", "group", "other", "any")
_MAX_EXIT_CODE = 255
_MAX_ID = 2**32 - 2

_T = TypeVar("_T")


class InvalidStructureTestError(ValueError):
    """A document is no structure test.

    `field` is where, such as `commandTests[0].args`, and empty for the document itself;
    `requirement` completes "must …".
    """

    def __init__(self, line: int, field: str, requirement: str, finding: str) -> None:
        self.line = line
        self.field = field
        self.requirement = requirement
        self.finding = finding
        what = f"`{field}`" if field else "the document"
        super().__init__(f"line {line}: {what} must {requirement}, but {finding}")


def read_structure_test(content: bytes, path: str) -> StructureTest:
    """The tests in a file. Raises `InvalidStructureTestError`."""
    node = _compose(content, path)
    root = _Members(node, "", _ROOT)
    version = root.text("schemaVersion")
    schema = _SCHEMAS.get(version)
    if schema is None:
        finding = f"it is {version!r}" if version else "it is missing"
        requirement = f"be {' or '.join(map(repr, _SCHEMAS))}"
        raise root.error("schemaVersion", requirement, finding)
    root.restrict(schema.members)
    test = StructureTest(
        global_env=root.each("globalEnvVars", _VARIABLE, _variable),
        commands=root.each("commandTests", schema.of_command, schema.read_command),
        existence=root.each("fileExistenceTests", schema.of_existence, _existence),
        contents=root.each("fileContentTests", _CONTENT, _content),
        metadata=(
            *root.optional("metadataTest", _METADATA, _metadata),
            *root.each("metadataTests", _METADATA, _metadata),
        ),
        licenses=root.each("licenseTests", _LICENSE, _license),
        user=next(iter(root.optional("containerRunOptions", _RUN, _run_user)), ""),
    )
    if not (test.commands or test.reads_files or test.metadata):
        raise InvalidStructureTestError(1, "", "have at least one test", "it has none")
    return test


_ROOT = (
    "schemaVersion",
    "globalEnvVars",
    "commandTests",
    "fileExistenceTests",
    "fileContentTests",
    "metadataTest",
    "metadataTests",
    "licenseTests",
    "containerRunOptions",
)
_VARIABLE = ("key", "value", "isRegex")
_COMMAND = (
    "name",
    "setup",
    "teardown",
    "envVars",
    "exitCode",
    "command",
    "args",
    "expectedOutput",
    "excludedOutput",
    "expectedError",
    "excludedError",
)
_EXISTENCE = ("name", "path", "shouldExist", "permissions", "uid", "gid", "isExecutableBy")
_CONTENT = ("name", "path", "expectedContents", "excludedContents")
_METADATA = (
    "envVars",
    "env",
    "unboundEnvVars",
    "labels",
    "exposedPorts",
    "unexposedPorts",
    "volumes",
    "unmountedVolumes",
    "entrypoint",
    "cmd",
    "workdir",
    "user",
)
_LICENSE = ("debian", "files")
# Schema 1.0.0 has a command and its arguments in one list, and nothing of what came later.
_FIRST_ROOT = tuple(
    each for each in _ROOT if not each.startswith(("metadata", "containerRunOptions"))
)
_FIRST_COMMAND = tuple(each for each in _COMMAND if each != "args")
_FIRST_EXISTENCE = ("name", "path", "shouldExist", "permissions")
_RUN = (
    "user",
    "privileged",
    "allocateTty",
    "envFile",
    "envVars",
    "capabilities",
    "bindMounts",
)


def _compose(content: bytes, path: str) -> yaml.Node:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = content.count(b"\n", 0, e.start) + 1
        finding = f"it has the byte {content[e.start]:#x}"
        raise InvalidStructureTestError(line, "", "be UTF-8", finding) from e
    kind = "JSON" if path.endswith(".json") else "YAML"
    if kind == "JSON":
        # It may be indented with tabs, and cannot have any in a text.
        text = text.replace("\t", " ")
    try:
        node: Optional[yaml.Node] = yaml.compose(text, yaml.SafeLoader)  # type: ignore[no-untyped-call]
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        # PyYAML begins some of them with the word that introduces a finding.
        finding = re.sub("^but ", "", str(e.problem or e.context))
        raise InvalidStructureTestError(
            mark.line + 1 if mark else 1, "", f"be {kind}", finding
        ) from e
    except (yaml.YAMLError, RecursionError) as e:
        raise InvalidStructureTestError(1, "", f"be {kind}", str(e)) from e
    if node is None:
        raise InvalidStructureTestError(1, "", "have at least one test", "it is empty")
    return node


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


class _Members:
    """The members of a mapping, which may have no others than `known`."""

    def __init__(self, node: yaml.Node, field: str, known: Iterable[str]) -> None:
        self._node = node
        self._field = field
        if not isinstance(node, yaml.MappingNode):
            raise InvalidStructureTestError(_line(node), field, "be a mapping", _describe(node))
        written = [key.value for key, _ in node.value]
        for number, (key, _) in enumerate(node.value):
            if key.value in written[:number]:
                finding = "it is there twice"
                raise InvalidStructureTestError(
                    _line(key), self._at(key.value), "be there once", finding
                )
        # What `<<` merges comes before what the mapping itself says.
        yaml.SafeLoader("").flatten_mapping(node)  # type: ignore[no-untyped-call]
        self._members: dict[str, yaml.Node] = {}
        self._keys: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value if isinstance(key, yaml.ScalarNode) else _describe(key))
            self._keys.setdefault(name, key)
            self._members[name] = value
        self.restrict(known)

    def restrict(self, known: Iterable[str]) -> None:
        """Refuse all members but these."""
        names = tuple(known)
        for name, key in self._keys.items():
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1)
                hint = f" (did you mean `{near[0]}`?)" if near else ""
                requirement = f"be one of {', '.join(f'`{each}`' for each in names)}"
                finding = f"it is none{hint}"
                raise InvalidStructureTestError(_line(key), self._at(name), requirement, finding)

    def _at(self, name: str) -> str:
        return f"{self._field}.{name}" if self._field else name

    def error(self, name: str, requirement: str, finding: str) -> InvalidStructureTestError:
        """An error about one member, or about one that is missing."""
        node = self._members.get(name, self._node)
        return InvalidStructureTestError(_line(node), self._at(name), requirement, finding)

    def _get(self, name: str) -> yaml.Node | None:
        node = self._members.get(name)
        return None if node is None or node.tag == _NULL else node

    def _typed(self, name: str, tag: str, requirement: str) -> str | None:
        node = self._get(name)
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode) or node.tag != tag:
            raise self.error(name, requirement, _describe(node))
        return str(node.value)

    def text(self, name: str, *, is_required: bool = False) -> str:
        """A text, also where it is written as a number."""
        node = self._get(name)
        value = "" if node is None else _text(node, self._at(name))
        if is_required and not value:
            finding = "it is missing" if node is None else "it is empty"
            raise self.error(name, "be a text", finding)
        return value

    def boolean(self, name: str, *, default: bool) -> bool:
        value = self._typed(name, _BOOL, "be true or false")
        return default if value is None else value.lower() in ("true", "yes", "on")

    def integer(self, name: str, most: int) -> int | None:
        requirement = f"be a number from 0 to {most}"
        value = self._typed(name, _INT, requirement)
        if value is None:
            return None
        number = int(yaml.safe_load(value))
        if number == -1 and most == _MAX_ID:
            # As it is written where any owner will do.
            return None
        if not 0 <= number <= most:
            raise self.error(name, requirement, f"it is {number}")
        return number

    def _list(self, name: str) -> list[yaml.Node] | None:
        node = self._get(name)
        if node is None:
            return None
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(name, "be a list", _describe(node))
        return list(node.value)

    def optional_texts(self, name: str) -> Optional[tuple[str, ...]]:
        """A list of texts; `None` where it is missing."""
        items = self._list(name)
        if items is None:
            return None
        return tuple(
            _text(item, f"{self._at(name)}[{number}]") for number, item in enumerate(items)
        )

    def texts(self, name: str) -> tuple[str, ...]:
        return self.optional_texts(name) or ()

    def expressions(self, name: str) -> tuple[str, ...]:
        """A list of Go expressions."""
        found = self.texts(name)
        for number, (item, text) in enumerate(zip(self._list(name) or (), found)):
            _check_expression(text, _line(item), f"{self._at(name)}[{number}]")
        return found

    def commands(self, name: str) -> tuple[tuple[str, ...], ...]:
        """A list of commands, each of which is a list of texts."""
        found = []
        for number, item in enumerate(self._list(name) or ()):
            field = f"{self._at(name)}[{number}]"
            if not isinstance(item, yaml.SequenceNode) or not item.value:
                requirement = "be a list of a command and its arguments"
                raise InvalidStructureTestError(_line(item), field, requirement, _describe(item))
            words = [_text(word, f"{field}[{place}]") for place, word in enumerate(item.value)]
            if not words[0]:
                requirement = "begin with a command"
                raise InvalidStructureTestError(_line(item), field, requirement, "it is empty")
            found.append(tuple(words))
        return tuple(found)

    def each(
        self, name: str, known: Iterable[str], read: Callable[[_Members], _T]
    ) -> tuple[_T, ...]:
        """What `read` gives for each mapping in a list."""
        return tuple(
            read(_Members(item, f"{self._at(name)}[{number}]", known))
            for number, item in enumerate(self._list(name) or ())
        )

    def optional(
        self, name: str, known: Iterable[str], read: Callable[[_Members], _T]
    ) -> tuple[_T, ...]:
        """What `read` gives for a mapping, if there is one."""
        node = self._get(name)
        return () if node is None else (read(_Members(node, self._at(name), known)),)

    def has(self, name: str) -> bool:
        return self._get(name) is not None


def _text(node: yaml.Node, field: str) -> str:
    if not isinstance(node, yaml.ScalarNode) or node.tag == _NULL:
        raise InvalidStructureTestError(_line(node), field, "be a text", _describe(node))
    # JSON writes what is beyond the first plane as two halves.
    text = str(node.value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if "\0" in text:
        finding = "it has a NUL character"
        raise InvalidStructureTestError(_line(node), field, "be a text", finding)
    return text


def _describe(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "it is a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "it is a list" if node.value else "it is an empty list"
    return "it is empty" if node.tag == _NULL else f"it is {node.value!r}"


def _check_expression(text: str, line: int, field: str) -> None:
    try:
        GoExpression(text)
    except InvalidGoRegexpError as e:
        requirement = "be a regular expression of Go"
        finding = f"{text!r} is not valid: {e}"
        raise InvalidStructureTestError(line, field, requirement, finding) from e


def _any_variable(members: _Members) -> Variable:
    return Variable(
        members.text("key", is_required=True),
        members.text("value"),
        members.boolean("isRegex", default=False),
    )


def _variable(members: _Members) -> Variable:
    variable = _any_variable(members)
    if "=" in variable.key:
        raise members.error("key", "have no '='", f"it is {variable.key!r}")
    return variable


def _matched_variable(members: _Members) -> Variable:
    variable = _any_variable(members)
    if variable.is_regex:
        error = members.error("value", "", "")
        _check_expression(variable.value, error.line, error.field)
    return variable


def _command(members: _Members) -> CommandTest:
    words = (members.text("command", is_required=True), *members.texts("args"))
    return _command_test(members, words)


def _first_command(members: _Members) -> CommandTest:
    words = members.texts("command")
    if not words or not words[0]:
        finding = "it is empty" if members.has("command") else "it is missing"
        raise members.error("command", "be a list of a command and its arguments", finding)
    return _command_test(members, words)


def _command_test(members: _Members, words: tuple[str, ...]) -> CommandTest:
    return CommandTest(
        name=members.text("name", is_required=True),
        command=words,
        env=members.each("envVars", _VARIABLE, _variable),
        setup=members.commands("setup"),
        teardown=members.commands("teardown"),
        exit_code=members.integer("exitCode", _MAX_EXIT_CODE) or 0,
        expected_output=members.expressions("expectedOutput"),
        excluded_output=members.expressions("excludedOutput"),
        expected_error=members.expressions("expectedError"),
        excluded_error=members.expressions("excludedError"),
    )


def _path(members: _Members) -> str:
    path = members.text("path", is_required=True)
    return path if path.startswith("$") else _from_root(path)


def _from_root(path: str) -> str:
    """The path as Docker's copying from a container takes it, which has no working directory."""
    return path if path.startswith("/") else f"/{path}"


def _existence(members: _Members) -> FileExistenceTest:
    executable_by = members.text("isExecutableBy")
    if executable_by and executable_by not in _EXECUTABLE_BY:
        requirement = f"be one of {', '.join(_EXECUTABLE_BY)}"
        raise members.error("isExecutableBy", requirement, f"it is {executable_by!r}")
    return FileExistenceTest(
        name=members.text("name", is_required=True),
        path=_path(members),
        should_exist=members.boolean("shouldExist", default=True),
        permissions=members.text("permissions"),
        uid=members.integer("uid", _MAX_ID),
        gid=members.integer("gid", _MAX_ID),
        executable_by=executable_by,
    )


def _content(members: _Members) -> FileContentTest:
    return FileContentTest(
        name=members.text("name", is_required=True),
        path=_path(members),
        expected=members.expressions("expectedContents"),
        excluded=members.expressions("excludedContents"),
    )


def _metadata(members: _Members) -> MetadataTest:
    unbound = members.each("unboundEnvVars", _VARIABLE, _variable)
    return MetadataTest(
        env=(
            *members.each("env", _VARIABLE, _matched_variable),
            *members.each("envVars", _VARIABLE, _matched_variable),
        ),
        unbound_env=tuple(each.key for each in unbound),
        labels=members.each("labels", _VARIABLE, _matched_variable),
        exposed_ports=members.texts("exposedPorts"),
        unexposed_ports=members.texts("unexposedPorts"),
        volumes=members.texts("volumes"),
        unmounted_volumes=members.texts("unmountedVolumes"),
        entrypoint=members.optional_texts("entrypoint"),
        cmd=members.optional_texts("cmd"),
        workdir=members.text("workdir"),
        user=members.text("user"),
    )


def _license(members: _Members) -> LicenseTest:
    files = tuple(map(_from_root, members.texts("files")))
    return LicenseTest(members.boolean("debian", default=False), files)


def _run_user(members: _Members) -> str:
    for name in _RUN[1:]:
        if members.has(name):
            requirement = "not be set, because BuildKit runs the commands, and not a container"
            raise members.error(name, requirement, "it is")
    return members.text("user")


@dataclass(frozen=True)
class _Schema:
    """In what the versions of the schema differ: members, and how a command is written."""

    members: tuple[str, ...]
    of_command: tuple[str, ...]
    read_command: Callable[[_Members], CommandTest]
    of_existence: tuple[str, ...]


_SCHEMAS = {
    "2.0.0": _Schema(_ROOT, _COMMAND, _command, _EXISTENCE),
    "1.0.0": _Schema(_FIRST_ROOT, _FIRST_COMMAND, _first_command, _FIRST_EXISTENCE),
}
