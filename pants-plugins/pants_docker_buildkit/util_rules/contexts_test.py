"""Files that cannot be brought to a build are a failure of its target that says what to do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pants.engine.addresses import Address

from pants_docker_buildkit.errors import UnwritableContextError
from pants_docker_buildkit.session.directory import permit_path
from pants_docker_buildkit.util_rules.contexts import prepare_contexts

KEY = "k" * 32


def prepare_nothing(session: Path) -> None:
    """Let a build begin whose context has no file."""
    job = SimpleNamespace(definition=SimpleNamespace(named_contexts=()))
    definition: Any = SimpleNamespace(
        address=Address("app", target_name="image"), key=KEY, job=job, contexts=(("", ()),)
    )
    # It asks Pants for nothing.
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
        f" {tmp_path} before it is built, but: Not a directory. Make room there, or choose another"
        " `[GLOBAL].named_caches_dir`."
    )


def test_a_session_whose_directory_is_gone_is_no_full_disk(tmp_path: Path) -> None:
    with pytest.raises(UnwritableContextError) as caught:
        prepare_nothing(tmp_path / "session")
    assert str(caught.value) == (
        "Building app:image failed:\n\nThe files of its context must be written to"
        f" {tmp_path / 'session'} before it is built, but: it vanished. Run this again, and check"
        " whether something cleans `[GLOBAL].named_caches_dir`."
    )
