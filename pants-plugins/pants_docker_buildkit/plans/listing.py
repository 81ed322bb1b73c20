"""Which images are where, and how large are they? The values, their JSON, and lines for people.

The JSON is described in `docs/what-is-where.md`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pants_docker_buildkit.plans.image_plan import ImagePlan, TagOutcome, TagPlan
from pants_docker_buildkit.reports.rendering import size

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Layer:
    """A layer as its registry or layout has it: `size` are bytes, compressed as they are there."""

    digest: str
    size: int


@dataclass(frozen=True)
class PlatformLayers:
    """The image for one platform, and what it consists of besides its config."""

    platform: str
    digest: str
    layers: tuple[Layer, ...]

    @property
    def size(self) -> int:
        """The bytes of all layers."""
        return sum(each.size for each in self.layers)


@dataclass(frozen=True)
class ListedImage:
    """One image. `platforms` is `None` where sizes are not known, `problem` why, if it failed."""

    plan: ImagePlan
    platforms: tuple[PlatformLayers, ...] | None = None
    problem: str = ""

    @property
    def why(self) -> str:
        """Why not all is known of the image, or empty; of its tags, each has its own reason."""
        return self.problem or self.plan.problem

    @property
    def is_known(self) -> bool:
        """Whether nothing failed, and registries told of all tags where they are."""
        return not self.why and all(tag.outcome is not TagOutcome.UNKNOWN for tag in self.plan.tags)

    def to_document(self) -> dict[str, Any]:
        """In terms of JSON."""
        plan = self.plan
        platforms = self.platforms
        return {
            "target": plan.target,
            "has_record": plan.is_there,
            "outcome": plan.outcome.value,
            "digest": plan.digest or None,
            "references": list(plan.references),
            "tags": [_tag_document(each) for each in plan.tags],
            "platforms": None if platforms is None else list(map(_platform_document, platforms)),
            "problem": self.why or None,
        }


def _tag_document(tag: TagPlan) -> dict[str, Any]:
    return {
        "name": tag.name,
        "digest": tag.before or None,
        "is_here": tag.outcome is TagOutcome.NONE,
        **({"problem": tag.problem} if tag.problem else {}),
    }


def _platform_document(each: PlatformLayers) -> dict[str, Any]:
    layers = [{"digest": layer.digest, "size": layer.size} for layer in each.layers]
    return {"platform": each.platform, "digest": each.digest, "size": each.size, "layers": layers}


def listing_to_json(images: Iterable[ListedImage]) -> str:
    """The whole listing, as `--format=json` gives it."""
    documents = [each.to_document() for each in images]
    return json.dumps({"schema": SCHEMA_VERSION, "images": documents}, indent=1) + "\n"


def listing_to_text(images: Sequence[ListedImage]) -> str:
    """A paragraph for each image, and a last line with the bytes of all, each layer once."""
    lines = [line for each in images for line in _lines(each)]
    known = sum(each.plan.is_there for each in images)
    layers = {
        layer.digest: layer.size
        for each in images
        for platform in each.platforms or ()
        for layer in platform.layers
    }
    noun = "image" if len(images) == 1 else "images"
    total = f", {size(sum(layers.values()))} in layers, each counted once" if layers else ""
    lines.append(f"{len(images)} {noun}, {known} with a record{total}")
    return "\n".join((*lines, ""))


def _lines(image: ListedImage) -> Iterator[str]:
    plan = image.plan
    yield plan.target
    if not plan.is_there:
        yield f"  no record ({plan.outcome.value})"
    for name in plan.references or ((plan.digest,) if plan.digest else ()):
        yield f"  {name}"
    for platform in image.platforms or ():
        count = len(platform.layers)
        layers = "1 layer" if count == 1 else f"{count} layers"
        yield f"  {platform.platform}: {size(platform.size)} in {layers}"
    for tag in plan.tags:
        yield f"  {_tag_line(tag)}"
    for line in image.why.strip().splitlines():
        yield f"  {line}"


def _tag_line(tag: TagPlan) -> str:
    if tag.outcome is TagOutcome.NONE:
        return tag.name
    if tag.outcome is TagOutcome.UNKNOWN:
        return f"{tag.name} (unknown: {tag.problem})"
    where = f"is at {tag.before}" if tag.before else "is not there"
    return f"{tag.name} ({where})"
