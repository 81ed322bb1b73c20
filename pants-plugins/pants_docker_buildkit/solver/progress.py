"""What BuildKit says while it builds: kept for a failure, and shown as it comes.

Lines for the user go to a file of the session, which Pants shows above its own. Each starts with
who sees it: a `Viewer`. Several builds append to the file, and each line names its target.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pants_docker_buildkit.buildx.solve_status import (
    UNUSED_DEFAULT,
    SolveStatus,
    Step,
    StepChange,
    StepNews,
)
from pants_docker_buildkit.registry.redaction import HiddenValues, redact_urls, redact_user_info
from pants_docker_buildkit.session.directory import PROGRESS_FILE
from pants_docker_buildkit.solver.failure import fit_to_print, without_controls
from pants_docker_buildkit.solver.remembered import remember

_CHUNK = 1 << 16
_LONGEST_LINE = 1 << 20
_LONGEST_SHOWN = 200
_RULER = "------"

_TERMINAL_SECONDS = 1.0
"""A step is worth a line on a terminal once it took this long."""

_LINES_SECONDS = 5.0
"""And in a log, where lines stay, once it took this long."""

_OUTPUT_SECONDS = 3.0
"""So often a running image shows on a terminal what it printed last."""


class Viewer(str, Enum):
    """Who sees a line: who sits at a terminal, who reads a log, or both, perhaps as a warning."""

    TERMINAL = "t"
    LOG = "l"
    BOTH = "b"
    WARNED = "w"


class ShownProgress(str, Enum):
    """How much of a running build is shown: nothing, steps that take their time, or all of it.

    Warnings are shown with both of the latter.
    """

    QUIET = "quiet"
    AUTO = "auto"
    PLAIN = "plain"


@dataclass
class _RunningStep:
    """A step that runs since `since`. `seen_by` are the viewers that were shown that it started."""

    step: Step
    since: float
    seen_by: set[Viewer]
    shown_at: float = 0.0


class Progress:
    """The output of one build, without its secrets, and user names and passwords in URLs."""

    def __init__(
        self,
        target: str,
        file: Path,
        shown: ShownProgress = ShownProgress.QUIET,
        clock: Callable[[], float] = time.monotonic,
        secrets: Iterable[str] = (),
    ) -> None:
        self.status = SolveStatus()
        self.target = target
        self._file = file
        self._shown = shown
        self._clock = clock
        self._hidden = HiddenValues(secrets)
        self._running: dict[str, _RunningStep] = {}
        self.has_told = False

    def follow(
        self, descriptor: int, go_on: Callable[[SolveStatus], None] = lambda status: None
    ) -> str:
        """Read the output of buildx to its end. Gives what there is to say of a failure.

        That is the failing step with what it printed, and what buildx said at the end. `go_on` is
        called all the while, at least every second.
        """

        def tick() -> None:
            self._show_running()
            go_on(self.status)

        for line in _lines(descriptor, tick):
            for news in self.status.read(line):
                if self._shown is not ShownProgress.QUIET:
                    self._show(news)
            tick()
        self._show_warnings()
        said = self._hide(redact_user_info(describe_end(self.status)))
        return "\n".join(said)

    def _hide(self, text: str) -> list[str]:
        """The lines of a text without secrets: neither as printed, nor as a terminal shows it."""
        shown = map(without_controls, self._hidden.hide(text).split("\n"))
        return [self._hidden.hide(line) for line in shown]

    def _show(self, news: StepNews) -> None:
        step = news.step
        if self._shown is ShownProgress.PLAIN:
            for line in _plain_lines(news):
                self._tell(Viewer.BOTH, line)
        elif news.change is StepChange.STARTED and not step.is_internal:
            self._running[step.digest] = _RunningStep(step, self._clock(), set())
        elif news.change is StepChange.ENDED and step.digest in self._running:
            self._show_end(self._running.pop(step.digest))

    def _show_warnings(self) -> None:
        # As buildx does, in the end, where they are seen.
        if self._shown is not ShownProgress.QUIET:
            for text in self.status.warnings:
                # This build has another value, as that of an address is the image of the target.
                if text.startswith(f"{UNUSED_DEFAULT}:"):
                    continue
                self._tell(Viewer.BOTH, f"warning: {text}")

    def _show_end(self, running: _RunningStep) -> None:
        # A failed build shows its failing step, and cancels the others.
        if running.step.error:
            return
        text = f"{running.step.title}: done in {running.step.seconds:.1f} s"
        if running.step.seconds >= _LINES_SECONDS:
            self._tell(Viewer.BOTH, text)
        elif running.step.seconds >= _TERMINAL_SECONDS:
            self._tell(Viewer.TERMINAL, text)

    def _show_running(self) -> None:
        now = self._clock()
        for running in self._running.values():
            seconds = now - running.since
            title = running.step.title
            for viewer, patience in (
                (Viewer.TERMINAL, _TERMINAL_SECONDS),
                (Viewer.LOG, _LINES_SECONDS),
            ):
                if seconds >= patience and viewer not in running.seen_by:
                    running.seen_by.add(viewer)
                    running.shown_at = now
                    self._tell(viewer, f"{title}: running")
        self._show_last_lines(now)

    def _show_last_lines(self, now: float) -> None:
        """One line for the image: of the step that waited longest to be shown."""
        waiting = [each for each in self._running.values() if Viewer.TERMINAL in each.seen_by]
        if not waiting or now - max(each.shown_at for each in waiting) < _OUTPUT_SECONDS:
            return
        running = min(waiting, key=lambda each: each.shown_at)
        running.shown_at = now
        line = f": {running.step.last_line}" if running.step.last_line else ""
        text = f"{running.step.label} {now - running.since:.0f} s{line}"
        self._tell(Viewer.TERMINAL, text)

    def _tell(self, viewer: Viewer, text: str) -> None:
        lines = self._hide(redact_urls(text.rstrip()))
        shown = (
            each if len(each) <= _LONGEST_SHOWN else f"{each[:_LONGEST_SHOWN]}…" for each in lines
        )
        self.has_told = True
        _append(self._file, viewer, (f"{self.target} {each}" for each in shown))


def tell(session: Path, text: str) -> None:
    """Show a line to the user of a session, however much of its builds is shown."""
    _append(session / PROGRESS_FILE, Viewer.BOTH, fit_to_print(text).split("\n"))


def warn_once(session: Path, subject: str, text: str) -> None:
    """Warn the user of a session, unless it was warned of the same subject already."""

    def warn() -> str:
        _append(session / PROGRESS_FILE, Viewer.WARNED, fit_to_print(text).split("\n"))
        return text

    remember(session, "warning", subject, warn)


def describe_end(status: SolveStatus) -> str:
    """How a build ended: the failing step with what it printed, and what buildx said.

    A buildx that was killed says nothing. Then it is the step that ran.
    """
    said = "".join(f"{line}\n" for line in status.said)
    step = status.failed or (None if said else status.running)
    return said if step is None else f"{_describe_step(step)}{said}"


def _describe_step(step: Step) -> str:
    # What came after its end, and had no end of its own.
    step.end_output(step.completed or 0.0)
    lines = [_RULER, f" > {step.title}:"]
    if step.dropped:
        lines.append(f"({step.dropped} characters before this are left out)")
    for printed_at, line in step.output:
        seconds = max(0.0, printed_at - (step.started or printed_at))
        lines.append(f"{seconds:.3f} {line}")
    return "".join(f"{line}\n" for line in (*lines, _RULER))


def _plain_lines(news: StepNews) -> Iterator[str]:
    step = news.step
    if news.change is StepChange.STARTED:
        yield step.title
    elif news.change is StepChange.PRINTED:
        yield from (f"{step.label} {line}" for line in news.lines if line.strip())
    elif step.is_cached:
        yield f"{step.label} CACHED"
    elif step.error:
        yield f"{step.label} ERROR: {step.error}"
    else:
        sent = f", {step.transferred} bytes sent" if step.transferred else ""
        yield f"{step.label} DONE {step.seconds:.1f}s{sent}"


def _lines(descriptor: int, tick: Callable[[], None]) -> Iterator[str]:
    """The lines of a stream as they come. `tick` is called every second while none comes."""
    rest = b""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while True:
        if not poll.poll(1000):
            tick()
            continue
        chunk = os.read(descriptor, _CHUNK)
        if not chunk:
            break
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in whole)
        # No line of buildx is so long, so that an endless one must not fill the memory.
        rest = rest[-_LONGEST_LINE:]
    if rest:
        yield rest.decode("utf-8", "replace")


def _append(path: Path, viewer: Viewer, lines: Iterable[str]) -> None:
    # One write keeps them whole beside the lines of other builds.
    with open(path, "a", encoding="utf-8") as file:
        file.write("".join(f"{viewer.value} {line}\n" for line in lines))
