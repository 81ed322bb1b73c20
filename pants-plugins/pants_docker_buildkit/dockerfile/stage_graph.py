"""Which stages are there, what is each based on, and which does the target need?

The counterpart of the first half of `toDispatchState` in BuildKit's `dockerfile2llb/convert.go`.
Names of stages ignore case in `--from` and `from=`, but not in `FROM`; an index may stand in
`--from` only. What is neither becomes a node of its own, as BuildKit has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pants_docker_buildkit.dockerfile.analysis import Origin, OriginKind
from pants_docker_buildkit.dockerfile.bases import SCRATCH
from pants_docker_buildkit.dockerfile.expansion import ExpansionRules, is_literal
from pants_docker_buildkit.dockerfile.instruction import Instruction
from pants_docker_buildkit.dockerfile.limits import Limit
from pants_docker_buildkit.dockerfile.mounts import mount_origins

_INDEX = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass(eq=False)
class Node:
    """A stage, or what a `--from` names that is none: then `index` is `None`."""

    index: int | None
    name: str | None
    line: int
    origin: Origin
    base: Node | None = None
    is_replaced: bool = False
    instructions: list[Instruction] = field(default_factory=list)
    sources: dict[tuple[int, int], Node] = field(default_factory=dict)
    """What its instructions take files from, by the identity of the instruction and the number of
    the mount in it."""


class StageGraph:
    """The stages of a Dockerfile and what they need of each other."""

    def __init__(self, rules: ExpansionRules) -> None:
        self._rules = rules
        self.nodes: list[Node] = []
        self.limits: list[Limit] = []
        self._by_name: dict[str, Node] = {}

    def add(self, node: Node) -> None:
        """Append a stage."""
        self.nodes.append(node)
        if node.name is not None:
            self._by_name[node.name] = node

    def find_base(self, text: str) -> Node | None:
        """The stage that `FROM text` means at this point of the file."""
        return self._by_name.get(text)

    def find_target(self, name: str | None) -> Node | None:
        """The stage to build: the one with this name, or the last."""
        if name is not None:
            return self._by_name.get(name.lower())
        return self.nodes[-1] if self.nodes else None

    def named(self, name: str) -> list[Node]:
        """All stages that have this name, in any case; none if it is empty."""
        return [node for node in self.nodes if node.name and node.name == name.lower()]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of stages."""
        return tuple(self._by_name)

    def connect(self) -> None:
        """Find out what the instructions of all stages take files from."""
        for node in list(self.nodes):
            for instruction in node.instructions:
                self._connect_instruction(node, instruction)

    def add_triggers(self, node: Node, triggers: Sequence[Instruction]) -> None:
        """Put what the `ONBUILD`s of the base add before the instructions of a stage."""
        node.instructions[:0] = triggers
        for trigger in triggers:
            self._connect_instruction(node, trigger)

    def _connect_instruction(self, node: Node, instruction: Instruction) -> None:
        line = instruction.start_line
        copied = instruction.flag("from") if instruction.keyword == "COPY" else None
        if copied:
            origin = self._find_copy_origin(copied, line)
            if origin is not None:
                node.sources[id(instruction), 0] = origin
        elif instruction.keyword == "RUN" and instruction.flags:
            for number, name in enumerate(mount_origins(instruction)):
                node.sources[id(instruction), number] = self._find_by_name(name or SCRATCH, line)

    def _find_copy_origin(self, name: str, line: int) -> Node | None:
        if not is_literal(name, self._rules):
            self.limits.append(Limit(line, f"'--from={name}' may not have variables or quotes"))
            return None
        if _INDEX.fullmatch(name) is None:
            return self._find_by_name(name, line)
        index = int(name)
        if not 0 <= index < len(self.nodes):
            self.limits.append(Limit(line, f"'--from={name}' is not the index of a stage"))
            return None
        return self.nodes[index]

    def _find_by_name(self, name: str, line: int) -> Node:
        node = self._by_name.get(name.lower())
        if node is None:
            node = Node(None, None, line, Origin(OriginKind.UNKNOWN, name, line))
            self.nodes.append(node)
        return node


def reachable_nodes(roots: Iterable[Node]) -> set[int]:
    """The identities of the nodes that `roots` need, themselves included."""
    found: set[int] = set()
    wanted = list(roots)
    while wanted:
        node = wanted.pop()
        if id(node) in found:
            continue
        found.add(id(node))
        if node.is_replaced:
            continue
        wanted += node.sources.values()
        if node.base is not None:
            wanted.append(node.base)
    return found


def split_stages(
    instructions: Iterable[Instruction],
) -> tuple[list[Instruction], list[list[Instruction]]]:
    """The instructions before the first `FROM`, and those of each stage, its `FROM` first."""
    before: list[Instruction] = []
    stages: list[list[Instruction]] = []
    for instruction in instructions:
        if instruction.keyword == "FROM":
            stages.append([instruction])
        else:
            (stages[-1] if stages else before).append(instruction)
    return before, stages
