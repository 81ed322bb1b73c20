"""Which of the images that a Dockerfile names by a tag are those of other targets?

`docker_image` leaves an image in the local engine under all of its names, and a `FROM` or
`COPY --from` of another target finds it there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pants_docker_buildkit.dockerfile.analysis import DockerfileAnalysis, OriginKind
from pants_docker_buildkit.dockerfile.parser import parse_dockerfile
from pants_docker_buildkit.dockerfile.stages import UnknownStageError, analyze
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.reference import DEFAULT_TAG

_ANY_PLATFORM = ImagePlatform.parse("linux/amd64")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True)
class LocalImage:
    """A target and what it calls its image; `repository` and `tags` may have placeholders.

    `repository` is `None` where the target sets none: then it ends in the target's name.
    """

    address: str
    repository: str | None
    tags: tuple[str, ...]

    def is_called(self, reference: str) -> bool:
        """Whether the image has this name in the local engine, in whichever registry."""
        path, colon, tag = reference.rpartition(":")
        if not colon or "/" in tag:
            path, tag = reference, DEFAULT_TAG
        name = self.address.rpartition(":")[2]
        repository = rf".*{re.escape(name)}"
        if self.repository is not None:
            repository = rf"(?:.*/)?{_pattern(self.repository)}"
        tags = (re.fullmatch(_pattern(each), tag) for each in self.tags)
        return re.fullmatch(repository, path) is not None and any(tags)


def images_named_by_tag(
    dockerfile: bytes, target_stage: str | None, images: Iterable[LocalImage]
) -> dict[str, str]:
    """What a Dockerfile calls these images in `FROM` and `from`, with the address of each."""
    candidates = tuple(images)
    found = {}
    for reference in _references(dockerfile, target_stage):
        addresses = {each.address for each in candidates if each.is_called(reference)}
        if len(addresses) == 1:
            found[reference] = addresses.pop()
    return found


def images_in_arguments(
    dockerfile: bytes, target_stage: str | None, build_args: Iterable[str]
) -> tuple[str, ...]:
    """The values of the `ARG`s that name images; `build_args` are texts `NAME=value`."""
    given = (each.partition("=") for each in build_args if "=" in each)
    analysis = _analysis(dockerfile, target_stage, {name: value for name, _, value in given})
    arguments = () if analysis is None else analysis.image_arguments
    return tuple(each.value for each in arguments if each.value)


def _references(dockerfile: bytes, target_stage: str | None) -> Iterable[str]:
    analysis = _analysis(dockerfile, target_stage, {})
    origins = () if analysis is None else analysis.origins
    return (each.text for each in origins if each.kind is OriginKind.IMAGE)


def _analysis(
    dockerfile: bytes, target_stage: str | None, build_args: Mapping[str, str]
) -> DockerfileAnalysis | None:
    """What a Dockerfile names; `None` if it has no such stage."""
    try:
        return analyze(
            parse_dockerfile(dockerfile),
            build_args=build_args,
            target_platform=_ANY_PLATFORM,
            build_platform=_ANY_PLATFORM,
            target_stage=target_stage,
        )
    except UnknownStageError:
        return None


def _pattern(template: str) -> str:
    """What matches a text with placeholders."""
    return ".+".join(map(re.escape, _PLACEHOLDER.split(template)))
