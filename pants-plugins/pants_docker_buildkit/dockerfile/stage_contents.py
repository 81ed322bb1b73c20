"""What does one stage take from the build context, from elsewhere, and from its variables?

The counterpart of `dispatch` in BuildKit's `dockerfile2llb/convert.go`: the instructions of a
stage, one after the other, each seeing the variables that those before it set.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile
from types import MappingProxyType

from pants_docker_buildkit.dockerfile.analysis import (
    Argument,
    ContextPath,
    Origin,
    OriginKind,
    RemoteKind,
    RemoteSource,
)
from pants_docker_buildkit.dockerfile.heredoc import try_parse_heredoc
from pants_docker_buildkit.dockerfile.instruction import Instruction
from pants_docker_buildkit.dockerfile.limits import Limit
from pants_docker_buildkit.dockerfile.mounts import Mount, MountType, parse_mounts
from pants_docker_buildkit.dockerfile.remote_sources import remote_kind
from pants_docker_buildkit.dockerfile.scope import GlobalScope, StageExpansion, StageScope
from pants_docker_buildkit.dockerfile.stage_graph import Node

_WHOLE_CONTEXT = "."
_WILDCARD_CHARACTERS = frozenset("*?[\\")


@dataclass
class StageContents:
    """Collects what the instructions of one stage need."""

    node: Node
    scope: StageScope
    globals_: GlobalScope
    arguments: list[Argument] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    context_paths: list[ContextPath] = field(default_factory=list)
    remote_sources: list[RemoteSource] = field(default_factory=list)
    asks_for_all: bool = False
    limits: list[Limit] = field(default_factory=list)

    def read(self, instruction: Instruction) -> None:
        """Take what `instruction` needs, and the variables that it sets."""
        reader = _READERS.get(instruction.keyword)
        if reader is not None:
            reader(self, instruction)

    def _expand(self, text: str) -> str | None:
        return self.scope.expand(text, self.globals_.rules).text

    def read_arg(self, instruction: Instruction) -> None:
        """Declare the variables of an `ARG`."""
        self.arguments += self.scope.declare(instruction, self.globals_, self.globals_.rules)

    def read_env(self, instruction: Instruction) -> None:
        """Set the variables of an `ENV`, all of which see those before it only."""
        expanded = [self._expand(argument) for argument in instruction.arguments]
        for name, value in zip(expanded[::2], expanded[1::2]):
            if name is not None:
                self.scope.values[name] = value

    def read_copy(self, instruction: Instruction) -> None:
        """Take the sources of a `COPY` or `ADD`."""
        source = self.node.sources.get((id(instruction), 0))
        if source is not None:
            self._use(source, instruction)
        from_context = instruction.keyword == "ADD" or not instruction.flag("from")
        for written in instruction.arguments[:-1]:
            if try_parse_heredoc(written) is None:
                self._read_source(written, instruction, from_context=from_context)

    def _read_source(self, written: str, instruction: Instruction, *, from_context: bool) -> None:
        expansion = self.scope.expand(written, self.globals_.rules)
        text = expansion.text
        kind = None if text is None else remote_kind(text)
        if text is not None and kind is not None:
            # BuildKit refuses a COPY of one before it asks anybody.
            if instruction.keyword == "ADD":
                self._read_remote_source(text, kind, instruction)
        elif from_context:
            self._add_context_path(expansion, written, instruction)

    def _read_remote_source(self, url: str, kind: RemoteKind, instruction: Instruction) -> None:
        checksum = self._expand(instruction.flag("checksum") or "")
        source = RemoteSource(instruction.start_line, kind, url, checksum or None)
        self.remote_sources.append(source)

    def _add_context_path(
        self, expansion: StageExpansion, written: str, instruction: Instruction
    ) -> None:
        text = expansion.text
        if text is None:
            self.limits.append(Limit(instruction.start_line, f"{written!r} {expansion.why}"))
        self.context_paths.append(
            ContextPath(
                instruction.start_line,
                instruction.keyword,
                None if text is None else normalize_context_path(text),
                has_wildcard=text is not None and _has_wildcard(text),
                keeps_parents=instruction.is_enabled("parents"),
                has_exclusions=bool(instruction.flag_values("exclude")),
            )
        )

    def read_run(self, instruction: Instruction) -> None:
        """Take the mounts of a `RUN`."""
        texts = instruction.flag_values("mount")
        for number, mount in enumerate(parse_mounts(instruction, self._expand)):
            self._read_mount(mount, texts[number], number, instruction)

    def _read_mount(
        self, mount: Mount, written: str, number: int, instruction: Instruction
    ) -> None:
        if mount.origin:
            self._use(self.node.sources[id(instruction), number], instruction)
        if mount.mount_type is None:
            why = f"the mount {written!r} is not understood"
            self.limits.append(Limit(instruction.start_line, why))
        elif mount.mount_type is MountType.BIND and not mount.origin:
            source = _WHOLE_CONTEXT if mount.source == "" else mount.source
            expansion = StageExpansion(source, why="is not understood")
            self._add_context_path(expansion, source or written, instruction)
        elif mount.mount_type is MountType.TMPFS and not mount.origin:
            # `dispatchRunMounts` notes its source as that of a bind mount.
            self.asks_for_all = True

    def _use(self, source: Node, instruction: Instruction) -> None:
        origin = source.origin
        if source.index is not None:
            origin = Origin(OriginKind.STAGE, source.name or str(source.index), 0)
        self.origins.append(replace(origin, line=instruction.start_line))


def normalize_context_path(text: str) -> str:
    """`text` relative to the root of the build context; nothing leads out of it."""
    return posixpath.normpath(f"/{text}").lstrip("/") or _WHOLE_CONTEXT


def directory_of_wildcards(path: str) -> str:
    """Where BuildKit looks for what a path with wildcards finds; empty for the root."""
    return "/".join(takewhile(_WILDCARD_CHARACTERS.isdisjoint, path.split("/")))


def _has_wildcard(text: str) -> bool:
    """Whether BuildKit would look for several paths; a backslash takes the meaning from a `*`."""
    position = 0
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] in "*?[":
            return True
        position += 1
    return False


_READERS: Mapping[str, Callable[[StageContents, Instruction], None]] = MappingProxyType(
    {
        "ADD": StageContents.read_copy,
        "ARG": StageContents.read_arg,
        "COPY": StageContents.read_copy,
        "ENV": StageContents.read_env,
        "RUN": StageContents.read_run,
    }
)
