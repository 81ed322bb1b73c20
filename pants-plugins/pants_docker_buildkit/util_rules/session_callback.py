"""Show what builds say while a session runs, and remove what it wrote as soon as it ends."""

from __future__ import annotations

import logging
import sys
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

from pants_docker_buildkit.compat import implicitly, rule
from pants_docker_buildkit.session.directory import (
    PROGRESS_FILE,
    remove_directory,
    session_directory,
)
from pants_docker_buildkit.session.running import SessionKeeper
from pants_docker_buildkit.solver.progress import Viewer
from pants_docker_buildkit.util_rules.session import SessionKeeperRequest, keep_session

logger = logging.getLogger(__name__)


class SessionCallback(WorkunitsCallback):
    """Called every second: shows progress, and closes the session once its processes have ended."""

    def __init__(self, directory: Path, keeper: SessionKeeper) -> None:
        self._directory = directory
        self._keeper = keeper
        self._shown = 0

    @property
    def can_finish_async(self) -> bool:
        """No: the next session of the same Pants process uses the same directory."""
        return False

    def __call__(self, *, finished: bool, **_: Any) -> None:
        """Called as the session goes on, and once when it ends."""
        self._show_progress()
        if finished:
            self._keeper.close()
            remove_directory(self._directory)

    def _show_progress(self) -> None:
        try:
            with open(self._directory / PROGRESS_FILE, "rb") as file:
                file.seek(self._shown)
                content = file.read()
        except FileNotFoundError:
            return
        whole = content[: content.rfind(b"\n") + 1]
        self._shown += len(whole)
        here = Viewer.TERMINAL if sys.stderr.isatty() else Viewer.LOG
        for line in whole.decode("utf-8", "replace").split("\n")[:-1]:
            viewer, _, text = line.partition(" ")
            if viewer == Viewer.WARNED.value:
                logger.warning(text)
            elif viewer in (Viewer.BOTH.value, here.value):
                logger.info(text)


class SessionCallbackFactoryRequest(WorkunitsCallbackFactoryRequest):
    """Asks for the callback of the session."""


@rule
async def prepare_session_callback(
    _: SessionCallbackFactoryRequest, named_caches: NamedCachesDirOption
) -> WorkunitsCallbackFactory:
    keeper = await keep_session(SessionKeeperRequest(), **implicitly())
    directory = session_directory(Path(named_caches.val))
    return WorkunitsCallbackFactory(lambda: SessionCallback(directory, keeper))


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *collect_rules(),
        UnionRule(WorkunitsCallbackFactoryRequest, SessionCallbackFactoryRequest),
    )
