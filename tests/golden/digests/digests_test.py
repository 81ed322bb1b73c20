"""Are the digests those that were written down, and those that `docs/digests.md` describes?

`contexts.json` and `builds.json` pin values, their encodings and their digests. A digest that
changes rebuilds the images of every user, so it may change only with its schema version.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from pants_docker_buildkit.digests.build_digest import build_digest, encode_build
from pants_docker_buildkit.digests.context_digest import context_digest, encode_context
from pants_docker_buildkit.dockerfile.context_entries import (
    ContextEntry,
    DirectoryEntry,
    FileEntry,
    SymlinkEntry,
)

FOLDER = Path(__file__).parent
DOCUMENT = FOLDER.parents[2] / "docs" / "digests.md"
CONTEXTS: dict[str, dict[str, Any]] = json.loads((FOLDER / "contexts.json").read_text("utf-8"))
BUILDS: dict[str, dict[str, Any]] = json.loads((FOLDER / "builds.json").read_text("utf-8"))

Tree = list[ContextEntry]


def read_context(golden: dict[str, Any]) -> tuple[Tree, dict[str, Tree]]:
    named = {name: read_tree(tree) for name, tree in golden["named_contexts"].items()}
    return read_tree(golden["entries"]), named


def read_tree(items: list[list[Any]]) -> Tree:
    return [read_entry(*item) for item in items]


def read_entry(kind: str, path: str, *rest: Any) -> ContextEntry:
    if kind == "file":
        is_executable, content_sha256, size = rest
        return FileEntry(path, content_sha256, size, is_executable)
    return SymlinkEntry(path, rest[0]) if kind == "symlink" else DirectoryEntry(path)


def documented() -> dict[str, Any]:
    """The functions of the program at the end of `docs/digests.md`."""
    program = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.M | re.S)[-1]
    functions: dict[str, Any] = {}
    exec(program, functions)
    return functions


@pytest.mark.parametrize("name", CONTEXTS)
def test_context_has_the_digest_that_was_written_down(name: str) -> None:
    context = read_context(CONTEXTS[name])
    assert encode_context(*context).decode("utf-8") == CONTEXTS[name]["encoding"]
    assert context_digest(*context) == CONTEXTS[name]["digest"]


@pytest.mark.parametrize("name", BUILDS)
def test_build_has_the_digest_that_was_written_down(name: str) -> None:
    definition = BUILDS[name]["definition"]
    assert encode_build(definition).decode("utf-8") == BUILDS[name]["encoding"]
    assert build_digest(definition) == BUILDS[name]["digest"]


@pytest.mark.parametrize("name", CONTEXTS)
def test_context_digest_can_be_recomputed_from_the_document(name: str) -> None:
    golden = CONTEXTS[name]
    value = ["pants-docker-buildkit context", 1, golden["entries"], golden["named_contexts"]]
    encoding = documented()["encode"](value)
    assert f"blake3:{blake3(encoding).hexdigest()}" == golden["digest"]


@pytest.mark.parametrize("name", BUILDS)
def test_build_digest_can_be_recomputed_from_the_document(name: str) -> None:
    assert documented()["build_digest"](BUILDS[name]["definition"]) == BUILDS[name]["digest"]


def test_document_shows_the_encoding_of_a_context() -> None:
    blocks = re.findall(r"^```\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.M | re.S)
    shown = ["".join(line.strip() for line in block.splitlines()) for block in blocks]
    assert CONTEXTS["one-of-each-kind"]["encoding"] in shown
