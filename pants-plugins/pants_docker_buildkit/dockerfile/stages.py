"""What does a Dockerfile need to build one of its stages for one platform?

    analyze(parse_dockerfile(content), build_args=…, target_platform=…, build_platform=…)

Follows BuildKit's `frontend/dockerfile/dockerfile2llb`. What is not understood becomes a `Limit`:
whether it can be built is for BuildKit to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pants_docker_buildkit.dockerfile.analysis import DockerfileAnalysis, Origin, OriginKind, Stage
from pants_docker_buildkit.dockerfile.bases import BaseResolver
from pants_docker_buildkit.dockerfile.expansion import ExpansionRules
from pants_docker_buildkit.dockerfile.instruction import Instruction
from pants_docker_buildkit.dockerfile.limits import Limit
from pants_docker_buildkit.dockerfile.named_contexts import NamedContexts
from pants_docker_buildkit.dockerfile.parser import Dockerfile, parse_trigger
from pants_docker_buildkit.dockerfile.scope import (
    GlobalScope,
    StageScope,
    is_predefined,
    platform_values,
)
from pants_docker_buildkit.dockerfile.source_date_epoch import MAIN_CONTEXT, named_epoch
from pants_docker_buildkit.dockerfile.stage_contents import StageContents
from pants_docker_buildkit.dockerfile.stage_graph import (
    Node,
    StageGraph,
    reachable_nodes,
    split_stages,
)
from pants_docker_buildkit.oci.image_platform import ImagePlatform


class UnknownStageError(ValueError):
    """The stage to build is not in the Dockerfile, so that no analysis is possible at all."""

    def __init__(self, stage: str, names: Iterable[str]) -> None:
        self.stage = stage
        listed = ", ".join(f"'{name}'" for name in names)
        self.hint = f"Stages there: {listed}" if listed else "None of its stages has a name"
        super().__init__(
            f"The Dockerfile must have the stage '{stage}', but it does not. {self.hint}."
        )


def analyze(
    dockerfile: Dockerfile,
    *,
    build_args: Mapping[str, str],
    target_platform: ImagePlatform,
    build_platform: ImagePlatform,
    target_stage: str | None = None,
    named_contexts: Iterable[str] = (),
) -> DockerfileAnalysis:
    """What `dockerfile` needs to build `target_stage`, or its last one, for `target_platform`.

    Raises `UnknownStageError` where all is understood and no stage has that name.

    `named_contexts` are the names of the additional build contexts (`--build-context`).
    """
    contexts = NamedContexts.create(named_contexts)
    frontend, frontend_context = dockerfile.frontend, None
    if frontend is not None:
        frontend_context = contexts.find(frontend.reference, build_platform)
        if not frontend.is_dockerfile:
            return DockerfileAnalysis((), None, (), frontend, dockerfile.limits, frontend_context)
    rules = ExpansionRules(escape=dockerfile.escape)
    before, stages = split_stages(dockerfile.instructions)
    predefined = platform_values(
        build_platform, target_platform, target_stage or _last_name(stages)
    )
    scope = GlobalScope.create(predefined, build_args, rules)
    for instruction in before:
        if instruction.keyword == "ARG":
            scope.declare(instruction)
    epoch = named_epoch(scope)
    epoch_context = epoch if epoch == MAIN_CONTEXT else contexts.find(epoch, target_platform)
    epoch_stage = "" if epoch_context else epoch
    analyzer = _Analyzer(dockerfile, BaseResolver(scope, target_platform, contexts), rules)
    return replace(
        analyzer.analyze(stages, target_stage, epoch_stage),
        frontend_context=frontend_context,
        epoch_context=epoch_context,
        epoch_stage=epoch_stage,
    )


def undeclared_build_args(analysis: DockerfileAnalysis, given: Iterable[str]) -> tuple[str, ...]:
    """The names in `given` that no `ARG` of the Dockerfile or of a reachable stage declares.

    Names that BuildKit understands on its own are never among them, and none are if the frontend is
    unknown.
    """
    if analysis.target is None:
        return ()
    declared = {argument.name for argument in analysis.arguments}
    for stage in analysis.reachable_stages:
        declared.update(argument.name for argument in stage.arguments)
    return tuple(sorted(name for name in set(given) - declared if not is_predefined(name)))


class _Analyzer:
    def __init__(
        self, dockerfile: Dockerfile, resolver: BaseResolver, rules: ExpansionRules
    ) -> None:
        self._dockerfile = dockerfile
        self._resolver = resolver
        self._graph = StageGraph(rules)
        self._limits = list(dockerfile.limits)
        self._base_triggers = {
            (each.name, each.platform): each.triggers for each in dockerfile.known_bases
        }

    def analyze(
        self, stages: Iterable[list[Instruction]], target_stage: str | None, epoch_stage: str
    ) -> DockerfileAnalysis:
        for instructions in stages:
            self._add_stage(instructions)
        self._limits += self._resolver.limits
        target = self._find_target(target_stage)
        self._graph.connect()
        roots = [] if target is None else [target, *self._graph.named(epoch_stage)]
        reachable = self._add_triggers(roots)
        self._limits += self._graph.limits
        return DockerfileAnalysis(
            self._read_stages(reachable),
            None if target is None else target.index,
            tuple(self._resolver.scope.arguments),
            self._dockerfile.frontend,
            tuple(self._limits),
        )

    def _find_target(self, name: str | None) -> Node | None:
        target = self._graph.find_target(name)
        if target is None:
            if name is not None and not self._limits:
                raise UnknownStageError(name, self._graph.names)
            self._limits.append(Limit(None, "the stage to build is not found"))
        return target

    def _add_stage(self, instructions: list[Instruction]) -> None:
        from_ = instructions[0]
        index = len(self._graph.nodes)
        name = from_.arguments[2].lower() if len(from_.arguments) == 3 else None
        base = self._resolver.resolve(from_)
        origin, stage = base.origin, self._graph.find_base(base.name)
        if stage is not None:
            origin = replace(origin, kind=OriginKind.STAGE, text=base.name, platform=None)
        contexts = self._resolver.named_contexts
        context = contexts.find_for_stage(name, base.platform) if name else None
        if context is not None:
            origin = Origin(OriginKind.NAMED_CONTEXT, context, origin.line, base.platform)
            stage = None
        node = Node(index, name, origin.line, origin, stage, context is not None, instructions[1:])
        self._graph.add(node)

    def _add_triggers(self, roots: Sequence[Node]) -> set[int]:
        """Run the `ONBUILD`s of stages in the stages based on them; they may need more stages."""
        triggered: set[int] = set()
        while True:
            reachable = reachable_nodes(roots)
            fresh = [
                node
                for node in self._graph.nodes
                if id(node) in reachable and id(node) not in triggered and node.index is not None
            ]
            if not fresh:
                return reachable
            for node in fresh:
                triggered.add(id(node))
                self._graph.add_triggers(node, self._triggers_for(node))

    def _triggers_for(self, node: Node) -> list[Instruction]:
        if node.base is not None:
            texts = _own_triggers(node.base)
        else:
            known = self._base_triggers.get((node.origin.text, node.origin.platform), ())
            if known is None:
                why = f"what {node.origin.text!r} triggers (`ONBUILD`) cannot be read"
                self._limits.append(Limit(node.line, why))
            texts = known or ()
        triggers: list[Instruction] = []
        for text in texts:
            parsed, limits = parse_trigger(text, node.line)
            self._limits += limits
            triggers += parsed
        return triggers

    def _read_stages(self, reachable: set[int]) -> tuple[Stage, ...]:
        scopes: dict[int, StageScope] = {}
        stages = []
        self._resolve_implicit_nodes()
        for node in self._graph.nodes:
            if node.index is None:
                continue
            stage = Stage(
                node.index,
                node.name,
                node.origin,
                id(node) in reachable,
                node.is_replaced,
                self._resolver.scope.names_of_builder(node.origin.arguments),
            )
            if stage.is_reachable:
                first_scope = _first_scope(node, scopes)
                contents = StageContents(node, first_scope, self._resolver.scope)
                if not node.is_replaced:
                    stage = self._read_stage(stage, contents)
                scopes[id(node)] = contents.scope
            stages.append(stage)
        return tuple(stages)

    def _read_stage(self, stage: Stage, contents: StageContents) -> Stage:
        for instruction in contents.node.instructions:
            contents.read(instruction)
        self._limits += contents.limits
        return replace(
            stage,
            arguments=tuple(contents.arguments),
            builder_arguments=stage.builder_arguments.union(
                *(argument.builder_arguments for argument in contents.arguments)
            ),
            origins=tuple(contents.origins),
            context_paths=tuple(contents.context_paths),
            remote_sources=tuple(contents.remote_sources),
            triggers=_own_triggers(contents.node),
            asks_for_all=contents.asks_for_all,
        )

    def _resolve_implicit_nodes(self) -> None:
        for node in self._graph.nodes:
            if node.index is None:
                name = node.origin.text
                node.origin = self._resolver.resolve_name(name, node.line)


def _own_triggers(node: Node) -> tuple[str, ...]:
    """What a stage has others do that are based on it. What its own base had it do is not it."""
    return tuple(
        instruction.arguments[0]
        for instruction in node.instructions
        if instruction.keyword == "ONBUILD" and instruction.arguments
    )


def _last_name(stages: list[list[Instruction]]) -> str:
    arguments = stages[-1][0].arguments if stages else ()
    return arguments[2].lower() if len(arguments) == 3 else ""


def _first_scope(node: Node, scopes: Mapping[int, StageScope]) -> StageScope:
    if node.base is not None:
        return scopes[id(node.base)].copy()
    if node.origin.kind is OriginKind.SCRATCH:
        return StageScope.of_scratch()
    return StageScope.of_image()
