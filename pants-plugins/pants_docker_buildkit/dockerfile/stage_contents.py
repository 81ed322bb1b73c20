"""What does one stage take from the build context, from elsewhere, and from its variables?

The counterpart of `dispatch` in BuildKit's `dockerfile2llb/convert.go`: the instructions of a
stage, one after the other, each seeing the variables that those before it set.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from pants_docker_buildkit.dockerfile.analysis import (
    AgentUse,
    Argument,
    ContextPath,
    Origin,
    OriginKind,
    RemoteKind,
    RemoteSource,
)
from pants_docker_buildkit.dockerfile.errors import InvalidArgumentsError, InvalidStageUseError
from pants_docker_buildkit.dockerfile.expansion import ExpansionRules
from pants_docker_buildkit.dockerfile.heredoc import try_parse_heredoc
from pants_docker_buildkit.dockerfile.instruction import Instruction
from pants_docker_buildkit.dockerfile.limits import Limit
from pants_docker_buildkit.dockerfile.mounts import Mount, MountType, parse_mounts
from pants_docker_buildkit.dockerfile.remote_sources import remote_kind
from pants_docker_buildkit.dockerfile.scope import (
    GlobalScope,
    StageExpansion,
    StageScope,
)
from pants_docker_buildkit.dockerfile.stage_graph import Node

_HEREDOC_RULES = ExpansionRules(understands_quotes=False)
_WHOLE_CONTEXT = "."


@dataclass
class StageContents:
    """Collects what the instructions of one stage need. `finished` are the nodes before it."""

    node: Node
    scope: StageScope
    globals_: GlobalScope
    finished: set[int]
    arguments: list[Argument] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    context_paths: list[ContextPath] = field(default_factory=list)
    remote_sources: list[RemoteSource] = field(default_factory=list)
    secrets: dict[str, AgentUse] = field(default_factory=dict)
    ssh_agents: dict[str, AgentUse] = field(default_factory=dict)
    limits: list[Limit] = field(default_factory=list)

    def read(self, instruction: Instruction) -> None:
        """Take what `instruction` needs, and the variables that it sets."""
        reader = _READERS.get(instruction.keyword)
        if reader is not None:
            reader(self, instruction)

    def _expand(self, text: str, instruction: Instruction) -> str | None:
        return self.scope.expand(text, instruction.start_line, self.globals_.rules).text

    def read_words(self, instruction: Instruction) -> None:
        """Expand all arguments, only to find out whether that is possible."""
        for argument in instruction.arguments:
            self._expand(argument, instruction)

    def read_arg(self, instruction: Instruction) -> None:
        """Declare the variables of an `ARG`."""
        self.arguments += self.scope.declare(instruction, self.globals_, self.globals_.rules)

    def read_env(self, instruction: Instruction) -> None:
        """Set the variables of an `ENV`, all of which see those before it only."""
        expanded = [self._expand(argument, instruction) for argument in instruction.arguments]
        for name, value in zip(expanded[::2], expanded[1::2]):
            if name is not None:
                self.scope.values[name] = value

    def read_copy(self, instruction: Instruction) -> None:
        """Take the sources of a `COPY` or `ADD`."""
        for flag in ("chown", "chmod", "checksum"):
            self._expand(instruction.flag(flag) or "", instruction)
        self._expand(instruction.arguments[-1], instruction)
        for heredoc in instruction.heredocs:
            if heredoc.expands:
                self.scope.expand(heredoc.content, instruction.start_line, _HEREDOC_RULES)
        source = self.node.sources.get((id(instruction), 0))
        if source is not None:
            self._use(source, instruction)
        for written in instruction.arguments[:-1]:
            if try_parse_heredoc(written) is None:
                self._read_source(written, instruction, from_context=source is None)

    def _read_source(self, written: str, instruction: Instruction, *, from_context: bool) -> None:
        expansion = self.scope.expand(written, instruction.start_line, self.globals_.rules)
        text = expansion.text
        kind = None if text is None else remote_kind(text)
        if text is not None and kind is not None:
            self._read_remote_source(text, kind, instruction)
        elif from_context:
            self._add_context_path(expansion, written, instruction)

    def _read_remote_source(self, url: str, kind: RemoteKind, instruction: Instruction) -> None:
        if instruction.keyword != "ADD":
            requirement = f"use ADD, not {instruction.keyword}, to download {url!r}"
            raise InvalidArgumentsError(instruction.start_line, requirement)
        checksum = self._expand(instruction.flag("checksum") or "", instruction)
        source = RemoteSource(instruction.start_line, kind, url, checksum or None)
        self.remote_sources.append(source)

    def _add_context_path(
        self, expansion: StageExpansion, written: str, instruction: Instruction
    ) -> None:
        text = expansion.text
        if text is None:
            base = self.node.origin.text
            why = f"{written!r} depends on a variable that only the base image '{base}' may set"
            self.limits.append(Limit(instruction.start_line, why))
        self.context_paths.append(
            ContextPath(
                instruction.start_line,
                instruction.keyword,
                None if text is None else normalize_context_path(text),
                written,
                tuple(sorted(expansion.names)),
                has_wildcard=text is not None and _has_wildcard(text),
                keeps_parents=instruction.is_enabled("parents"),
                excludes=instruction.flag_values("exclude"),
            )
        )

    def read_run(self, instruction: Instruction) -> None:
        """Take the mounts of a `RUN`."""
        if not instruction.flags:
            return
        unknown: list[str] = []

        def expand(text: str) -> str:
            expanded = self._expand(text, instruction)
            if expanded is None:
                unknown.append(text)
            return text if expanded is None else expanded

        for number, mount in enumerate(parse_mounts(instruction, expand)):
            self._read_mount(mount, number, instruction, unknown)

    def _read_mount(
        self, mount: Mount, number: int, instruction: Instruction, unknown: list[str]
    ) -> None:
        line = instruction.start_line
        if mount.origin:
            self._use(self.node.sources[(id(instruction), number)], instruction)
        if mount.mount_type is MountType.SECRET:
            use = AgentUse(mount.identity, mount.is_required, line)
            self.secrets.setdefault(use.id, use)
        elif mount.mount_type is MountType.SSH:
            use = AgentUse(mount.identity, mount.is_required, line)
            self.ssh_agents.setdefault(use.id, use)
        elif mount.mount_type is MountType.BIND and not mount.origin:
            written = mount.source or _WHOLE_CONTEXT
            text = None if written in unknown else written
            self._add_context_path(StageExpansion(text), written, instruction)

    def _use(self, source: Node, instruction: Instruction) -> None:
        if source.index is not None and id(source) not in self.finished:
            name = source.name or str(source.index)
            requirement = f"not take files from the stage '{name}' before it is defined"
            raise InvalidStageUseError(instruction.start_line, requirement)
        origin = source.origin
        if source.index is not None:
            written = source.name or str(source.index)
            origin = Origin(OriginKind.STAGE, written, written, 0, source.index)
        self.origins.append(replace(origin, line=instruction.start_line))


def normalize_context_path(text: str) -> str:
    """`text` relative to the root of the build context; nothing leads out of it."""
    return posixpath.normpath(f"/{text}").lstrip("/") or _WHOLE_CONTEXT


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
        "LABEL": StageContents.read_words,
        "RUN": StageContents.read_run,
        "STOPSIGNAL": StageContents.read_words,
        "USER": StageContents.read_words,
        "VOLUME": StageContents.read_words,
        "WORKDIR": StageContents.read_words,
    }
)
