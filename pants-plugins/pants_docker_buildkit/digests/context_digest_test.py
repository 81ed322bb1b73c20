from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pants_docker_buildkit.digests.context_digest import (
    DOMAIN,
    SCHEMA_VERSION,
    DuplicateContextPathError,
    context_digest,
    encode_context,
)
from pants_docker_buildkit.digests.encoding import Encodable, encode
from pants_docker_buildkit.dockerfile.context_entries import (
    ContextEntry,
    DirectoryEntry,
    FileEntry,
    SymlinkEntry,
)

FILE = FileEntry("a/b", "0" * 64, 3)
LINK = SymlinkEntry("c", "a/b")
DIRECTORY = DirectoryEntry("d")
TREE = (FILE, LINK, DIRECTORY)

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1)
ENTRIES: st.SearchStrategy[ContextEntry] = st.one_of(
    st.builds(
        FileEntry,
        NAMES,
        st.binary(min_size=32, max_size=32).map(bytes.hex),
        st.integers(min_value=0),
        st.booleans(),
    ),
    st.builds(SymlinkEntry, NAMES, NAMES),
    st.builds(DirectoryEntry, NAMES),
)
TREES = st.lists(ENTRIES, unique_by=lambda entry: entry.path)


def as_value(tree: list[ContextEntry]) -> list[Encodable]:
    """The tree as `docs/digests.md` describes it."""
    values: list[Encodable] = []
    for entry in sorted(tree, key=lambda entry: entry.path.encode("utf-8")):
        if isinstance(entry, FileEntry):
            value = ("file", entry.path, entry.is_executable, entry.content_sha256, entry.size)
            values.append(list(value))
        elif isinstance(entry, SymlinkEntry):
            values.append(["symlink", entry.path, entry.target])
        else:
            values.append(["directory", entry.path])
    return values


@given(TREES, st.dictionaries(NAMES, TREES, max_size=3))
def test_context_is_encoded_like_any_value(
    tree: list[ContextEntry], named: dict[str, list[ContextEntry]]
) -> None:
    value: Encodable = [
        *(DOMAIN, SCHEMA_VERSION, as_value(tree)),
        {name: as_value(entries) for name, entries in named.items()},
    ]
    assert encode_context(tree, named) == encode(value)


@given(TREES, st.randoms())
def test_order_of_entries_does_not_matter(tree: list[ContextEntry], rng: Random) -> None:
    shuffled = list(tree)
    rng.shuffle(shuffled)
    assert context_digest(shuffled) == context_digest(tree)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param((FILE._replace(path="a/c"), LINK, DIRECTORY), id="path"),
        pytest.param((FILE._replace(content_sha256="1" * 64), LINK, DIRECTORY), id="content"),
        pytest.param((FILE._replace(size=4), LINK, DIRECTORY), id="size"),
        pytest.param((FILE._replace(is_executable=True), LINK, DIRECTORY), id="mode"),
        pytest.param((FILE, LINK._replace(target="a"), DIRECTORY), id="link target"),
        pytest.param((FILE, LINK._replace(path="e"), DIRECTORY), id="link path"),
        pytest.param((FILE, DirectoryEntry("c"), DIRECTORY), id="kind"),
        pytest.param((FILE, LINK), id="directory gone"),
        pytest.param((*TREE, DirectoryEntry("e")), id="directory more"),
        pytest.param((), id="nothing"),
    ],
)
def test_digest_changes_with_what_the_build_sees(changed: tuple[ContextEntry, ...]) -> None:
    assert context_digest(changed) != context_digest(TREE)


def test_digest_tells_named_contexts_apart() -> None:
    digests = {
        context_digest(TREE),
        context_digest(TREE, {"a": ()}),
        context_digest(TREE, {"b": ()}),
        context_digest(TREE, {"a": TREE}),
        context_digest((), {"a": TREE}),
        context_digest((), {"a": TREE, "b": ()}),
        context_digest((), {"a": (), "b": TREE}),
    }
    assert len(digests) == 7


def test_order_of_named_contexts_does_not_matter() -> None:
    assert context_digest((), {"a": TREE, "b": ()}) == context_digest((), {"b": (), "a": TREE})


def test_directory_in_which_something_lies_is_not_an_entry() -> None:
    assert context_digest((*TREE, DirectoryEntry("a"))) == context_digest(TREE)


def test_two_entries_with_one_path_are_refused() -> None:
    with pytest.raises(DuplicateContextPathError, match="'a/b' has two"):
        context_digest((FILE, SymlinkEntry("a/b", "c")))
