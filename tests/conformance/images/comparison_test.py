"""Each difference that two images can have is found, and nothing else is taken for one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.conformance.images.comparison import (
    Difference,
    Window,
    compare,
    compare_platforms,
    read_time,
)
from tests.conformance.images.image import Image, Node

pytestmark = pytest.mark.network_free

WINDOW = Window(1000.5, 1010)
MADE = Node("file", 0o644, 0, 0, 1005, "RUN make", content="c", identity=(0, "made"))
COPIED = Node("file", 0o644, 0, 0, 1, "COPY a /", content="c", identity=(1, "copied"))
LINK = Node("symbolic link", 0o777, 0, 0, 1, "COPY a /", link="a", identity=(1, "link"))
NULL = Node("character device", 0o666, 0, 0, 1, "RUN mknod", device=(1, 3), identity=(0, "null"))
NODES = {"made": MADE, "copied": COPIED, "link": LINK, "null": NULL}
CONFIG: dict[str, Any] = {
    "architecture": "amd64",
    "created": "1970-01-01T00:16:45.5Z",
    "config": {"Env": ["A=1"], "Labels": {"a": "b"}},
    "rootfs": {"diff_ids": ["sha256:1"]},
    "history": [
        {"created": "1970-01-01T00:16:45Z", "created_by": "RUN make"},
        {"created_by": "CMD", "empty_layer": True},
    ],
}
IMAGE = Image(NODES, CONFIG, {"manifest:team": "one"})


def with_node(path: str, **changes: Any) -> Image:
    return replace(IMAGE, nodes={**NODES, path: replace(NODES[path], **changes)})


def with_config(**changes: Any) -> Image:
    return replace(IMAGE, config={**CONFIG, **changes})


def with_history(**changes: Any) -> Image:
    first, second = CONFIG["history"]
    return with_config(history=[{**first, **changes}, second])


PLANTED = {
    "a mode": (with_node("made", mode=0o600), "/made", "mode"),
    "a special bit": (with_node("made", mode=0o4644), "/made", "mode"),
    "a user": (with_node("copied", uid=1), "/copied", "owner"),
    "a group": (with_node("copied", gid=1), "/copied", "owner"),
    "a content": (with_node("copied", content="d"), "/copied", "content"),
    "a link": (with_node("link", link="b"), "/link", "link"),
    "a device": (with_node("null", device=(1, 5)), "/null", "device"),
    "a kind": (with_node("link", kind="file"), "/link", "kind"),
    "an extended attribute": (with_node("made", xattrs=(("a", "b"),)), "/made", "attributes"),
    "a time that RUN set": (with_node("made", mtime=0), "/made", "time"),
    "a second name": (with_node("made", identity=(1, "copied")), "/made", "names"),
    "an environment": (with_config(config={"Env": ["A=2"]}), "config", "config.Env"),
    "no labels": (with_config(config={"Env": ["A=1"]}), "config", "config.Labels"),
    "an unknown field": (with_config(os="linux"), "config", "os"),
    "a time of the image": (with_config(created="1970-01-01T00:00:00Z"), "config", "created"),
    "a layer": (with_config(rootfs={"diff_ids": []}), "config", "layers"),
    "fewer steps": (with_config(history=[]), "history", "steps"),
    "a step": (with_history(created_by="RUN b"), "history 0", "created_by"),
    "a time of a step": (with_history(created="2001-01-01T00:00:00Z"), "history 0", "created"),
    "an annotation": (replace(IMAGE, annotations={}), "annotations", "manifest:team"),
}


@pytest.mark.parametrize(("planted", "where", "what"), PLANTED.values(), ids=PLANTED)
def test_a_difference_is_found(planted: Image, where: str, what: str) -> None:
    found = compare(IMAGE, planted, WINDOW)
    assert (where, what) in {(each.where, each.what) for each in found}
    assert {(each.where, each.what) for each in compare(planted, IMAGE, WINDOW)} == {
        (each.where, each.what) for each in found
    }


def test_another_kind_is_summarized() -> None:
    (found,) = compare(IMAGE, with_node("link", kind="file", content="0123456789abcdef"), WINDOW)
    assert (found.plain, found.product) == ("link to a", "file 0777 0123456789ab")


def test_a_file_more_or_less_is_found() -> None:
    fewer = replace(IMAGE, nodes={"made": MADE, "copied": COPIED, "link": LINK})
    assert compare(IMAGE, fewer, WINDOW) == [
        Difference("/null", "kind", "character device 0666", "absent")
    ]
    assert compare(fewer, IMAGE, WINDOW) == [
        Difference("/null", "kind", "absent", "character device 0666")
    ]


SAME = {
    "itself": IMAGE,
    "another time during the build": with_node("made", mtime=1000),
    "the time of a file from the context": with_node("copied", mtime=7),
    "another identity": with_node("made", identity=(5, "made")),
    "layers of other digests": with_config(rootfs={"diff_ids": ["sha256:2"]}),
    "an inline cache": with_config(**{"moby.buildkit.cache.v0": "…"}),
    "the name of the build": replace(
        IMAGE,
        annotations={**IMAGE.annotations, "descriptor:org.opencontainers.image.ref.name": "a"},
    ),
}


@pytest.mark.parametrize("same", SAME.values(), ids=SAME)
def test_what_no_two_builds_agree_on_is_no_difference(same: Image) -> None:
    assert compare(IMAGE, same, WINDOW) == []


def test_platforms_are_compared_one_by_one() -> None:
    both = {"linux/amd64": IMAGE, "linux/arm64": IMAGE}
    planted = {**both, "linux/arm64": with_node("made", mode=0)}
    assert compare_platforms(both, both, WINDOW) == []
    (found,) = compare_platforms(both, planted, WINDOW)
    assert str(found) == "linux/arm64 /made: mode: plain 0644, product 0000"
    (missing,) = compare_platforms(both, {"linux/amd64": IMAGE}, WINDOW)
    assert missing.what == "platforms"


def test_an_image_without_a_time_is_compared() -> None:
    assert compare(with_config(created=None), with_config(created=None), WINDOW) == []
    (found,) = compare(with_config(created=None), IMAGE, WINDOW)
    assert (found.what, found.plain) == ("created", "null")


def test_times_of_configs_are_read() -> None:
    assert read_time("1970-01-01T00:00:01.5Z") == 1.5
    assert read_time("1970-01-02T00:00:00Z") == 86400
