from __future__ import annotations

import pytest

from pants_docker_buildkit.testutil import ImageRunner

IMAGE = "docker_buildkit_image(name='image')"
ON = "ARG BASE={}:image\nFROM $BASE\n"


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    runner = ImageRunner()
    runner.set_options()
    runner.write(
        {
            "one/BUILD": IMAGE,
            "one/Dockerfile": ON.format("two"),
            "two/BUILD": IMAGE,
            "two/Dockerfile": ON.format("one"),
            "above/BUILD": IMAGE,
            "above/Dockerfile": ON.format("one"),
            "itself/BUILD": IMAGE,
            "itself/Dockerfile": ON.format("itself"),
            "packed/BUILD": "docker_buildkit_image(name='image', dependencies=[':archive'])\n"
            "archive(name='archive', format='tar', packages=[':image'])",
            "packed/Dockerfile": "FROM scratch\nCOPY packed/archive.tar /\n",
        }
    )
    return runner


@pytest.mark.parametrize(
    ("image", "ways"),
    [
        pytest.param("itself:image", ("itself:image → itself:image",), id="itself"),
        pytest.param(
            "one:image",
            ("one:image → two:image → one:image", "two:image → one:image → two:image"),
            id="two-images",
        ),
        pytest.param(
            "above:image",
            ("one:image → two:image → one:image", "two:image → one:image → two:image"),
            id="below-an-image",
        ),
        pytest.param(
            "packed:image",
            ("packed:image → packed:archive → packed:image",),
            id="through-what-packages-it",
        ),
    ],
)
def test_images_that_need_themselves_are_named_with_the_way(
    runner: ImageRunner, image: str, ways: tuple[str, ...]
) -> None:
    text = runner.failure(image, of_build=True)
    # Pants goes through either of two images first.
    assert any(
        text == f"The image {way.partition(' ')[0]} must not need itself, but each of these needs"
        f" the next: {way}. Build one of them on another image, or take what they share into an"
        " image, or a stage, of its own."
        for way in ways
    ), text
