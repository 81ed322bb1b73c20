"""Do we say of a Dockerfile what BuildKit says?

Our analysis and BuildKit's answer are both brought into the same plain form, so that a test can
compare them part by part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pants_docker_buildkit.dockerfile.analysis import (
    Argument,
    DockerfileAnalysis,
    OriginKind,
    Stage,
)
from pants_docker_buildkit.dockerfile.parser import Dockerfile
from pants_docker_buildkit.dockerfile.remote_sources import remote_kind
from pants_docker_buildkit.dockerfile.stage_contents import normalize_context_path
from pants_docker_buildkit.oci.reference import ImageReference
from tests.conformance.dockerfile.corpus import Json

Entry = tuple[int, str, str]
"""Line, name and value."""

_STEP = re.compile(r"\[[^\]]+\] (?:ONBUILD )?(COPY|ADD) (.*)")


def our_targets(dockerfile: Dockerfile) -> list[dict[str, Any]]:
    """The stages as `--call=targets` lists them."""
    froms = [i for i in dockerfile.instructions if i.keyword == "FROM"]
    return [
        _without_blanks(
            {
                "name": from_.arguments[2].lower() if len(from_.arguments) == 3 else "",
                "base": from_.arguments[0],
                "platform": from_.flag("platform"),
                "default": from_ is froms[-1],
                "location": [from_.start_line, from_.end_line],
            }
        )
        for from_ in froms
    ]


def our_frontend(analysis: DockerfileAnalysis) -> str | None:
    """The image of the frontend in full."""
    return None if analysis.frontend is None else _full_name(analysis.frontend.reference)


def our_images(analysis: DockerfileAnalysis) -> list[str]:
    """The images that the build needs, in full, without the frontend."""
    return sorted({_full_name(m.reference) for m in analysis.materials if m.platform is not None})


def our_named_contexts(analysis: DockerfileAnalysis) -> list[str]:
    """The named contexts that the build needs."""
    used = {o.text for o in analysis.origins if o.kind is OriginKind.NAMED_CONTEXT}
    return sorted(used)


def our_arguments(analysis: DockerfileAnalysis, build_args: Mapping[str, str]) -> list[Entry]:
    """The `ARG`s that `--call=outline` lists: those of the reachable stages and those they use."""
    found: dict[str, Argument] = {}
    globals_ = {argument.name: argument for argument in analysis.arguments}
    for stage in _stages_from_target(analysis):
        own = {a.name: a for a in stage.arguments if not _is_inherited(a, build_args)}
        declared = [argument.name for argument in stage.arguments]
        used = [*declared, *stage.base.arguments]
        while used:
            name = used.pop()
            argument = own.get(name)
            if argument is None:
                argument = globals_.get(name)
                used += () if name in found else _uses(analysis, name)
            if argument is not None:
                found.setdefault(name, argument)
    return sorted((a.line, a.name, a.value or "") for a in found.values())


def _uses(analysis: DockerfileAnalysis, name: str) -> list[str]:
    """The global `ARG`s in the defaults of the global `ARG` that may be declared repeatedly."""
    return [use for each in analysis.arguments if each.name == name for use in each.uses]


def _is_inherited(argument: Argument, build_args: Mapping[str, str]) -> bool:
    """Whether an `ARG` of a stage takes its value from the global one of the same name."""
    is_given = argument.default is not None or argument.name in build_args
    return argument.value is not None and not is_given


def our_sources(analysis: DockerfileAnalysis) -> set[tuple[str, str]]:
    """Keyword and source of every `COPY` and `ADD` from the build context or a URL."""
    found = {
        (path.keyword, path.path)
        for path in analysis.context_paths
        if path.path is not None and path.keyword != "RUN"
    }
    for stage in analysis.reachable_stages:
        found |= {("ADD", remote.url) for remote in stage.remote_sources}
    return found


def their_images(answer: Json) -> list[str]:
    """The images that the build asked for, in full."""
    return sorted(map(_full_name, answer["images"]))


def their_arguments(answer: Json) -> list[Entry]:
    """The `args` of the outline."""
    entries = answer["outline"].get("args", ())
    return sorted((a["location"][0], a["name"], a.get("value", "")) for a in entries)


def their_sources(answer: Json) -> set[tuple[str, str]]:
    """Keyword and source of every step that copies from the build context or a URL."""
    found: set[tuple[str, str]] = set()
    for step in answer["steps"]:
        match = _STEP.fullmatch(step)
        words = match.group(2).split() if match else []
        flags = [word for word in words if word.startswith("--")]
        sources = [word for word in words if word not in flags][:-1]
        if match and not any(flag.startswith("--from=") and len(flag) > 7 for flag in flags):
            found |= {(match.group(1), _normalize(s)) for s in sources if not s.startswith("<<")}
    return found


def _normalize(source: str) -> str:
    return source if remote_kind(source) else normalize_context_path(source)


def _stages_from_target(analysis: DockerfileAnalysis) -> list[Stage]:
    """The reachable stages, the target first: its `ARG`s hide those of the same name elsewhere."""
    stages = [stage for stage in analysis.reachable_stages if not stage.is_replaced]
    return sorted(stages, key=lambda stage: (stage.index != analysis.target, -stage.index))


def _full_name(reference: str) -> str:
    return str(ImageReference.parse_familiar(reference))


def _without_blanks(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value}
