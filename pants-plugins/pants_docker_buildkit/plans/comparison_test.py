from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pants_docker_buildkit.plans.build_inputs import BuildInputs
from pants_docker_buildkit.plans.comparison import (
    InvalidPlanError,
    KnownImage,
    compare,
    read_known_images,
    removed,
)
from pants_docker_buildkit.plans.image_plan import ImagePlan, PlanOutcome, to_json

INPUTS = BuildInputs("blake3:1", {"context": "blake3:c", "no_cache": False}, ("1",), {"a": "1"})
PLAN = ImagePlan("app:image", PlanOutcome.BUILD, context_digest="blake3:c", inputs=INPUTS)
DEPENDING = ImagePlan("web:image", PlanOutcome.DEPENDS)


def texts(plan: ImagePlan, path: Path) -> list[str]:
    return [each.text for each in compare(plan, read_known_images(path)).reasons]


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    path.write_text(to_json([PLAN, DEPENDING]))
    return path


def test_an_image_does_not_differ_from_itself(plan_file: Path) -> None:
    assert texts(PLAN, plan_file) == []


def test_an_image_differs_in_what_it_is_built_from(plan_file: Path) -> None:
    inputs = BuildInputs("blake3:2", {"context": "blake3:d", "no_cache": True}, (), {"a": "2"})
    assert texts(replace(PLAN, inputs=inputs), plan_file) == ["a changed", "no_cache changed"]


def test_an_image_that_is_not_in_the_other_plan_is_new(plan_file: Path) -> None:
    assert texts(replace(PLAN, target="new:image"), plan_file) == ["new image"]


def test_an_image_that_was_not_known_there_is_not_said_to_have_changed(plan_file: Path) -> None:
    assert texts(replace(PLAN, target="web:image"), plan_file) == ["not known in the other plan"]


def test_an_image_whose_target_is_gone_is_a_difference(plan_file: Path) -> None:
    plan = removed("web:image")
    assert texts(plan, plan_file) == ["no target any more"]
    assert not plan.is_there


def test_an_image_that_is_not_known_yet_keeps_its_reasons(plan_file: Path) -> None:
    assert compare(DEPENDING, read_known_images(plan_file)) is DEPENDING


@pytest.mark.parametrize(
    ("build_digest", "context_digest", "expected"),
    [
        ("blake3:1", "blake3:c", []),
        ("blake3:2", "blake3:c", ["definition changed"]),
        ("blake3:2", "blake3:d", ["context changed", "definition changed"]),
    ],
)
def test_records_tell_what_digests_can_tell(
    tmp_path: Path, build_digest: str, context_digest: str, expected: list[str]
) -> None:
    record = {
        "schema": 1,
        "target": "app:image",
        "build_digest": build_digest,
        "context_digest": context_digest,
    }
    path = tmp_path / "app" / "image.image.json"
    path.parent.mkdir()
    path.write_text(json.dumps(record))
    assert texts(PLAN, path) == expected
    assert read_known_images(tmp_path) == {"app:image": KnownImage(build_digest, context_digest)}


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("", "neither a plan"),
        ("[]", "neither a plan"),
        ('{"schema": 9, "images": []}', "its schema is 9, and this version reads 1"),
        ('{"schema": 9, "target": "a"}', "its schema is 9, and this version reads 1"),
        ('{"schema": 1, "images": [{}]}', "neither a plan"),
        ('{"schema": 1, "images": [{"target": "a", "inputs": {"a": 1}}]}', "neither a plan"),
        ("[" * 100_000, "neither a plan"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, text: str, finding: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(InvalidPlanError, match=finding):
        read_known_images(path)


def test_a_file_that_is_not_there_and_an_empty_directory_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InvalidPlanError):
            read_known_images(path)
