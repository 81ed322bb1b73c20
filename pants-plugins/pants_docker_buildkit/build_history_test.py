from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.build_history import (
    PastBuild,
    explain_build,
    history_path,
    read_past_build,
    write_past_build,
)
from pants_docker_buildkit.solver.definition import (
    BuildDefinition,
    ContextKind,
    NamedContext,
    PinnedSource,
)

DEFINITION = BuildDefinition("d" * 64, "blake3:c", ("linux/amd64",), "registry")
FILES = {"app.py": "1", "lib.py": "2"}


def build(
    digest: str, definition: BuildDefinition = DEFINITION, files: Mapping[str, str] = FILES
) -> PastBuild:
    return PastBuild.create(digest, definition.as_map(), files)


PAST = build("old")


def reason(files: Mapping[str, str] = FILES, **members: Any) -> str:
    return explain_build(PAST, build("new", replace(DEFINITION, **members), files))


def test_a_build_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    path = history_path(tmp_path, "/checkout", "src/app:image")
    write_past_build(path, PAST)
    assert read_past_build(path) == PAST


def test_only_the_user_can_read_the_history(tmp_path: Path) -> None:
    path = history_path(tmp_path, "/checkout", "src/app:image")
    write_past_build(path, PAST)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_each_target_of_each_checkout_has_its_own_history(tmp_path: Path) -> None:
    paths = {history_path(tmp_path, root, name) for root in ("/a", "/a/b") for name in ("b", "c")}
    assert len(paths) == 4


def test_a_history_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "history").write_text("a file where the directory should be")
    write_past_build(history_path(tmp_path, "/a", "b"), PAST)
    assert read_past_build(history_path(tmp_path, "/a", "b")) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"build_digest": "x"}', "null", "\0"])
def test_a_damaged_history_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "history.json"
    path.write_text(text)
    assert read_past_build(path) is None


@pytest.mark.parametrize("value", [None, 1, "x", [1], ["ab"], [[]], [{}], {"a": {}}])
def test_whatever_is_in_a_history_the_next_build_has_a_reason(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "history.json"
    definition = dict.fromkeys(DEFINITION.as_map(), value)
    document = {"build_digest": "old", "definition": definition, "files": value}
    path.write_text(json.dumps(document))
    members: dict[str, Any] = {
        "labels": (("a", "b"),),
        "named_contexts": (NamedContext("x", ContextKind.FILES),),
    }
    assert explain_build(read_past_build(path), build("new", replace(DEFINITION, **members)))
    path.write_text(json.dumps({**document, "files": {"app.py": value}}))
    assert explain_build(read_past_build(path), build("new", replace(DEFINITION, **members)))


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param({"dockerfile": "e"}, "Dockerfile changed", id="dockerfile"),
        pytest.param({"platforms": ("linux/arm64",)}, "platforms changed", id="platforms"),
        pytest.param({"target_stage": "x"}, "target stage changed", id="stage"),
        pytest.param({"build_args": (("A", "1"),)}, "build arg A changed", id="argument"),
        pytest.param({"labels": (("v", "1"),)}, "label v changed", id="label"),
        pytest.param({"annotations": (("v", "1"),)}, "annotation v changed", id="annotation"),
        pytest.param(
            {"named_contexts": (NamedContext("base", ContextKind.IMAGE, "x"),)},
            "base changed",
            id="named-context",
        ),
        pytest.param(
            {"sources": (PinnedSource.image("ghcr.io/a:1", "ghcr.io/a:1@sha256:x"),)},
            "ghcr.io/a:1 changed",
            id="image",
        ),
        pytest.param(
            {"sources": (PinnedSource("https://h/a", "https://h/a", "sha256:x"),)},
            "https://h/a changed",
            id="download",
        ),
        pytest.param(
            {
                "dockerfile": "e",
                "sources": (PinnedSource.image("ghcr.io/a@sha256:x", "ghcr.io/a@sha256:x"),),
            },
            "Dockerfile changed",
            id="image-by-digest",
        ),
        pytest.param({"context": "blake3:d"}, "context changed", id="context-without-files"),
    ],
)
def test_a_changed_definition_is_the_reason(members: dict[str, Any], expected: str) -> None:
    assert reason(**members) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"app.py": "9", "lib.py": "2"}, "app.py changed", id="changed"),
        pytest.param({"app.py": "1"}, "lib.py removed", id="removed"),
        pytest.param({**FILES, "new.py": "3"}, "new.py added", id="added"),
        pytest.param(
            {"app.py": "9", "lib.py": "9", "x": "1", "y": "1"},
            "app.py changed, lib.py changed and 2 more",
            id="many",
        ),
    ],
)
def test_changed_files_are_the_reason(files: dict[str, str], expected: str) -> None:
    assert reason(files, context="blake3:d") == expected


def test_a_dockerfile_that_is_in_the_context_is_said_once() -> None:
    assert reason(dockerfile="e", context="blake3:d") == "Dockerfile changed"
    files = {"app.py": "9", "lib.py": "2"}
    assert reason(files, dockerfile="e", context="blake3:d") == "app.py changed, Dockerfile changed"


def test_several_reasons_are_all_said() -> None:
    assert reason(dockerfile="e", no_cache=True) == "Dockerfile changed, no cache changed"


def test_the_first_build_of_a_target_says_so() -> None:
    assert explain_build(None, PAST) == "first build here"


def test_a_build_that_has_not_changed_lost_its_record() -> None:
    assert explain_build(PAST, PAST) == "no cached record"


def test_a_context_of_many_files_is_not_remembered() -> None:
    many = {str(index): "1" for index in range(5000)}
    assert build("x", files=many).files == {}
