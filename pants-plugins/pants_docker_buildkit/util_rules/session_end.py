"""Remove what a session wrote for its build processes as soon as it ends."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pants.engine.rules import Rule, collect_rules
from pants.engine.streaming_workunit_handler import (
    WorkunitsCallback,
    WorkunitsCallbackFactory,
    WorkunitsCallbackFactoryRequest,
)
from pants.engine.unions import UnionRule
from pants.option.global_options import NamedCachesDirOption

from pants_docker_buildkit.compat import rule
from pants_docker_buildkit.util_rules.session import close_session, session_directory


class CloseSessionCallback(WorkunitsCallback):
    """Closes the session once all its processes have ended."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def can_finish_async(self) -> bool:
        """No: the next session of the same Pants process uses the same directory."""
        return False

    def __call__(self, *, finished: bool, **_: Any) -> None:
        """Called as the session goes on, and once when it ends."""
        if finished:
            close_session(self._directory)


class CloseSessionFactoryRequest(WorkunitsCallbackFactoryRequest):
    """Asks for the callback that closes the session."""


@rule
async def prepare_session_end(
    _: CloseSessionFactoryRequest, named_caches: NamedCachesDirOption
) -> WorkunitsCallbackFactory:
    directory = session_directory(named_caches)
    return WorkunitsCallbackFactory(lambda: CloseSessionCallback(directory))


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *collect_rules(),
        UnionRule(WorkunitsCallbackFactoryRequest, CloseSessionFactoryRequest),
    )
