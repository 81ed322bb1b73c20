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
from pants_docker_buildkit.dockerfile.arguments import SPLITTERS
from pants_docker_buildkit.dockerfile.bases import SCRATCH
from pants_docker_buildkit.dockerfile.errors import (
    InvalidFlagError,
    InvalidStageUseError,
    MissingStageError,
    UnknownStageError,
)
from pants_docker_buildkit.dockerfile.expansion import ExpansionRules
from pants_docker_buildkit.dockerfile.instruction import Instruction
from pants_docker_buildkit.dockerfile.mounts import mount_origins
from pants_docker_buildkit.dockerfile.scope import expand_at

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
    needs: list[tuple[Node, int]] = field(default_factory=list)
    """What its instructions take files from, with the line."""
    sources: dict[tuple[int, int], Node] = field(default_factory=dict)
    """The same, by the identity of the instruction and the number of the mount in it."""


class StageGraph:
    """The stages of a Dockerfile and what they need of each other."""

    def __init__(self, rules: ExpansionRules) -> None:
        self._rules = rules
        self.nodes: list[Node] = []
        self._by_name: dict[str, Node] = {}

    def add(self, node: Node) -> None:
        """Append a stage."""
        self.nodes.append(node)
        if node.name is not None:
            self._by_name[node.name] = node

    def find_base(self, text: str) -> Node | None:
        """The stage that `FROM text` means at this point of the file."""
        return self._by_name.get(text)

    def find_target(self, name: str | None) -> Node:
        """The stage to build: the one with this name, or the last."""
        if not self.nodes:
            raise MissingStageError(None, "have a FROM instruction")
        if name is None:
            return self.nodes[-1]
        node = self._by_name.get(name.lower())
        if node is None:
            raise UnknownStageError(name, self._by_name)
        return node

    def connect(self) -> None:
        """Find out what the instructions of all stages take files from."""
        for node in list(self.nodes):
            for instruction in node.instructions:
                self._connect_instruction(node, instruction)
        self._check_cycles()

    def add_triggers(self, node: Node, triggers: Sequence[Instruction]) -> None:
        """Put what the `ONBUILD`s of the base add before the instructions of a stage."""
        node.instructions[:0] = triggers
        for trigger in triggers:
            self._connect_instruction(node, trigger)

    def _connect_instruction(self, node: Node, instruction: Instruction) -> None:
        line = instruction.start_line
        if instruction.keyword == "COPY" and instruction.flag("from"):
            names = [instruction.flag("from") or ""]
            found = [self._find_copy_origin(names[0], line)]
        elif instruction.keyword == "RUN" and instruction.flags:
            found = [self._find_by_name(n or SCRATCH, line) for n in mount_origins(instruction)]
        else:
            return
        for number, source in enumerate(found):
            node.needs.append((source, line))
            node.sources[(id(instruction), number)] = source

    def _find_copy_origin(self, name: str, line: int) -> Node:
        if expand_at(name, line, {}, self._rules).text != name:
            requirement = (
                f"not have variables or quotes in '--from={name}'. Define a stage with FROM instead"
            )
            raise InvalidFlagError(line, requirement)
        if _INDEX.fullmatch(name) is None:
            return self._find_by_name(name, line)
        index = int(name)
        if not 0 <= index < len(self.nodes):
            count = sum(node.index is not None for node in self.nodes)
            requirement = f"name a stage by an index from 0 to {count - 1}, not {index}"
            raise InvalidStageUseError(line, requirement)
        return self.nodes[index]

    def _find_by_name(self, name: str, line: int) -> Node:
        node = self._by_name.get(name.lower())
        if node is None:
            node = Node(None, None, line, Origin(OriginKind.UNKNOWN, name, name, line))
            self.nodes.append(node)
        return node

    def _check_cycles(self) -> None:
        """Refuse stages that take files from themselves, directly or not."""
        finished: set[int] = set()
        for start in self.nodes:
            path = [(start, iter(start.needs))]
            on_path = {id(start)}
            while path:
                node, needs = path[-1]
                needed, line = next(needs, (None, 0))
                if needed is None:
                    finished.add(id(node))
                    on_path.discard(id(node))
                    path.pop()
                elif id(needed) in on_path:
                    raise InvalidStageUseError(
                        line, "not copy a stage into itself, even indirectly"
                    )
                elif id(needed) not in finished:
                    path.append((needed, iter(needed.needs)))
                    on_path.add(id(needed))


def reachable_nodes(target: Node) -> set[int]:
    """The identities of the nodes that `target` needs, itself included."""
    found: set[int] = set()
    wanted = [target]
    while wanted:
        node = wanted.pop()
        if id(node) in found:
            continue
        found.add(id(node))
        if node.is_replaced:
            continue
        wanted += [needed for needed, _ in node.needs]
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
        elif stages:
            stages[-1].append(instruction)
        elif instruction.keyword == "ARG" or instruction.keyword not in SPLITTERS:
            before.append(instruction)
        else:
            requirement = f"have a FROM before {instruction.keyword}; only ARG may stand before it"
            raise MissingStageError(instruction.start_line, requirement)
    return before, stages
