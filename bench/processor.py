"""Where does processor time go? By class of process, as Linux counts it.

Beside a time that a user waits, it says which program works meanwhile, whatever else the machine
does. Processes are told by their names, so other engines and registries of the machine count too.
"""

from __future__ import annotations

import os
import resource
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

COMMANDS = "commands"
"""What is run and ends: the client of Pants, all of Pants without its daemon, plain buildx."""

PANTS = "pantsd"
PROCESSES = "processes of pantsd"
REGISTRY = "registry"
ENGINE = "engine"
REMOTE_CACHE = "remote cache"

_CLASSES = {
    "pantsd": PANTS,
    "docker-registry": REGISTRY,
    "registry": REGISTRY,
    "dockerd": ENGINE,
    "containerd": ENGINE,
    "buildkitd": ENGINE,
    "bgd": REMOTE_CACHE,
    "bazel-remote": REMOTE_CACHE,
}
_PROC = Path("/proc")
# Of `proc(5)`, counted from after the name: times of its own, of children that ended, its start.
_PARENT, _OWN, _OF_CHILDREN, _START = 1, slice(11, 13), slice(13, 15), 19


@dataclass(frozen=True)
class _Times:
    """What one process and its children that ended took, in ticks of the clock."""

    kind: str
    own: int
    of_children: int


@dataclass(frozen=True)
class ProcessorTimes:
    """What all processes took until a moment."""

    commands: float
    processes: Mapping[tuple[str, str], _Times]

    @classmethod
    def now(cls, proc: Path = _PROC) -> ProcessorTimes:
        """As it is now."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        stats = {}
        for path in proc.glob("[0-9]*/stat"):
            try:
                name, _, values = path.read_text().partition("(")[2].rpartition(")")
            except OSError:
                # It has ended.
                continue
            stats[path.parent.name] = (_CLASSES.get(name.partition(" ")[0]), values.split())
        daemons = {pid for pid, (kind, _) in stats.items() if kind == PANTS}
        found = {}
        for pid, (kind, fields) in stats.items():
            # Those that still run, such as the one that builds are forked from.
            kind = PROCESSES if kind is None and fields[_PARENT] in daemons else kind
            if kind is not None:
                times = _Times(kind, _sum(fields[_OWN]), _sum(fields[_OF_CHILDREN]))
                found[pid, fields[_START]] = times
        return cls(ended.ru_utime + ended.ru_stime, found)

    def since(self, before: ProcessorTimes) -> Mapping[str, float]:
        """What each class took since then, in seconds."""
        ticks: defaultdict[str, int] = defaultdict(int)
        for process, times in self.processes.items():
            old = before.processes.get(process, _Times(times.kind, 0, 0))
            ticks[times.kind] += times.own - old.own
            kind = PROCESSES if times.kind == PANTS else times.kind
            ticks[kind] += times.of_children - old.of_children
        for process, times in before.processes.items():
            if times.kind == PROCESSES and process not in self.processes:
                # It is among the children of its daemon now, with what was counted before.
                ticks[PROCESSES] -= times.own + times.of_children
        seconds = {kind: each / os.sysconf("SC_CLK_TCK") for kind, each in ticks.items()}
        return {COMMANDS: self.commands - before.commands, **seconds}


def _sum(values: list[str]) -> int:
    return sum(map(int, values))
