from __future__ import annotations

import json

from pants_docker_buildkit.plans.image_plan import ImagePlan, PlanOutcome, TagOutcome, TagPlan
from pants_docker_buildkit.plans.listing import (
    Layer,
    ListedImage,
    PlatformLayers,
    listing_to_json,
    listing_to_text,
)

SHARED = Layer("sha256:aa", 2_000_000)
TAGS = (
    TagPlan("r/a:1", TagOutcome.NONE, "sha256:01", "sha256:01"),
    TagPlan("r/a:2", TagOutcome.MOVE, "sha256:00", "sha256:01"),
    TagPlan("r/a:3", TagOutcome.CREATE, after="sha256:01"),
    TagPlan("r/a:4", TagOutcome.UNKNOWN, after="sha256:01", problem="refused"),
)
LISTED = (
    ListedImage(
        ImagePlan(
            "a:a",
            PlanOutcome.UNCHANGED,
            digest="sha256:01",
            references=("r/a@sha256:01",),
            tags=TAGS,
        ),
        (
            PlatformLayers("linux/amd64", "sha256:02", (SHARED, Layer("sha256:bb", 500))),
            PlatformLayers("linux/arm64", "sha256:03", (SHARED,)),
        ),
    ),
    ListedImage(ImagePlan("b:b", PlanOutcome.RESTORED, digest="sha256:04"), problem="It is down."),
    ListedImage(ImagePlan("c:c", PlanOutcome.DEPENDS)),
)


def test_people_read_where_images_are_and_layers_count_once() -> None:
    assert listing_to_text(LISTED).splitlines() == [
        "a:a",
        "  r/a@sha256:01",
        "  linux/amd64: 2.0 MB in 2 layers",
        "  linux/arm64: 2.0 MB in 1 layer",
        "  r/a:1",
        "  r/a:2 (is at sha256:00)",
        "  r/a:3 (is not there)",
        "  r/a:4 (unknown: refused)",
        "b:b",
        "  sha256:04",
        "  It is down.",
        "c:c",
        "  no record (depends)",
        "3 images, 2 with a record, 2.0 MB in layers, each counted once",
    ]


def test_programs_read_what_is_known() -> None:
    first, second, third = json.loads(listing_to_json(LISTED))["images"]
    assert [each["size"] for each in first["platforms"]] == [2_000_500, 2_000_000]
    assert [(each["is_here"], each["digest"]) for each in first["tags"]] == [
        (True, "sha256:01"),
        (False, "sha256:00"),
        (False, None),
        (False, None),
    ]
    assert (second["platforms"], second["problem"]) == (None, "It is down.")
    assert (third["has_record"], third["digest"]) == (False, None)


def test_what_a_registry_does_not_tell_is_a_failure_also_of_a_tag() -> None:
    known = ImagePlan("a:a", PlanOutcome.UNCHANGED, tags=TAGS[:3])
    assert ListedImage(known).is_known
    assert not ListedImage(known, problem="It is down.").is_known
    assert not ListedImage(ImagePlan("a:a", PlanOutcome.UNCHANGED, tags=TAGS)).is_known
    assert not ListedImage(ImagePlan("a:a", PlanOutcome.ERROR, problem="No.")).is_known
