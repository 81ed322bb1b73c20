from __future__ import annotations

import pytest

from pants_docker_buildkit.oci.mirrors import ImageMirrors
from pants_docker_buildkit.oci.reference import ImageReference, InvalidNameError

SHA = "sha256:" + "a" * 64
MIRRORS = ImageMirrors.parse(
    {
        "docker.io": "mirror.example/hub",
        "docker.io/org": "docker.io/org",
        "docker.io/library/python": "mirror.example/own/python/",
        "ghcr.io": "mirror.example:5000",
    }
)


@pytest.mark.parametrize(
    ("image", "mirrored"),
    [
        ("ubuntu", "mirror.example/hub/library/ubuntu:latest"),
        (f"grafana/grafana:11@{SHA}", f"mirror.example/hub/grafana/grafana:11@{SHA}"),
        ("python:3.12", "mirror.example/own/python:3.12"),
        ("library/pythonic:1", "mirror.example/hub/library/pythonic:1"),
        ("org/app:1", "docker.io/org/app:1"),
        (f"ghcr.io/a/b@{SHA}", f"mirror.example:5000/a/b@{SHA}"),
        ("ghcr.io.example/a/b:1", "ghcr.io.example/a/b:1"),
    ],
)
def test_the_longest_name_that_fits_is_replaced(image: str, mirrored: str) -> None:
    assert str(MIRRORS.of(ImageReference.parse_familiar(image))) == mirrored


@pytest.mark.parametrize(
    "table",
    [
        {"docker.io/Library": "mirror.example/a"},
        {"docker.io": "mirror.example/a:1"},
        {"docker.io": "https://mirror.example"},
        {"docker.io/library/python": "mirror.example"},
        {"": "mirror.example"},
    ],
)
def test_what_is_no_name_is_refused(table: dict[str, str]) -> None:
    with pytest.raises(InvalidNameError):
        ImageMirrors.parse(table)
