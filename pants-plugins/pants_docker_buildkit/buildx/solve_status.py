"""What BuildKit says of a solve while it runs: the lines of `--progress=rawjson`.

Each line is a `SolveStatus` of BuildKit's client (moby/buildkit `client/graph.go`): vertexes,
which are steps here, statuses of parts of them, and base64 of what they print and of warnings.
After the last one buildx says in plain text how the build ended.
"""

from __future__ import annotations

import base64
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any

_TIME = re.compile(r"(?P<seconds>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?P<fraction>\.\d+)?Z")
_LABEL = re.compile(r"\[[^\]]*\]")
_CANCELED = "context canceled"
_LONGEST_NAME = 80
_LONGEST_LINE = 1 << 16

UNUSED_DEFAULT = "InvalidDefaultArgInFrom"
"""The check that warns where a `FROM` would be invalid without build arguments."""

KEPT_BYTES = 1 << 20
"""Of what a step prints, this much is kept of its end while it runs, until it succeeds."""


@dataclass
class Step:
    """One step of a build. Times are seconds since the epoch, by the builder's clock.

    `output` holds the lines that it printed, each with the time at which it was whole: all of them
    up to `KEPT_BYTES`, then the last ones. `dropped` counts the characters before those.
    `last_line` is what it printed last that is not blank, perhaps without an end yet.
    """

    digest: str
    name: str = ""
    inputs: tuple[str, ...] = ()
    started: float | None = None
    completed: float | None = None
    is_cached: bool = False
    error: str = ""
    transferred: int = 0
    dropped: int = 0
    output: deque[tuple[float, str]] = field(default_factory=deque)
    last_line: str = ""
    _size: int = 0
    _begun: dict[int, bytes] = field(default_factory=dict)

    @property
    def is_internal(self) -> bool:
        """Whether BuildKit added it, and no line of the Dockerfile stands behind it."""
        return self.name.startswith("[internal]")

    @property
    def title(self) -> str:
        """Its name on one line of bearable length."""
        name = " ".join(self.name.split())
        return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"

    @property
    def label(self) -> str:
        """The part of its name in brackets, such as `[build 2/3]`, or else its title."""
        label = _LABEL.match(self.name)
        return label[0] if label else self.title

    @property
    def seconds(self) -> float:
        """How long it ran."""
        if self.started is None or self.completed is None:
            return 0.0
        return max(0.0, self.completed - self.started)

    def is_over_by(self, time: float) -> bool:
        """Whether it has not started yet, or ended before this time."""
        return self.started is None or (self.completed is not None and self.completed < time)

    def keep(self, time: float, stream: int, data: bytes) -> tuple[str, ...]:
        """Add to what it printed on a stream. Gives the lines that became whole by that.

        BuildKit cuts output where it likes, within a character too, and a line that goes on is in
        the next part. A line that is drawn again and again, as a bar, is as it was drawn last.
        """
        *whole, rest = (self._begun.pop(stream, b"") + data).split(b"\n")
        rest = rest[rest.rstrip(b"\r").rfind(b"\r") + 1 :]
        if len(rest) > _LONGEST_LINE:
            whole, rest = [*whole, rest], b""
        if rest:
            self._begun[stream] = rest
        lines = [_as_drawn(each) for each in whole]
        for line in (*lines, _as_drawn(rest)):
            self.last_line = line if line.strip() else self.last_line
        self._add(time, lines)
        return tuple(lines)

    def end_output(self, time: float) -> tuple[str, ...]:
        """The lines that it began and did not end."""
        lines = tuple(map(_as_drawn, self._begun.values()))
        self._begun.clear()
        self._add(time, lines)
        return lines

    def _add(self, time: float, lines: Iterable[str]) -> None:
        for line in lines:
            self.output.append((time, line))
            self._size += len(line)
        while self._size > KEPT_BYTES and len(self.output) > 1:
            _, oldest = self.output.popleft()
            self._size -= len(oldest)
            self.dropped += len(oldest)

    def forget_output(self) -> None:
        """Drop what it printed, which nobody wants to see of a step that succeeded."""
        self.output.clear()
        self._size = self.dropped = 0


class StepChange(str, Enum):
    """What a line says of a step."""

    STARTED = "started"
    PRINTED = "printed"
    ENDED = "ended"


@dataclass(frozen=True)
class StepNews:
    """One change of a step. `lines` are those that it printed just now."""

    step: Step
    change: StepChange
    lines: tuple[str, ...] = ()


class SolveStatus:
    """All that was said of a solve so far. `said` is what buildx said outside of it, as text.

    `warnings` are each there once, such as those of BuildKit's checks of the Dockerfile.
    """

    def __init__(self) -> None:
        self.steps: dict[str, Step] = {}
        self.said: list[str] = []
        self.warnings: list[str] = []

    def read(self, line: str) -> Iterator[StepNews]:
        """Take in one line, and give what changed by it."""
        document = _read_object(line)
        if document is None:
            self.said.append(line)
            return
        vertexes = _objects(document, "vertexes")
        for vertex in vertexes:
            yield from self._start(vertex)
        for status in _objects(document, "statuses"):
            step = self._step(status, "vertex")
            if status.get("name") == "transferring":
                step.transferred = max(step.transferred, _natural(status.get("current")))
        for log in _objects(document, "logs"):
            step, time = self._step(log, "vertex"), _seconds(log.get("timestamp")) or 0.0
            lines = step.keep(time, _natural(log.get("stream")), _decode(log.get("data")))
            if lines:
                yield StepNews(step, StepChange.PRINTED, lines)
        for warning in _objects(document, "warnings"):
            text = _decode(warning.get("short")).decode("utf-8", "replace")
            if text and text not in self.warnings:
                self.warnings.append(text)
        # BuildKit sends what it has to say about every 100 ms: one line may hold all of a step.
        for vertex in vertexes:
            yield from self._end(vertex)

    @property
    def failed(self) -> Step | None:
        """The step that ended the build, by what buildx says of it.

        Others fail as well: those that were canceled because of it, and imports of caches that are
        not there, which end no build.
        """
        said = "\n".join(self.said)
        failed = [each for each in self.steps.values() if each.error]
        causes = [each for each in failed if not each.error.endswith(_CANCELED)] or failed
        named = [each for each in causes if each.error in said] or causes
        return max(named, key=lambda each: each.completed or 0.0, default=None)

    @property
    def running(self) -> Step | None:
        """The step that has been running for longest."""
        running = [each for each in self.steps.values() if each.started and not each.completed]
        return min(running, key=lambda each: each.started or 0.0, default=None)

    def _step(self, document: dict[str, Any], key: str) -> Step:
        digest = _text(document.get(key))
        return self.steps.setdefault(digest, Step(digest))

    def _start(self, vertex: dict[str, Any]) -> Iterator[StepNews]:
        step = self._step(vertex, "digest")
        step.name = _text(vertex.get("name")) or step.name
        step.inputs = tuple(_text(each) for each in vertex.get("inputs") or step.inputs)
        step.is_cached = step.is_cached or vertex.get("cached") is True
        started = _seconds(vertex.get("started"))
        if started is not None and step.is_over_by(started):
            # A step may start again, as one that looks at a context before it reads it.
            step.started, step.completed = started, None
            yield StepNews(step, StepChange.STARTED)

    def _end(self, vertex: dict[str, Any]) -> Iterator[StepNews]:
        step = self._step(vertex, "digest")
        step.error = _text(vertex.get("error")) or step.error
        completed = _seconds(vertex.get("completed"))
        if completed is not None and step.completed is None:
            step.completed = completed
            if lines := step.end_output(completed):
                yield StepNews(step, StepChange.PRINTED, lines)
            yield StepNews(step, StepChange.ENDED)
            if not step.error:
                step.forget_output()


def _read_object(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _objects(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    values = document.get(key)
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _natural(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _decode(data: object) -> bytes:
    try:
        return base64.b64decode(_text(data), validate=True)
    except ValueError:
        return b""


def _as_drawn(line: bytes) -> str:
    """What a terminal shows of a line in the end: what follows its last carriage return."""
    drawn = (each for each in reversed(line.split(b"\r")) if each.strip())
    return next(drawn, b"").decode("utf-8", "replace")


def _seconds(value: object) -> float | None:
    """Seconds since the epoch of a time in RFC 3339 as Go writes it, in UTC."""
    time = _TIME.fullmatch(_text(value))
    if time is None:
        return None
    try:
        whole = datetime.fromisoformat(time["seconds"])
    except ValueError:
        return None
    return whole.replace(tzinfo=timezone.utc).timestamp() + float(time["fraction"] or 0)
