from __future__ import annotations

import pytest

from pants_docker_buildkit.migration.local_names import (
    LocalImage,
    images_in_arguments,
    images_named_by_tag,
)

DEPS = LocalImage("src/app:deps", "app", ("deps",))
SOURCES = LocalImage("src/app:sources", "app", ("sources-{build_args.VERSION}", "latest"))
TOOL = LocalImage("src/tool:tool", None, ("latest",))
NAMED = LocalImage("src/other:other", "{directory}/{name}", ("1",))


@pytest.mark.parametrize(
    ("reference", "address"),
    [
        ("app:deps", "src/app:deps"),
        ("company/app:deps", "src/app:deps"),
        ("localhost:5000/team/app:deps", "src/app:deps"),
        ("app:sources-1.2", "src/app:sources"),
        ("app", "src/app:sources"),
        ("localhost:5000/app", "src/app:sources"),
        ("team/tool", "src/tool:tool"),
        ("src/other:1", "src/other:other"),
        ("my-app:deps", None),
        ("app:dep", None),
        ("app@sha256:" + 64 * "0", None),
        ("tool:2", None),
    ],
)
def test_images_are_found_by_what_docker_image_calls_them(
    reference: str, address: str | None
) -> None:
    images = [DEPS, SOURCES, TOOL, NAMED]
    expected = {} if address is None else {reference: address}
    text = f"FROM alpine\nCOPY --from={reference} /a /b\n".encode()
    assert images_named_by_tag(text, None, images) == expected
    text = f"FROM {reference} AS a\nFROM alpine\nCOPY --from=a /a /b\n".encode()
    assert images_named_by_tag(text, None, images) == expected


def test_a_name_of_several_images_is_none_of_them() -> None:
    twin = LocalImage("src/twin:deps", "app", ("deps",))
    assert images_named_by_tag(b"FROM app:deps\n", None, [DEPS, twin]) == {}


def test_only_what_the_stage_needs_counts() -> None:
    text = b"FROM alpine AS one\nFROM app:deps AS two\n"
    assert images_named_by_tag(text, "one", [DEPS]) == {}
    assert images_named_by_tag(text, "two", [DEPS]) == {"app:deps": "src/app:deps"}
    assert images_named_by_tag(text, "three", [DEPS]) == {}


def test_arguments_that_name_images_have_the_values_that_the_target_gives_them() -> None:
    text = b"ARG A=src:a\nARG B=src:b\nARG C=c\nFROM $A AS one\nFROM $B AS two\nRUN echo $C\n"
    assert images_in_arguments(text, "one", ()) == ("src:a",)
    assert images_in_arguments(text, "two", ("B=src:c", "OTHER")) == ("src:c",)
    assert images_in_arguments(text, "three", ()) == ()
