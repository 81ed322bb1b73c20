"""What does a Dockerfile need to build one of its stages for one platform?

    analyze(parse_dockerfile(content), build_args=…, target_platform=…, build_platform=…)

Follows BuildKit's `frontend/dockerfile/dockerfile2llb`. What is not understood becomes a `Limit`
where the build may succeed nevertheless, and a `DockerfileError` where it cannot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pants_docker_buildkit.dockerfile.analysis import (
    DockerfileAnalysis,
    Origin,
    OriginKind,
    Stage,
)
from pants_docker_buildkit.dockerfile.errors import InvalidExpansionError, InvalidPlatformError
from pants_docker_buildkit.dockerfile.expansion import (
    Expansion,
    ExpansionRules,
    RequiredVariableError,
)
from pants_docker_buildkit.dockerfile.instruction import Instruction
from pants_docker_buildkit.dockerfile.limits import Limit
from pants_docker_buildkit.dockerfile.named_contexts import NamedContexts, is_image_reference
from pants_docker_buildkit.dockerfile.parser import Dockerfile, parse_trigger
from pants_docker_buildkit.dockerfile.scope import (
    GlobalScope,
    StageScope,
    is_predefined,
    platform_values,
)
from pants_docker_buildkit.dockerfile.stage_contents import StageContents
from pants_docker_buildkit.dockerfile.stage_graph import (
    SCRATCH,
    Node,
    StageGraph,
    reachable_nodes,
    split_stages,
)
from pants_docker_buildkit.oci.image_platform import (
    OPERATING_SYSTEMS,
    ImagePlatform,
    InvalidImagePlatformError,
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

    `named_contexts` are the names of the additional build contexts (`--build-context`).
    """
    if dockerfile.frontend is not None and not dockerfile.frontend.is_dockerfile:
        return DockerfileAnalysis((), None, (), dockerfile.frontend, dockerfile.limits)
    analyzer = _Analyzer(
        dockerfile, build_args, target_platform, NamedContexts.create(named_contexts)
    )
    return analyzer.analyze(build_platform, target_stage)


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
        self,
        dockerfile: Dockerfile,
        build_args: Mapping[str, str],
        target_platform: ImagePlatform,
        named_contexts: NamedContexts,
    ) -> None:
        self._dockerfile = dockerfile
        self._build_args = build_args
        self._target_platform = target_platform
        self._named_contexts = named_contexts
        self._rules = ExpansionRules(escape=dockerfile.escape)
        self._limits = list(dockerfile.limits)
        self._graph = StageGraph(self._rules)
        self._platform_arguments: dict[int, tuple[str, ...]] = {}

    def analyze(
        self, build_platform: ImagePlatform, target_stage: str | None
    ) -> DockerfileAnalysis:
        before, stages = split_stages(self._dockerfile.instructions)
        predefined = platform_values(
            build_platform, self._target_platform, target_stage or _last_name(stages)
        )
        scope = GlobalScope.create(predefined, self._build_args, self._rules)
        for instruction in before:
            if instruction.keyword == "ARG":
                scope.declare(instruction)
        for instructions in stages:
            self._add_stage(instructions, scope)
        target = self._graph.find_target(target_stage)
        self._graph.connect()
        reachable = self._add_triggers(target)
        return DockerfileAnalysis(
            self._read_stages(reachable, scope),
            target.index,
            tuple(scope.arguments),
            self._dockerfile.frontend,
            tuple(self._limits),
        )

    def _add_stage(self, instructions: list[Instruction], scope: GlobalScope) -> None:
        from_ = instructions[0]
        index = len(self._graph.nodes)
        name = from_.arguments[2].lower() if len(from_.arguments) == 3 else None
        expansion = self._expand_base(from_, scope)
        platform = self._expand_platform(from_, scope, index)
        context = self._named_contexts.find(name, platform) if name else None
        origin = self._find_base(from_, expansion, platform)
        if context is not None:
            origin = Origin(OriginKind.NAMED_CONTEXT, context, from_.arguments[0], from_.start_line)
        node = Node(
            index, name, from_.start_line, origin, None, context is not None, instructions[1:]
        )
        self._graph.add(node)

    def _expand_base(self, from_: Instruction, scope: GlobalScope) -> Expansion:
        line = from_.start_line
        try:
            expansion = scope.expand(from_.arguments[0], line)
        except InvalidExpansionError as e:
            if not isinstance(e.__cause__, RequiredVariableError):
                raise
            self._limits.append(Limit(line, f"the base must {e.requirement}"))
            return Expansion("")
        text = expansion.text
        if text == "" or (expansion.unmatched and not is_image_reference(text)):
            unset = ", ".join(f"'{name}'" for name in sorted(expansion.unmatched))
            why = f"; not set: {unset}" if unset else ""
            self._limits.append(Limit(line, f"the base {from_.arguments[0]!r} names no image{why}"))
            return replace(expansion, text="")
        return expansion

    def _expand_platform(self, from_: Instruction, scope: GlobalScope, index: int) -> ImagePlatform:
        written, line = from_.flag("platform"), from_.start_line
        if not written:
            return self._target_platform
        expansion = scope.expand(written, line)
        self._platform_arguments[index] = tuple(sorted(expansion.matched))
        try:
            return ImagePlatform.parse(expansion.text)
        except InvalidImagePlatformError as e:
            is_constant = not (expansion.matched or expansion.unmatched)
            if is_constant and expansion.text not in OPERATING_SYSTEMS:
                requirement = f"have a platform ({expansion.text!r}) that must {e.requirement}"
                raise InvalidPlatformError(line, requirement) from e
            self._limits.append(Limit(line, f"the platform {written!r} must {e.requirement}"))
            return self._target_platform

    def _find_base(
        self, from_: Instruction, expansion: Expansion, platform: ImagePlatform
    ) -> Origin:
        arguments = tuple(sorted(expansion.matched))
        origin = self._external_origin(
            expansion.text, from_.arguments[0], from_.start_line, platform
        )
        stage = self._graph.find_base(expansion.text)
        if stage is not None:
            origin = replace(origin, kind=OriginKind.STAGE, stage=stage.index, platform=None)
        return replace(origin, arguments=arguments)

    def _external_origin(
        self, text: str, written: str, line: int, platform: ImagePlatform
    ) -> Origin:
        """What `text` names if it is no stage."""
        if text == "":
            return Origin(OriginKind.UNKNOWN, text, written, line)
        if text == SCRATCH:
            return Origin(OriginKind.SCRATCH, text, written, line)
        context = self._named_contexts.find(text, platform)
        if context is not None:
            return Origin(OriginKind.NAMED_CONTEXT, context, written, line)
        return Origin(OriginKind.IMAGE, text, written, line, platform=platform)

    def _add_triggers(self, target: Node) -> set[int]:
        """Run the `ONBUILD`s of stages in the stages based on them; they may need more stages."""
        triggered: set[int] = set()
        while True:
            reachable = reachable_nodes(target)
            fresh = [
                node
                for node in self._graph.nodes
                if id(node) in reachable and id(node) not in triggered and node.base is not None
            ]
            if not fresh:
                return reachable
            for node in fresh:
                triggered.add(id(node))
                self._graph.add_triggers(node, self._triggers_for(node))

    def _triggers_for(self, node: Node) -> list[Instruction]:
        triggers = []
        base_instructions = node.base.instructions if node.base is not None else []
        for instruction in base_instructions:
            if instruction.keyword == "ONBUILD":
                trigger, limits = parse_trigger(instruction, node.line)
                self._limits += limits
                triggers.append(trigger)
        return triggers

    def _read_stages(self, reachable: set[int], scope: GlobalScope) -> tuple[Stage, ...]:
        finished: set[int] = set()
        scopes: dict[int, StageScope] = {}
        stages = []
        self._resolve_implicit_nodes()
        for node in self._graph.nodes:
            if node.index is None:
                continue
            stage = Stage(
                node.index,
                node.name,
                node.line,
                node.origin,
                id(node) in reachable,
                node.is_replaced,
                self._platform_arguments.get(node.index, ()),
            )
            if stage.is_reachable:
                contents = StageContents(node, _first_scope(node, scopes), scope, finished)
                if not node.is_replaced:
                    stage = self._read_stage(stage, contents)
                scopes[id(node)] = contents.scope
                finished.add(id(node))
            stages.append(stage)
        return tuple(stages)

    def _read_stage(self, stage: Stage, contents: StageContents) -> Stage:
        for instruction in contents.node.instructions:
            contents.read(instruction)
        self._limits += contents.limits
        return replace(
            stage,
            arguments=tuple(contents.arguments),
            origins=tuple(contents.origins),
            context_paths=tuple(contents.context_paths),
            remote_sources=tuple(contents.remote_sources),
            secrets=tuple(contents.secrets.values()),
            ssh_agents=tuple(contents.ssh_agents.values()),
        )

    def _resolve_implicit_nodes(self) -> None:
        for node in self._graph.nodes:
            if node.index is None:
                name = node.origin.text
                node.origin = self._external_origin(name, name, node.line, self._target_platform)


def _last_name(stages: list[list[Instruction]]) -> str:
    arguments = stages[-1][0].arguments if stages else ()
    return arguments[2].lower() if len(arguments) == 3 else ""


def _first_scope(node: Node, scopes: Mapping[int, StageScope]) -> StageScope:
    if node.base is not None:
        return scopes[id(node.base)].copy()
    if node.origin.kind is OriginKind.SCRATCH:
        return StageScope.of_scratch()
    return StageScope.of_image()
