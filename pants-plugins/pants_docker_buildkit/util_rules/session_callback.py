"""Show what builds say while a session runs, and remove what it wrote as soon as it ends."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

from pants.base.build_environment import get_buildroot
from pants.engine.internals.session import SessionValues
from pants.engine.streaming_workunit_handler import (
    WorkunitsCallback,
    WorkunitsCallbackFactory,
    WorkunitsCallbackFactoryRequest,
)
from pants.option.global_options import NamedCachesDirOption

from pants_docker_buildkit.compat import implicitly, thread_locals, uncacheable_rule
from pants_docker_buildkit.errors import InvalidOptionError
from pants_docker_buildkit.reports.rendering import RENDERERS
from pants_docker_buildkit.reports.timeline import read_builds
from pants_docker_buildkit.session.directory import (
    PROGRESS_FILE,
    TIMELINES_DIRECTORY,
    remove_directory,
    session_directory,
)
from pants_docker_buildkit.session.progress_view import ProgressView
from pants_docker_buildkit.session.running import SessionKeeper
from pants_docker_buildkit.solver.progress import Viewer
from pants_docker_buildkit.subsystem import BuildReportSubsystem
from pants_docker_buildkit.util_rules.confirmation import confirm_early
from pants_docker_buildkit.util_rules.session import keep_session

logger = logging.getLogger(__name__)


class SessionCallback(WorkunitsCallback):
    """Called every second: shows progress, and closes the session once its processes have ended.

    A build that ends asks for it as well, or its last lines would come after Pants says that it has
    ended.
    """

    def __init__(self, directory: Path, keeper: SessionKeeper, report: Path | None) -> None:
        # As long as Pants draws its bars it has the terminal for itself, and says that there is
        # none. It draws none when it makes this object.
        self._viewer = Viewer.TERMINAL if sys.stderr.isatty() else Viewer.LOG
        self._directory = directory
        self._report = report
        self._keeper = keeper
        self._progress = ProgressView(directory / PROGRESS_FILE, self._show)
        take_over = thread_locals()

        def show_progress() -> None:
            # In another thread, messages would go to the log of pantsd only.
            take_over()
            self._progress.update()

        keeper.show_progress = show_progress

    @property
    def can_finish_async(self) -> bool:
        """No: the next session of the same Pants process uses the same directory."""
        return False

    def __call__(self, *, finished: bool, **_: Any) -> None:
        """Called as the session goes on, and once when it ends."""
        self._progress.update()
        if finished:
            if self._report is not None:
                self._write_report(self._report)
            self._keeper.close()
            remove_directory(self._directory)

    def _write_report(self, path: Path) -> None:
        try:
            running = self._keeper.running
            reasons, asked = dict(running.reasons), dict(running.asked)
        except LookupError:
            # Nothing of this session needed an image.
            reasons, asked = {}, {}
        builds = read_builds(self._directory / TIMELINES_DIRECTORY, reasons, asked)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(RENDERERS[path.suffix](builds), encoding="utf-8")
        except OSError as e:
            logger.warning(f"The report {path} could not be written: {e.strerror or e}.")

    def _show(self, viewer: str, text: str) -> None:
        if viewer == Viewer.WARNED.value:
            logger.warning(text)
        elif viewer in (Viewer.BOTH.value, self._viewer.value):
            logger.info(text)


class SessionCallbackFactoryRequest(WorkunitsCallbackFactoryRequest):
    """Asks for the callback of the session."""


@uncacheable_rule
async def prepare_session_callback(
    _: SessionCallbackFactoryRequest,
    named_caches: NamedCachesDirOption,
    subsystem: BuildReportSubsystem,
    session_values: SessionValues,
) -> WorkunitsCallbackFactory:
    # Pants asks for this before it does anything else.
    await confirm_early(session_values)
    report = None if subsystem.file is None else Path(get_buildroot(), subsystem.file)
    if report is not None and report.suffix not in RENDERERS:
        raise InvalidOptionError(
            "file",
            f"end in one of {', '.join(RENDERERS)}",
            f"it is {subsystem.file!r}",
            scope=BuildReportSubsystem.options_scope,
        )
    keeper = await keep_session(**implicitly())
    directory = session_directory(Path(named_caches.val))
    return WorkunitsCallbackFactory(lambda: SessionCallback(directory, keeper, report))
