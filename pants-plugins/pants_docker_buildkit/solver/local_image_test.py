from __future__ import annotations

from pathlib import Path

import pytest

from pants_docker_buildkit.solver.errors import EngineUnreachableError
from pants_docker_buildkit.solver.local_image import LocalImage, find_local_image
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker

REFERENCE = f"app@sha256:{'a' * 64}"


def test_image_that_the_engine_has_gets_its_tags(tmp_path: Path) -> None:
    docker = FakeDocker(tmp_path).answer("image inspect", "sha256:b\n").answer("image tag")
    found = find_local_image(docker.cli(), REFERENCE, ["app:1", "app:latest"])
    assert found == LocalImage(is_present=True)
    assert docker.calls[1:] == [f"image tag {REFERENCE} app:1", f"image tag {REFERENCE} app:latest"]


def test_tag_that_the_engine_cannot_set_is_said_and_keeps_no_other_from_being_set(
    tmp_path: Path,
) -> None:
    docker = FakeDocker(tmp_path).answer("image inspect", "sha256:b\n")
    docker.answer(f"image tag {REFERENCE} app:1", stderr="Error: read-only\n", exit_code=1)
    docker.answer("image tag")
    found = find_local_image(docker.cli(), REFERENCE, ["app:1", "app:2"])
    assert found == LocalImage(True, (("app:1", "Error: read-only"),))
    assert len(docker.calls) == 3


def test_image_that_the_engine_lost_is_missing_and_gets_no_tag(tmp_path: Path) -> None:
    docker = FakeDocker(tmp_path).answer(
        "image inspect",
        stderr=f"Error response from daemon: No such image: {REFERENCE}\n",
        exit_code=1,
    )
    found = find_local_image(docker.cli(), REFERENCE, ["app:1"])
    assert found == LocalImage(is_present=False)
    assert len(docker.calls) == 1


def test_engine_that_does_not_answer_is_not_taken_for_one_without_the_image(
    tmp_path: Path,
) -> None:
    docker = FakeDocker(tmp_path).answer(
        "image inspect",
        stderr="Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?\n",
        exit_code=1,
    )
    with pytest.raises(EngineUnreachableError) as raised:
        find_local_image(docker.cli(DOCKER_HOST="unix:///x"), REFERENCE, [])
    assert str(raised.value).startswith(
        "Building needs BuildKit, but the Docker Engine at unix:///x does not answer: Cannot"
        " connect to the Docker daemon at unix:///x. Is the docker daemon running? Start it, point"
    )
