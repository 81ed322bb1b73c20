"""Paths and links that lead out of the repository, or out of the context, are refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pants.core.goals.package import OutputPathField

from pants_docker_buildkit.errors import InvalidImageFieldError
from pants_docker_buildkit.output_file import output_file
from pants_docker_buildkit.testutil import ImageRunner


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    """One engine for all tests; each has a directory of its own."""
    runner = ImageRunner()
    runner.set_options()
    return runner


def failure(runner: ImageRunner, directory: str, fields: str, dockerfile: str = "") -> str:
    """What the user reads about `directory:image`."""
    build = f"files(name='files', sources=['*.txt'])\ndocker_buildkit_image(name='image', {fields})"
    runner.write(
        {
            f"{directory}/BUILD": build,
            f"{directory}/Dockerfile": dockerfile or "FROM scratch\n",
        }
    )
    text = runner.failure(f"{directory}:image")
    # Pants may ask for all targets, also of the tests before.
    runner.write({f"{directory}/BUILD": ""})
    return text


@pytest.mark.parametrize(
    ("path", "finding"),
    [
        pytest.param("../Dockerfile", "should not include `../` patterns", id="above"),
        pytest.param("../../../etc/passwd", "should not include `../` patterns", id="outside"),
        pytest.param(
            "/etc/passwd",
            "must be a path relative to the BUILD file, but was '/etc/passwd'",
            id="absolute",
        ),
        pytest.param("", "must be a path, but is empty. Leave it out for a", id="empty"),
    ],
)
def test_a_dockerfile_outside_of_the_directory_is_refused(
    runner: ImageRunner, path: str, finding: str
) -> None:
    text = failure(runner, "source", f"source={path!r}")
    assert "field in target source:image" in text
    assert finding in text


@pytest.mark.parametrize("root", ["../..", "./../..", "roots/../../x"])
def test_a_context_root_outside_of_the_repository_is_refused(
    runner: ImageRunner, root: str
) -> None:
    assert failure(runner, "roots", f"context_root={root!r}").startswith(
        "The `context_root` field in target roots:image must name a directory below the build root"
    )


def test_a_context_root_is_refused_before_anything_is_packaged(runner: ImageRunner) -> None:
    bundle = "archive(name='bundle', format='zip', files=[':gone'])\nfile(name='gone', source='x')"
    image = "docker_buildkit_image(name='image', context_root='../..', dependencies=[':bundle'])"
    runner.write({"early/BUILD": f"{bundle}\n{image}", "early/Dockerfile": "FROM scratch\n"})
    assert "The `context_root` field in target early:image" in runner.failure("early:image")


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "."])
@pytest.mark.parametrize("target", ["image", "refs"])
def test_a_file_outside_of_dist_is_refused_before_anything_is_built(
    runner: ImageRunner, path: str, target: str
) -> None:
    field = f"output_path={path!r}"
    runner.write(
        {
            "out/BUILD": f"docker_buildkit_image(name='image', {field})\n"
            f"docker_buildkit_image_refs(name='refs', images={{'a': ':image'}}, {field})",
            "out/Dockerfile": "FROM scratch\n",
        }
    )
    with pytest.raises(InvalidImageFieldError) as raised:
        output_file(runner.target(f"out:{target}")[OutputPathField], "json")
    assert str(raised.value) == (
        f"The `output_path` field in target out:{target} must name a file below `dist/`, but it is"
        f" {path!r}. Leave it out, or write a path such as 'deploy/file'."
    )
    if target == "image":
        assert runner.failure("out:image", of_build=True) == str(raised.value)
    runner.write({"out/BUILD": ""})


@pytest.mark.parametrize("source", ["../x", "../../etc/passwd", "copies/../../x"])
def test_copy_finds_nothing_above_its_context(runner: ImageRunner, source: str) -> None:
    text = failure(runner, "copies", "", f"FROM scratch\nCOPY {source} /\n")
    within = source.rpartition("../")[2]
    assert text.startswith(f"Line 2 of copies/Dockerfile copies {within!r}, but no dependency of")


@pytest.mark.parametrize(
    ("target", "finding"),
    [
        pytest.param("{outside}", "Absolute symlink", id="absolute"),
        pytest.param("../" * 30 + "etc/passwd", "may not traverse outside", id="relative"),
    ],
)
@pytest.mark.parametrize("name", ["secret.txt", "Dockerfile.linked"])
def test_a_link_that_leads_out_of_the_repository_is_refused(
    runner: ImageRunner, tmp_path: Path, target: str, finding: str, name: str
) -> None:
    outside = tmp_path / "secret"
    outside.write_text("FROM scratch\n")
    directory = f"links/{tmp_path.name}"
    runner.write({f"{directory}/a.txt": ""})
    link = Path(runner.runner.build_root, directory, name)
    os.symlink(target.format(outside=outside), link)
    fields = "dependencies=[':files']" if name.endswith(".txt") else f"source={name!r}"
    assert finding in failure(runner, directory, fields)
    link.unlink()
