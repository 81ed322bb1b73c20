"""What do `FROM`, `--from` and `from=` name: an image, a named context, or nothing?

Stages are found first, in `stage_graph.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pants_docker_buildkit.dockerfile.analysis import Origin, OriginKind
from pants_docker_buildkit.dockerfile.expansion import Expansion, ExpansionError
from pants_docker_buildkit.dockerfile.instruction import Instruction
from pants_docker_buildkit.dockerfile.limits import Limit
from pants_docker_buildkit.dockerfile.named_contexts import NamedContexts, is_image_reference
from pants_docker_buildkit.dockerfile.scope import GlobalScope
from pants_docker_buildkit.oci.image_platform import ImagePlatform, InvalidImagePlatformError

SCRATCH = "scratch"


@dataclass(frozen=True)
class Base:
    """What a `FROM` says before stages are considered.

    `name` is that of a stage, if there is one.
    """

    name: str
    origin: Origin
    platform: ImagePlatform


@dataclass
class BaseResolver:
    """Reads the names of images. What is none ends up in `limits`."""

    scope: GlobalScope
    target_platform: ImagePlatform
    named_contexts: NamedContexts
    limits: list[Limit] = field(default_factory=list)

    def resolve(self, from_: Instruction) -> Base:
        """What `from_` is based on, if its name is not that of a stage."""
        expansion = self._expand_name(from_)
        platform, platform_arguments = self._expand_platform(from_)
        origin = self.resolve_name(expansion.text, from_.start_line, platform=platform)
        arguments = tuple(sorted(expansion.matched | platform_arguments))
        return Base(expansion.text, replace(origin, arguments=arguments), platform)

    def resolve_name(
        self, text: str, line: int, *, platform: ImagePlatform | None = None
    ) -> Origin:
        """What `text` names, for `platform` or else for the target's."""
        platform = platform or self.target_platform
        if text == "":
            return Origin(OriginKind.UNKNOWN, text, line)
        if text == SCRATCH:
            return Origin(OriginKind.SCRATCH, text, line)
        context = self.named_contexts.find(text, platform)
        if context is not None:
            return Origin(OriginKind.NAMED_CONTEXT, context, line, platform=platform)
        return Origin(OriginKind.IMAGE, text, line, platform=platform)

    def _expand_name(self, from_: Instruction) -> Expansion:
        line, written = from_.start_line, from_.arguments[0]
        try:
            expansion = self.scope.expand(written)
        except ExpansionError as e:
            self.limits.append(Limit(line, f"the base must {e.requirement}"))
            return Expansion("")
        text, unset = expansion.text, sorted(expansion.unmatched)
        if text != "" and (not unset or is_image_reference(text)):
            return expansion
        why = f"; not set: {', '.join(map(repr, unset))}" if unset else ""
        self.limits.append(Limit(line, f"the base {written!r} names no image{why}"))
        return replace(expansion, text="")

    def _expand_platform(self, from_: Instruction) -> tuple[ImagePlatform, frozenset[str]]:
        written, line = from_.flag("platform"), from_.start_line
        if not written:
            return self.target_platform, frozenset()
        arguments: frozenset[str] = frozenset()
        try:
            expansion = self.scope.expand(written)
            arguments = expansion.matched
            return ImagePlatform.parse(expansion.text), arguments
        except (ExpansionError, InvalidImagePlatformError) as e:
            self.limits.append(Limit(line, f"the platform {written!r} must {e.requirement}"))
            return self.target_platform, arguments
