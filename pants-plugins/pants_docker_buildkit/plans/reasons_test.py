from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pants_docker_buildkit.dockerfile.context_entries import ContextEntry, FileEntry, SymlinkEntry
from pants_docker_buildkit.oci.json_values import decode_json
from pants_docker_buildkit.plans.build_inputs import BuildInputs
from pants_docker_buildkit.plans.reasons import (
    Change,
    Reason,
    ReasonKind,
    explain_build,
    lost_image,
    reason_line,
)
from pants_docker_buildkit.solver.definition import (
    BuildDefinition,
    ContextKind,
    NamedContext,
    PinnedSource,
)

ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")
DOCKERFILE = b"FROM a\nRUN one\nRUN two\n"
NAMED = NamedContext("base", ContextKind.IMAGE, f"ghcr.io/b@{ONE}")
GIT = "git://h/a.git"


def git(digit: str) -> PinnedSource:
    """The branch of a repository when it was at a commit of this digit."""
    return PinnedSource(f"{GIT}#main:d", f"{GIT}#{digit * 40}:d")


DEFINITION = BuildDefinition(
    "d" * 64,
    "blake3:c",
    ("linux/amd64",),
    "registry",
    build_args=(("BASE", f"ghcr.io/base@{ONE}"), ("MODE", "fast")),
    labels=(("v", "1"),),
    named_contexts=(NAMED,),
    secret_hashes=(("token", "5" * 64),),
    sources=(
        PinnedSource.image("ghcr.io/a:1", f"ghcr.io/a:1@{ONE}"),
        PinnedSource.image(f"ghcr.io/c@{ONE}", f"ghcr.io/c@{ONE}"),
        PinnedSource("https://h/a", "https://h/a", ONE),
        git("1"),
    ),
)
FILES = {"app.py": "1", "lib.py": "2"}


def entries(files: Mapping[str, str]) -> list[ContextEntry]:
    return [
        SymlinkEntry(path, content[1:])
        if content.startswith(">")
        else FileEntry(path, content.strip("x") * 64, 1, content.endswith("x"))
        for path, content in files.items()
    ]


def build(
    digest: str,
    definition: BuildDefinition = DEFINITION,
    files: Mapping[str, str] = FILES,
    dockerfile: bytes = DOCKERFILE,
    **named: Mapping[str, str],
) -> BuildInputs:
    trees = {"": files, **named}
    return BuildInputs.create(
        digest, definition, dockerfile, [(name, entries(tree)) for name, tree in trees.items()]
    )


PAST = build("old")


def reasons(**members: Any) -> list[str]:
    now = build("new", replace(DEFINITION, **members))
    return [each.text for each in explain_build(PAST, now)]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param({"platforms": ("linux/arm64",)}, "platforms changed", id="platforms"),
        pytest.param({"target_stage": "x"}, "target_stage changed", id="stage"),
        pytest.param(
            {"build_args": (("A", "1"), *DEFINITION.build_args)}, "build arg A added", id="added"
        ),
        pytest.param(
            {"build_args": (DEFINITION.build_args[0], ("MODE", "slow"))},
            "build arg MODE changed",
            id="argument",
        ),
        pytest.param({"labels": ()}, "label v removed", id="label"),
        pytest.param({"annotations": (("v", "1"),)}, "annotation v added", id="annotation"),
        pytest.param(
            {"secret_hashes": (("token", "6" * 64),)}, "secret token changed", id="secret"
        ),
        pytest.param(
            {"named_contexts": (replace(NAMED, value=f"ghcr.io/b@{TWO}"),)},
            f"base moved from {ONE[:19]} to {TWO[:19]}",
            id="named-context",
        ),
        pytest.param({"named_contexts": ()}, "base removed", id="named-context-removed"),
        pytest.param(
            {"build_args": (("BASE", f"ghcr.io/base@{TWO}"), DEFINITION.build_args[1])},
            f"ghcr.io/base moved from {ONE[:19]} to {TWO[:19]}",
            id="base-that-is-a-target",
        ),
        pytest.param(
            {"sources": (PinnedSource.image("ghcr.io/a:1", f"ghcr.io/a:1@{TWO}"),)},
            f"ghcr.io/a:1 moved from {ONE[:19]} to {TWO[:19]}",
            id="image",
        ),
        pytest.param(
            {"sources": (*DEFINITION.sources[:2], PinnedSource("https://h/a", "https://h/a", TWO))},
            f"https://h/a moved from {ONE[:19]} to {TWO[:19]}",
            id="download",
        ),
        pytest.param(
            {"sources": (git("2"),)},
            f"{GIT}#main:d moved from {'1' * 19} to {'2' * 19}",
            id="git",
        ),
        pytest.param({"context": "blake3:d"}, "context changed", id="context-without-files"),
    ],
)
def test_a_changed_definition_is_the_reason(members: dict[str, Any], expected: str) -> None:
    assert reasons(**members) == [expected]


def test_an_image_that_only_came_is_a_reason_where_there_is_no_other() -> None:
    more = (*DEFINITION.sources, PinnedSource.image("ghcr.io/z:1", f"ghcr.io/z:1@{ONE}"))
    assert reasons(sources=more) == ["ghcr.io/z:1 added"]
    assert reasons(sources=more, no_cache=True) == ["no_cache changed"]


def test_that_other_files_are_copied_is_a_reason_where_there_is_no_other() -> None:
    assert reasons(context_paths=("a",)) == ["context_inputs changed"]
    assert reasons(context_paths=("a",), no_cache=True) == ["no_cache changed"]


def test_what_moved_says_from_where_to_where_in_full() -> None:
    now = build(
        "new",
        replace(DEFINITION, sources=(PinnedSource.image("ghcr.io/a:1", f"ghcr.io/a:1@{TWO}"),)),
    )
    (found,) = explain_build(PAST, now)
    assert found.to_document() == {
        "kind": "base",
        "subject": "ghcr.io/a:1",
        "change": "moved",
        "from": ONE,
        "to": TWO,
        "text": f"ghcr.io/a:1 moved from {ONE[:19]} to {TWO[:19]}",
    }


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"app.py": "9", "lib.py": "2"}, ["app.py changed"], id="changed"),
        pytest.param({"app.py": "1"}, ["lib.py removed"], id="removed"),
        pytest.param({**FILES, "new.py": "3"}, ["new.py added"], id="added"),
        pytest.param({**FILES, "lib.py": "2x"}, ["lib.py changed its executable bit"], id="mode"),
        pytest.param({**FILES, "lib.py": ">app.py"}, ["lib.py changed"], id="link"),
        pytest.param({}, ["context changed"], id="nothing-left"),
    ],
)
def test_changed_files_are_the_reason(files: dict[str, str], expected: list[str]) -> None:
    now = build("new", replace(DEFINITION, context="blake3:d"), files)
    assert [each.text for each in explain_build(PAST, now)] == expected


def test_a_name_with_control_characters_is_shown_in_one_line() -> None:
    files = {**FILES, "a\n\x1b[2Jb": "3"}
    now = build("new", replace(DEFINITION, context="blake3:d"), files)
    (reason,) = explain_build(PAST, now)
    assert (reason.text, reason.subject) == ("a  [2Jb added", "a\n\x1b[2Jb")


def test_files_of_named_contexts_are_told_by_its_name() -> None:
    definition = replace(DEFINITION, context="blake3:d")
    now = build("new", definition, other={"a.txt": "1"})
    assert [each.subject for each in explain_build(PAST, now)] == ["other:a.txt"]


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        (b"FROM a\nRUN one\nRUN three\n", "Dockerfile line 3 changed"),
        (b"FROM a\nRUN one\nRUN two\nRUN three\nRUN four\n", "Dockerfile lines 4-5 added"),
        (b"FROM a\nRUN two\n", "line 2 of the former Dockerfile removed"),
        (b"FROM a\r\nRUN one\r\nRUN two\r\n", "Dockerfile changed"),
    ],
)
def test_lines_of_the_dockerfile_are_the_reason(dockerfile: bytes, expected: str) -> None:
    now = build("new", replace(DEFINITION, dockerfile="e" * 64), dockerfile=dockerfile)
    assert [each.text for each in explain_build(PAST, now)] == [expected]


def test_lines_of_a_long_dockerfile_are_told_beside_blank_ones() -> None:
    lines = [b"FROM a", *(line for n in range(2_000) for line in (b"", b"RUN %d" % n))]
    past = build("old", dockerfile=b"\n".join(lines))
    lines[1_000] = b"RUN another"
    del lines[10]
    lines.append(b"RUN last")
    now = build("new", replace(DEFINITION, dockerfile="e" * 64), dockerfile=b"\n".join(lines))
    assert [each.text for each in explain_build(past, now)] == [
        "line 11 of the former Dockerfile removed",
        "Dockerfile line 1000 changed",
        "Dockerfile line 4001 added",
    ]


def test_a_dockerfile_that_is_in_the_context_is_said_once() -> None:
    past = build("old", files={**FILES, "Dockerfile": "d"})
    changed = replace(DEFINITION, dockerfile="e" * 64, context="blake3:d")
    now = build("new", changed, {**FILES, "Dockerfile": "e"}, DOCKERFILE + b"#\n")
    assert [each.text for each in explain_build(past, now)] == ["Dockerfile line 4 added"]
    now = build("new", changed, {"app.py": "9", "lib.py": "2", "Dockerfile": "e"}, b"FROM a\n")
    assert [each.subject for each in explain_build(past, now)] == ["app.py", "Dockerfile:2-3"]


def test_a_line_shows_the_first_of_many_files_and_all_else() -> None:
    files = {"app.py": "9", "lib.py": "9", "x": "1", "y": "1"}
    now = build("new", replace(DEFINITION, context="blake3:d", no_cache=True), files)
    line = "app.py changed, lib.py changed and 2 more, no_cache changed"
    assert reason_line(explain_build(PAST, now)) == line


def test_the_first_build_of_a_target_says_so() -> None:
    (reason,) = explain_build(None, PAST)
    assert reason == Reason(ReasonKind.NO_MEMORY, "no build is remembered on this machine")


def test_a_build_that_has_not_changed_lost_its_record_or_its_image() -> None:
    assert [each.text for each in explain_build(PAST, PAST)] == ["no cached record"]
    reason = lost_image(f"ghcr.io/a@{ONE}")
    assert (reason.text, reason.before) == ("lost in ghcr.io/a", ONE)
    assert reason.change is Change.REMOVED


def test_a_context_of_very_many_files_is_not_remembered() -> None:
    many = {str(index): "1" for index in range(30_000)}
    assert build("x", files=many).files == {}


def test_inputs_come_back_from_json_and_have_no_value_in_them() -> None:
    definition = replace(
        DEFINITION,
        build_args=(("PASSWORD", "hunter2"),),
        labels=(("l", "hunter2"),),
        sources=(PinnedSource("https://me:hunter2@h/a?sig=hunter2", "https://h/a", ONE),),
        named_contexts=(NamedContext("x", ContextKind.URL, "https://me:hunter2@h/a"),),
    )
    text = json.dumps(build("x", definition).to_document())
    assert "hunter2" not in text
    assert "5" * 64 not in text
    assert decode_json(BuildInputs, text.encode()) == build("x", definition)


@pytest.mark.parametrize("value", [None, 1, "x", [1], ["ab"], [[]], [{}], {"a": {}}])
def test_whatever_another_version_remembered_there_is_a_reason(value: Any) -> None:
    past = BuildInputs("old", dict.fromkeys(DEFINITION.as_map(), value))
    assert explain_build(past, build("new"))
    assert explain_build(replace(past, lines=("a",), files={"app.py": "x"}), build("new"))
