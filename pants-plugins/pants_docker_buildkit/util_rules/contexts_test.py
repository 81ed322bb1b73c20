"""Files that cannot be brought to a build are a failure of its target that says what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.engine.fs import FileContent

from pants_docker_buildkit.dockerfile.context_entries import FileEntry
from pants_docker_buildkit.errors import UnwritableContextError
from pants_docker_buildkit.session.directory import DELIVERED_FILES, permit_path
from pants_docker_buildkit.util_rules import contexts
from pants_docker_buildkit.util_rules.contexts import prepare_contexts

KEY = "k" * 32


SMALL_FILE = FileEntry("a", "a" * 64, 1)


async def answer_nothing(*_: object) -> None:
    """What Pants makes of files, where nobody looks at it."""


async def answer_one_file(*_: object) -> list[FileContent]:
    return [FileContent(f"{DELIVERED_FILES}/context/a", b"a")]


def prepare_nothing(session: Path) -> None:
    """Let a build begin whose context has no file."""
    prepare(session, ())


def prepare(session: Path, entries: Iterable[FileEntry]) -> None:
    """Let a build begin whose context has these entries."""
    job = SimpleNamespace(definition=SimpleNamespace(named_contexts=()))
    definition: Any = SimpleNamespace(
        address=Address("app", target_name="image"),
        key=KEY,
        job=job,
        contexts=(("", tuple(entries)),),
    )
    asyncio.run(prepare_contexts(definition, 0, session, "context", 1, with_all=False))


def test_a_build_may_begin_once_its_files_are_listed(tmp_path: Path) -> None:
    permit = permit_path(tmp_path, KEY, 0)
    permit.parent.mkdir()
    prepare_nothing(tmp_path)
    assert permit.exists()


def test_a_list_that_cannot_be_written_names_target_and_directory(tmp_path: Path) -> None:
    (tmp_path / "permits").write_text("no directory")
    with pytest.raises(UnwritableContextError) as caught:
        prepare_nothing(tmp_path)
    assert str(caught.value) == (
        "Building app:image failed:\n\nThe files of its context must be written to"
        f" {tmp_path} before it is built, but: Not a directory. Remove what is in the way,"
        " or choose another `[GLOBAL].named_caches_dir`."
    )


@pytest.mark.parametrize("entries", [(), (SMALL_FILE,)], ids=["nothing", "a small file"])
def test_a_session_whose_directory_is_gone_is_no_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: tuple[FileEntry, ...]
) -> None:
    monkeypatch.setattr(contexts, "create_digest", answer_nothing)
    monkeypatch.setattr(contexts, "get_digest_contents", answer_one_file)
    session = tmp_path / "session"
    with pytest.raises(UnwritableContextError) as caught:
        prepare(session, entries)
    assert str(caught.value) == (
        "Building app:image failed:\n\nThe files of its context must be written to"
        f" {session} before it is built, but: it vanished. Run this again, and check"
        " whether something cleans `[GLOBAL].named_caches_dir`."
    )
    assert not session.exists()
