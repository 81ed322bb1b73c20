"""Random trees, the same ones for the same seed: combinations that nobody thinks of by hand.

Each can be built: what steps name is there, whatever the ignore file excludes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.conformance.images.tree import Files, Special, Tree
from tests.conformance.images.trees.writing import BASE, SCRATCH, program

_NAMES = (
    "keep",
    "a.txt",
    "b.log",
    "d/keep",
    "d/a.txt",
    "d/e/b.log",
    "d/e/keep",
    "é",
    "x y",
    ".env",
)
_COPIED = ("keep", "d/keep", "d/e/keep", "d")
_PATTERNS = (
    *("*.log", "**/*.log", "a.txt", "d/a.txt", "*/e/b.*", "!**/keep", "**/[a-b].txt", "# comment"),
    *("/.env", "x*", "!x y", "d/**", "!d", "*", "!keep", "!d/**", "", "?.txt", "\u00e9"),
)
_KEPT = ("!keep", "!d/keep", "!d/e/keep")
"""The last lines of each ignore file, so that nothing that a step names is gone."""


@dataclass
class _Stage:
    """A stage that is being written."""

    number: int
    has_shell: bool
    made: list[str] = field(default_factory=list)
    """Paths that are there for later stages."""

    lines: list[str] = field(default_factory=list)


_Step = Callable[[random.Random, _Stage, Sequence[_Stage]], str]


def _flags(rng: random.Random, *flags: str) -> str:
    return "".join(f"{each} " for each in flags if rng.random() < 0.3)


def _new_path(rng: random.Random, stage: _Stage) -> str:
    path = f"/s{stage.number}p{len(stage.made)}{rng.choice(('', '/q', '/q/r'))}"
    stage.made.append(path)
    return path


def _copy(rng: random.Random, stage: _Stage, _: Sequence[_Stage]) -> str:
    flags = _flags(rng, "--chown=7:8", "--chmod=750", "--link", "--exclude=**/b.log")
    return f"COPY {flags}{rng.choice(_COPIED)} {_new_path(rng, stage)}"


def _copy_all(rng: random.Random, stage: _Stage, _: Sequence[_Stage]) -> str:
    return f"COPY {_flags(rng, '--chown=9', '--link')}. {_new_path(rng, stage)}/"


def _add(rng: random.Random, stage: _Stage, _: Sequence[_Stage]) -> str:
    return f"ADD {_flags(rng, '--chmod=600', '--link')}keep {_new_path(rng, stage)}"


def _copy_from_stage(rng: random.Random, stage: _Stage, before: Sequence[_Stage]) -> str:
    number, other = rng.choice(list(enumerate(before)))
    flags = _flags(rng, "--chown=3:4", "--link")
    return f"COPY --from=s{number} {flags}{rng.choice(other.made)} {_new_path(rng, stage)}"


def _heredoc(rng: random.Random, stage: _Stage, _: Sequence[_Stage]) -> str:
    return f"COPY {_flags(rng, '--chmod=711')}<<E {_new_path(rng, stage)}\n$A text\nE"


def _run(rng: random.Random, stage: _Stage, _: Sequence[_Stage]) -> str:
    path = _new_path(rng, stage)
    command = rng.choice(
        (
            "echo $A$B > {0}",
            "touch -d @{1} {0}",
            "ln -s /bin/ls {0}",
            "mkdir {0}; chmod 2770 {0}",
            "cp /m/keep {0}",
            "cp -r /m/d {0}",
            "pwd > {0}; chown 5:6 {0}",
        )
    )
    mount = _flags(
        rng, "--network=none", "--mount=type=tmpfs,target=/t", "--mount=type=cache,target=/c"
    )
    made = command.format(path, rng.randrange(10**9))
    return (
        f"RUN --mount=type=bind,target=/m {mount}mkdir -p {path.rpartition('/')[0] or '/'}; {made}"
    )


def _config(rng: random.Random, stage: _Stage, _: Sequence[_Stage]) -> str:
    return rng.choice(
        (
            "ENV B=$A-b",
            "ENV C=c D='d d'",
            "LABEL x=$A y=${B:-none}",
            "EXPOSE 80/udp",
            "CMD a $A",
            'ENTRYPOINT ["/bin/sh", "-c"]',
            "STOPSIGNAL SIGINT",
            "VOLUME /v",
            "HEALTHCHECK --retries=3 CMD true",
            "MAINTAINER $A",
            "WORKDIR w",
            "ONBUILD LABEL z=$A",
            "ARG LATE=$A",
            'SHELL ["/bin/sh", "-ec"]',
        )
    )


def _steps(stage: _Stage, before: Sequence[_Stage]) -> list[_Step]:
    steps: list[_Step] = [_copy, _copy_all, _add, _heredoc, _config, _config]
    if stage.has_shell:
        steps += [_run, _run, _run]
    if before:
        steps += [_copy_from_stage, _copy_from_stage]
    return steps


def random_tree(seed: int) -> Tree:
    """The tree of a seed."""
    rng = random.Random(seed)
    stages: list[_Stage] = []
    for _ in range(rng.randint(1, 3)):
        stages.append(_random_stage(rng, stages))
    lines = [line for stage in stages for line in stage.lines]
    files: dict[str, str | bytes | Special] = dict(_random_files(rng))
    if rng.random() < 0.7:
        name = rng.choice((".dockerignore", "Dockerfile.dockerignore"))
        patterns = [rng.choice(_PATTERNS) for _ in range(rng.randint(0, 5))]
        files[name] = "\n".join((*patterns, *_KEPT)) + "\n"
    return Tree(f"random-{seed}", "\n".join(("ARG A=global", *lines)) + "\n", files)


def _random_stage(rng: random.Random, before: Sequence[_Stage]) -> _Stage:
    bases = [(BASE, True), (BASE, True), (SCRATCH, False)]
    bases += [(f"FROM s{number}", each.has_shell) for number, each in enumerate(before)]
    base, has_shell = rng.choice(bases)
    stage = _Stage(len(before), has_shell)
    stage.lines += [f"{base} AS s{len(before)}", rng.choice(("ARG A", "ARG A=own", "ENV A=env"))]
    stage.lines.append(_copy(rng, stage, before))
    for _ in range(rng.randint(1, 6)):
        stage.lines.append(rng.choice(_steps(stage, before))(rng, stage, before))
    return stage


def _random_files(rng: random.Random) -> Files:
    return {
        name: program(name) if rng.random() < 0.3 else name * rng.randint(0, 3) for name in _NAMES
    }
