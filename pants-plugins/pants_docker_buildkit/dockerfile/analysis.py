"""What does a Dockerfile need for one target stage, one platform and one set of build arguments?

The values that `stages.analyze` gives. All lines count from 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from pants_docker_buildkit.dockerfile.directives import Frontend
from pants_docker_buildkit.dockerfile.limits import Limit
from pants_docker_buildkit.oci.image_platform import ImagePlatform

_STARS = re.compile(r"\*{2,}")


class OriginKind(str, Enum):
    """What a `FROM`, a `--from` or a mount's `from=` turns out to name."""

    STAGE = "stage"
    IMAGE = "image"
    SCRATCH = "scratch"
    NAMED_CONTEXT = "named context"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Origin:
    """Where a stage, a `COPY` or a mount takes files from, other than the build context.

    `text` is the name after expansion: an image reference, which may be any text, such as the
    address of a target; the name or index of a stage; the name of a named context as it was given.
    `arguments` are the global `ARG`s in it and in its platform, `platform` what an image or a named
    context is asked for.
    """

    kind: OriginKind
    text: str
    line: int
    platform: ImagePlatform | None = None
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Argument:
    """One name of an `ARG` instruction.

    `default` is as written, `None` where there is none. `value` is what it has in this build, and
    `None` where it has none or where it is not known. `uses` are the global `ARG`s in the default.
    """

    name: str
    line: int
    default: str | None
    value: str | None
    uses: tuple[str, ...] = ()
    builder_arguments: frozenset[str] = frozenset()
    """Those of `scope.BUILD_PLATFORM_ARGUMENTS` that the `ARG` of a stage takes its value from."""


@dataclass(frozen=True)
class ContextPath:
    """A path that `COPY`, `ADD` or a bind mount of `RUN` (`keyword`) takes from the build context.

    `path` is relative to the root of the context and normalised, `.` for all of it; `None` if it
    depends on a variable that only the base image knows. With `keeps_parents`, `path` is a pattern
    that may have `**`; with `has_exclusions`, not all below it is taken.
    """

    line: int
    keyword: str
    path: str | None
    has_wildcard: bool = False
    keeps_parents: bool = False
    has_exclusions: bool = False

    @property
    def pattern(self) -> str | None:
        """What its wildcards match, if it has any. With `keeps_parents` alone does `**` mean more.

        A mount takes no wildcards.
        """
        if self.path is None or not self.has_wildcard or self.keyword == "RUN":
            return None
        return self.path if self.keeps_parents else _STARS.sub("*", self.path)


class RemoteKind(str, Enum):
    """How an `ADD` downloads its source."""

    HTTP = "http"
    GIT = "git"


@dataclass(frozen=True)
class RemoteSource:
    """A URL that an `ADD` downloads. `checksum` pins what it gives."""

    line: int
    kind: RemoteKind
    url: str
    checksum: str | None = None


@dataclass(frozen=True)
class Stage:
    """One stage. What it needs is known only where the target needs the stage.

    A stage `is_replaced` where a named context of the same name stands in for it; its base is that.
    """

    index: int
    name: str | None
    base: Origin
    is_reachable: bool = False
    is_replaced: bool = False
    builder_arguments: frozenset[str] = frozenset()
    """Those of `scope.BUILD_PLATFORM_ARGUMENTS` whose value it takes from the builder."""
    arguments: tuple[Argument, ...] = ()
    origins: tuple[Origin, ...] = ()
    """What its `COPY --from` and its mounts take files from."""
    context_paths: tuple[ContextPath, ...] = ()
    remote_sources: tuple[RemoteSource, ...] = ()
    triggers: tuple[str, ...] = ()
    """What its `ONBUILD`s have those do that are based on it."""
    asks_for_all: bool = False
    """Whether BuildKit has the whole context sent for it, although it may read none of it."""


@dataclass(frozen=True)
class Material:
    """An image that the build pulls, and the lines that name it.

    `platform` is `None` for a frontend, which runs on whatever the builder is.
    """

    reference: str
    platform: ImagePlatform | None
    lines: tuple[int, ...]


@dataclass(frozen=True)
class DockerfileAnalysis:
    """What a Dockerfile needs. With `limits`, that is not all, and any file may be an input.

    Of the `ONBUILD`s of base images those are seen that `Dockerfile.known_bases` has.
    """

    stages: tuple[Stage, ...]
    target: int | None
    """The index of the stage to build; `None` where it is not known."""
    arguments: tuple[Argument, ...]
    """The global `ARG`s, those before the first `FROM`."""
    frontend: Frontend | None
    limits: tuple[Limit, ...]
    frontend_context: str | None = None
    """The named context that BuildKit runs in place of the frontend."""
    epoch_context: str | None = None
    """The context that `SOURCE_DATE_EPOCH` names: a named one, or `context` for the main one."""
    epoch_stage: str = ""
    """The stage that it names, if it names no context."""

    @property
    def reachable_stages(self) -> tuple[Stage, ...]:
        """The stages that the target needs, in the order of the file."""
        return tuple(stage for stage in self.stages if stage.is_reachable)

    @property
    def origins(self) -> tuple[Origin, ...]:
        """What the reachable stages are based on and copy from, in the order of the file."""
        return tuple(
            origin for stage in self.reachable_stages for origin in (stage.base, *stage.origins)
        )

    @property
    def named_contexts(self) -> frozenset[str] | None:
        """The named contexts that the target needs; `None` where that is not known.

        `frontend_context` is not among them.
        """
        if self.target is None or self.limits:
            return None
        kind = OriginKind.NAMED_CONTEXT
        found = {origin.text for origin in self.origins if origin.kind is kind}
        return frozenset(found if self.epoch_context is None else {*found, self.epoch_context})

    @property
    def epoch_sources(self) -> tuple[RemoteSource, ...]:
        """What the stage downloads that `SOURCE_DATE_EPOCH` names."""
        stages = (stage for stage in self.stages if stage.name == self.epoch_stage.lower())
        return tuple(source for stage in stages for source in stage.remote_sources)

    @property
    def context_paths(self) -> tuple[ContextPath, ...]:
        """What the reachable stages take from the build context."""
        return tuple(path for stage in self.reachable_stages for path in stage.context_paths)

    @property
    def outside_bases(self) -> tuple[Origin, ...]:
        """The images and named contexts that reachable stages are based on, each once."""
        kinds = (OriginKind.IMAGE, OriginKind.NAMED_CONTEXT)
        stages = (stage for stage in self.reachable_stages if not stage.is_replaced)
        found = {
            (stage.base.text, stage.base.platform): stage.base
            for stage in stages
            if stage.base.kind in kinds
        }
        return tuple(found.values())

    @property
    def final_base(self) -> Origin | None:
        """What the target is based on, through as many stages as it takes; `None` if not known."""
        stage = None if self.target is None else self.stages[self.target]
        while stage is not None and stage.base.kind is OriginKind.STAGE:
            base, before = stage.base.text, self.stages[: stage.index]
            stage = next((each for each in reversed(before) if each.name == base), None)
        return None if stage is None else stage.base

    @property
    def own_triggers(self) -> tuple[str, ...]:
        """What the image has builds do that are based on it, as far as the Dockerfile says."""
        return () if self.target is None else self.stages[self.target].triggers

    @property
    def builder_arguments(self) -> frozenset[str]:
        """Those of `scope.BUILD_PLATFORM_ARGUMENTS` that make another image on another builder."""
        return frozenset().union(*(stage.builder_arguments for stage in self.reachable_stages))

    @property
    def defaults(self) -> frozenset[str]:
        """The names that an `ARG` of the file or of a reachable stage gives a value of its own."""
        of_stages = (argument for stage in self.reachable_stages for argument in stage.arguments)
        return frozenset(
            argument.name
            for argument in (*self.arguments, *of_stages)
            if argument.default is not None
        )

    @property
    def materials(self) -> tuple[Material, ...]:
        """The images that the build pulls, each once per platform, the frontend first."""
        lines: dict[tuple[str, ImagePlatform | None], list[int]] = {}
        if self.frontend is not None and self.frontend_context is None:
            own_line = [] if self.frontend.line is None else [self.frontend.line]
            lines[(self.frontend.reference, None)] = own_line
        for origin in self.origins:
            if origin.kind is OriginKind.IMAGE:
                lines.setdefault((origin.text, origin.platform), []).append(origin.line)
        return tuple(
            Material(reference, platform, tuple(dict.fromkeys(found)))
            for (reference, platform), found in lines.items()
        )

    @property
    def image_arguments(self) -> tuple[Argument, ...]:
        """The global `ARG`s whose value is the whole name of an image, directly or through others.

        Given another value as build argument, they name another image.
        """
        return self._naming(self.origins)

    @property
    def unreached_arguments(self) -> tuple[Argument, ...]:
        """Those that name the bases of stages that the target does not need, and nothing else.

        BuildKit reads them all the same, and refuses what is no name of an image.
        """
        unreached = tuple(stage.base for stage in self.stages if not stage.is_reachable)
        needed = self.image_arguments
        return tuple(each for each in self._naming(unreached) if each not in needed)

    def _naming(self, origins: tuple[Origin, ...]) -> tuple[Argument, ...]:
        images = {each.text for each in origins if each.kind is OriginKind.IMAGE}
        wanted = [name for origin in origins for name in origin.arguments]
        found: dict[str, Argument] = {}
        while wanted:
            name = wanted.pop()
            if name not in found:
                # An ARG may be declared again with a default that has its former value in it.
                for argument in self.arguments:
                    if argument.name == name:
                        found[name] = argument
                        wanted += argument.uses
        whole = (argument for argument in found.values() if argument.value in images)
        return tuple(sorted(whole, key=lambda argument: (argument.line, argument.name)))
