from __future__ import annotations

import pytest

from pants_docker_buildkit.image_tests.document import (
    InvalidStructureTestError,
    read_structure_test,
)
from pants_docker_buildkit.image_tests.structure import (
    CommandTest,
    FileExistenceTest,
    MetadataTest,
    Variable,
    parse_structure_test,
)

HEAD = "schemaVersion: 2.0.0\n"


def test_every_kind_of_test_is_read_and_handed_on() -> None:
    test = read_structure_test(
        (
            HEAD
            + """\
globalEnvVars: [{key: A, value: 1}]
commandTests:
- &first
  name: first
  command: run
  args: [8080, true, "x y"]
  setup: [[touch, /a], [rm, /b]]
  teardown: [[rm, /a]]
  envVars: [{key: B, value: "$A"}]
  exitCode: 0x10
  expectedOutput: ["^a"]
- <<: *first
  name: second
fileExistenceTests:
- {name: file, path: /f, uid: 0, gid: -1, shouldExist: no}
fileContentTests:
- {name: text, path: /f, expectedContents: ["(?i)a"], excludedContents: [b]}
licenseTests: [{debian: true, files: [/l]}]
metadataTest: {env: [{key: A, value: b.*, isRegex: true}], entrypoint: [], cmd: null}
metadataTests: [{unboundEnvVars: [{key: C}]}]
containerRunOptions: {user: nobody}
"""
        ).encode(),
        "a.yaml",
    )
    assert parse_structure_test(test.to_json()) == test
    first, second = test.commands
    assert first == CommandTest(
        name="first",
        command=("run", "8080", "true", "x y"),
        env=(Variable("B", "$A"),),
        setup=(("touch", "/a"), ("rm", "/b")),
        teardown=(("rm", "/a"),),
        exit_code=16,
        expected_output=("^a",),
    )
    assert (second.name, second.command) == ("second", first.command)
    assert test.existence == (FileExistenceTest("file", "/f", should_exist=False, uid=0),)
    assert test.metadata == (
        MetadataTest(env=(Variable("A", "b.*", is_regex=True),), entrypoint=()),
        MetadataTest(unbound_env=("C",)),
    )
    assert test.user == "nobody"


def test_in_the_first_schema_a_command_has_its_arguments_in_one_list() -> None:
    test = read_structure_test(
        b"""\
schemaVersion: "1.0.0"
commandTests:
- {name: first, command: [run, --port, 8080], setup: [[touch, /a]], expectedOutput: [^a]}
fileExistenceTests:
- {name: file, path: /f, shouldExist: true, permissions: drwxr-xr-x}
fileContentTests:
- {name: text, path: /f, expectedContents: [a]}
licenseTests: [{debian: false, files: [/l]}]
""",
        "a.yaml",
    )
    (command,) = test.commands
    assert command.command == ("run", "--port", "8080")
    assert command.setup == (("touch", "/a"),)
    (file,) = test.existence
    assert (file.permissions, file.uid) == ("drwxr-xr-x", None)


def test_what_is_merged_in_the_first_schema_may_be_said_otherwise() -> None:
    document = b"schemaVersion: 1.0.0\n<<: {licenseTests: [{files: [/a]}]}\n"
    test = read_structure_test(document + b"licenseTests: [{files: [/b]}]\n", "a.yaml")
    assert [each.files for each in test.licenses] == [("/b",)]


def test_a_relative_path_is_one_below_the_root() -> None:
    text = (
        HEAD + "fileExistenceTests: [{name: a, path: etc/a}, {name: b, path: $HOME/b}]\n"
        "fileContentTests: [{name: c, path: c, expectedContents: [c]}]\n"
        "licenseTests: [{debian: false, files: [d]}]"
    )
    test = read_structure_test(text.encode(), "a.yaml")
    assert [each.path for each in test.existence] == ["/etc/a", "$HOME/b"]
    assert [each.path for each in test.contents] == ["/c"]
    assert test.licenses[0].files == ("/d",)


def test_json_may_be_indented_with_tabs_and_escape_what_it_likes() -> None:
    text = (
        b'{\n\t"schemaVersion": "2.0.0",\n'
        b'\t"commandTests":\t[{"name": "\\ud83d\\ude00\\/", "command": "a"}]}'
    )
    assert read_structure_test(text, "a.json").commands[0].name == "\U0001f600/"


@pytest.mark.parametrize(
    ("text", "line", "field", "finding"),
    [
        pytest.param("", 1, "", "it is empty", id="empty"),
        pytest.param("- a", 1, "", "it is a list", id="no mapping"),
        pytest.param("a: b\n c: d", 2, "", "mapping values are not allowed here", id="no YAML"),
        pytest.param("a: *x", 1, "", "found undefined alias 'x'", id="no such anchor"),
        pytest.param("commandTests: []", 1, "schemaVersion", "it is missing", id="no schema"),
        pytest.param(
            "schemaVersion: 3.0.0", 1, "schemaVersion", "it is '3.0.0'", id="other schema"
        ),
        pytest.param(
            "schemaVersion: 1.0.0\nmetadataTest: {user: a}", 2, "metadataTest", "", id="later part"
        ),
        pytest.param(
            "schemaVersion: 1.0.0\ncommandTests:\n- {name: a, command: b}",
            3,
            "commandTests[0].command",
            "it is 'b'",
            id="a text for a list",
        ),
        pytest.param(
            "schemaVersion: 1.0.0\ncommandTests:\n- {name: a, command: []}",
            3,
            "commandTests[0].command",
            "it is empty",
            id="an empty command",
        ),
        pytest.param(HEAD, 1, "", "it has none", id="no tests"),
        pytest.param(f"{HEAD}---\na: b", 2, "", "found another document", id="two documents"),
        pytest.param(
            HEAD + "commandTest: []", 2, "commandTest", "(did you mean `commandTests`?)", id="typo"
        ),
        pytest.param(HEAD + "commandTests: {}", 2, "commandTests", "it is a mapping", id="no list"),
        pytest.param(
            HEAD + "commandTests:\n- name: a\n",
            3,
            "commandTests[0].command",
            "is missing",
            id="part",
        ),
        pytest.param(
            HEAD + "commandTests:\n- name: a\n  command: b\n  args: [[c]]",
            5,
            "commandTests[0].args[0]",
            "it is a list",
            id="a list for a text",
        ),
        pytest.param(
            HEAD + "commandTests:\n- name: a\n  command: b\n  setup: [touch, a]",
            5,
            "commandTests[0].setup[0]",
            "it is 'touch'",
            id="a text for a command",
        ),
        pytest.param(
            HEAD + "commandTests:\n- name: a\n  command: b\n  exitCode: one",
            5,
            "commandTests[0].exitCode",
            "it is 'one'",
            id="no number",
        ),
        pytest.param(
            HEAD + "commandTests:\n- {name: a, command: b, exitCode: 256}",
            3,
            "commandTests[0].exitCode",
            "it is 256",
            id="no exit code",
        ),
        pytest.param(
            HEAD + "commandTests:\n- name: a\n  command: b\n  expectedOutput:\n  - a\n  - '(?=b)'",
            7,
            "commandTests[0].expectedOutput[1]",
            "invalid or unsupported Perl syntax",
            id="no expression of Go",
        ),
        pytest.param(
            HEAD + "metadataTest:\n  labels: [{key: a, value: '[', isRegex: true}]",
            3,
            "metadataTest.labels[0].value",
            "missing closing ]",
            id="no expression in a label",
        ),
        pytest.param(
            HEAD + "fileExistenceTests:\n- {name: a, path: /a, isExecutableBy: me}",
            3,
            "fileExistenceTests[0].isExecutableBy",
            "it is 'me'",
            id="no such choice",
        ),
        pytest.param(
            HEAD + "fileExistenceTests:\n- {name: a, path: /a, shouldExist: 'true'}",
            3,
            "fileExistenceTests[0].shouldExist",
            "it is 'true'",
            id="a text for a boolean",
        ),
        pytest.param(
            HEAD + "metadataTest:\n  user: a\n  user: b",
            4,
            "metadataTest.user",
            "twice",
            id="twice",
        ),
        pytest.param(
            HEAD + 'commandTests: [{name: "a\\0", command: b}]',
            2,
            "commandTests[0].name",
            "NUL",
            id="NUL",
        ),
        pytest.param(
            HEAD + "containerRunOptions: {privileged: true}",
            2,
            "containerRunOptions.privileged",
            "it is",
            id="no container",
        ),
    ],
)
def test_what_is_wrong_is_said_by_line_and_field(
    text: str, line: int, field: str, finding: str
) -> None:
    with pytest.raises(InvalidStructureTestError) as caught:
        read_structure_test(text.encode(), "a.yaml")
    assert (caught.value.line, caught.value.field) == (line, field)
    assert finding in caught.value.finding


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InvalidStructureTestError, match="line 2: the document must be UTF-8"):
        read_structure_test(b"a: b\nc: \xff", "a.yaml")
