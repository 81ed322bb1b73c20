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
    with pytest.raises(UnwritableContextError, match="No such file or directory") as caught:
        prepare_nothing(tmp_path / "session")
    assert "Building app:image failed" in str(caught.value)
    assert f"written to {tmp_path / 'session'} before" in str(caught.value)
    assert "Make room there, or choose another `[GLOBAL].named_caches_dir`" in str(caught.value)
