"""In what do two images differ?

Times are compared where `RUN` made a file: its time is either one that the step set, or one at
which a build ran. Everything else is compared as it stands.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.conformance.images.image import Image, Node

ABSENT = "absent"
DURING = "during a build"
_CACHED_FOR = 365 * 24 * 3600
"""How long ago a step may have run that BuildKit's cache has the result of, in seconds."""

_NAMES_OF_THE_BUILD = {
    "descriptor:org.opencontainers.image.created",
    "descriptor:org.opencontainers.image.ref.name",
    "descriptor:io.containerd.image.name",
}
_CACHE_RECORDS = {"moby.buildkit.cache.v0", "moby.buildkit.buildinfo.v1"}


@dataclass(frozen=True, order=True)
class Difference:
    """One thing that two images do not agree on, and what it is in each."""

    where: str
    what: str
    plain: str
    product: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: plain {self.plain}, product {self.product}"


@dataclass(frozen=True)
class Window:
    """When the steps of two builds may have run, in seconds."""

    start: float
    end: float

    @classmethod
    def until_now(cls) -> Window:
        """The window of builds that have ended, whose steps may be from BuildKit's cache."""
        now = time.time()
        return cls(now - _CACHED_FOR, now)

    def describe(self, seconds: float) -> str:
        """The time itself, if no build ran at it."""
        return DURING if int(self.start) <= seconds <= self.end else str(int(seconds))


def compare_platforms(
    plain: Mapping[str, Image], product: Mapping[str, Image], window: Window
) -> list[Difference]:
    """The differences between two sets of images by platform."""
    found = []
    if sorted(plain) != sorted(product):
        found.append(Difference("", "platforms", str(sorted(plain)), str(sorted(product))))
    several = len(plain) > 1
    for platform in sorted(set(plain) & set(product)):
        for each in compare(plain[platform], product[platform], window):
            where = f"{platform} {each.where}" if several else each.where
            found.append(Difference(where, each.what, each.plain, each.product))
    return found


def compare(plain: Image, product: Image, window: Window) -> list[Difference]:
    """The differences between two images, sorted."""
    return sorted(
        [
            *_compare_nodes(plain.nodes, product.nodes, window),
            *_compare_configs(plain.config, product.config, window),
            *_differing("annotations", _annotations(plain), _annotations(product)),
        ]
    )


def _compare_nodes(
    plain: Mapping[str, Node], product: Mapping[str, Node], window: Window
) -> Iterator[Difference]:
    names, other_names = _names_by_file(plain), _names_by_file(product)
    for path in sorted({*plain, *product}):
        kinds = [nodes[path].kind if path in nodes else ABSENT for nodes in (plain, product)]
        if kinds[0] != kinds[1]:
            summaries = [summarize(nodes.get(path)) for nodes in (plain, product)]
            yield Difference(f"/{path}", "kind", *summaries)
            continue
        one = _description(plain[path], names[plain[path].identity], window)
        other = _description(product[path], other_names[product[path].identity], window)
        yield from _differing(f"/{path}", one, other)


def summarize(node: Node | None) -> str:
    """What a path is, in a few words."""
    if node is None:
        return ABSENT
    if node.kind == "symbolic link":
        return f"link to {node.link}"
    return f"{node.kind} {node.mode:04o} {node.content[:12]}".rstrip()


def _names_by_file(nodes: Mapping[str, Node]) -> dict[tuple[int, str], list[str]]:
    names: dict[tuple[int, str], list[str]] = defaultdict(list)
    for path, node in sorted(nodes.items()):
        names[node.identity].append(path)
    return names


def _description(node: Node, names: list[str], window: Window) -> dict[str, str]:
    described = {
        "kind": node.kind,
        "mode": f"{node.mode:04o}",
        "owner": f"{node.uid}:{node.gid}",
        "link": node.link,
        "content": node.content,
        "device": f"{node.device}",
        "attributes": f"{node.xattrs}",
        "names": f"{names}",
    }
    if node.step.startswith("RUN "):
        described["time"] = window.describe(node.mtime)
    return described


def _compare_configs(
    plain: Mapping[str, Any], product: Mapping[str, Any], window: Window
) -> Iterator[Difference]:
    yield from _differing("config", _config(plain, window), _config(product, window))
    one, other = plain.get("history") or (), product.get("history") or ()
    if len(one) != len(other):
        yield Difference("history", "steps", str(len(one)), str(len(other)))
    for number, (step, other_step) in enumerate(zip(one, other)):
        yield from _differing(f"history {number}", _timed(step, window), _timed(other_step, window))


def _config(config: Mapping[str, Any], window: Window) -> dict[str, str]:
    flat = {
        key: value
        for key, value in _timed(config, window).items()
        if key not in {"history", "rootfs", "config", *_CACHE_RECORDS}
    }
    flat["layers"] = str(len(config.get("rootfs", {}).get("diff_ids") or ()))
    inner = {f"config.{key}": _text(value) for key, value in (config.get("config") or {}).items()}
    return {**flat, **inner}


def _timed(holder: Mapping[str, Any], window: Window) -> dict[str, str]:
    described = {key: _text(value) for key, value in holder.items()}
    if holder.get("created"):
        described["created"] = window.describe(read_time(holder["created"]))
    return described


def read_time(text: str) -> float:
    """Seconds of a time as in configs, which may have nanoseconds."""
    seconds, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{seconds}+00:00").timestamp() + float(f"0.{fraction or 0}")


def _annotations(image: Image) -> dict[str, str]:
    return {
        key: value for key, value in image.annotations.items() if key not in _NAMES_OF_THE_BUILD
    }


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _differing(
    where: str, plain: Mapping[str, str], product: Mapping[str, str]
) -> Iterator[Difference]:
    for key in sorted({*plain, *product}):
        one, other = plain.get(key, ABSENT), product.get(key, ABSENT)
        if one != other:
            yield Difference(where, key, one, other)
