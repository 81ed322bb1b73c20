from __future__ import annotations

import logging

import pytest

from pants_docker_buildkit.testutil import ImageRunner
from pants_docker_buildkit.util_rules.unowned_files import copied_directories

IMAGE = "docker_buildkit_image(name='image', registries=[])"
FILES = "files(name='files', sources=['**/*.txt'])"


@pytest.fixture(scope="module")
def shared_runner() -> ImageRunner:
    return ImageRunner()


@pytest.fixture
def runner(shared_runner: ImageRunner) -> ImageRunner:
    shared_runner.clear()
    # In a session of its own, for each session tells it once.
    shared_runner.set_options()
    return shared_runner


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


def define(runner: ImageRunner, directory: str, dockerfile: str, *names: str) -> None:
    runner.write(
        {
            f"{directory}/BUILD": f"{FILES}\n{IMAGE}",
            f"{directory}/Dockerfile": dockerfile,
            **{f"{directory}/{name}": "" for name in names},
        }
    )
    runner.definition(f"{directory}:image")


def test_files_of_a_copied_directory_that_no_target_owns_are_told(
    runner: ImageRunner, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("d/a.txt", "d/[b].md", "d/e/c.md", "d/BUILD", "d/BUILD.more", "f.md")
    define(runner, "app", "FROM scratch\nCOPY app/d /d/\n", *names)
    (warning,) = warnings(caplog)
    assert "app/Dockerfile of app:image" in warning
    assert ": app/d/[b].md, app/d/e/c.md. They are not in the image." in warning


def test_so_are_those_of_targets_whose_sources_enter_no_context(
    runner: ImageRunner, caplog: pytest.LogCaptureFixture
) -> None:
    build = "docker_buildkit_manifests(name='manifests', sources=['d/b.yaml'])"
    other = "docker_buildkit_image(name='other', registries=[], source='d/other.Dockerfile')"
    runner.write(
        {
            "app/BUILD": f"{FILES}\n{IMAGE}\n{build}\n{other}",
            "app/Dockerfile": "FROM scratch\nCOPY app/d /d/\n",
            "app/d/a.txt": "",
            "app/d/b.yaml": "",
            "app/d/other.Dockerfile": "FROM scratch\n",
        }
    )
    runner.definition("app:image")
    (warning,) = warnings(caplog)
    assert ": app/d/b.yaml. They are not in the image." in warning


@pytest.mark.parametrize("pattern", ["d*/*.md", "d/?.*", "d**/b*"])
def test_files_that_wildcards_find_and_no_target_owns_are_told(
    runner: ImageRunner, caplog: pytest.LogCaptureFixture, pattern: str
) -> None:
    names = ("d/a.txt", "d/b.md", "d/e/c.md")
    define(runner, "wild", f"FROM scratch\nCOPY wild/{pattern} /\n", *names)
    (warning,) = warnings(caplog)
    assert ": wild/d/b.md. They are not in the image." in warning


@pytest.mark.parametrize(
    ("directory", "dockerfile", "names"),
    [
        pytest.param("one", "COPY one/d/a.txt /", ("d/a.txt", "d/b.md"), id="file"),
        pytest.param("all", "COPY . /", ("d/a.txt", "d/b.md"), id="everything"),
        pytest.param("star", "COPY star/d/*.txt /", ("d/a.txt", "d/b.md"), id="pattern"),
        pytest.param("some", "COPY --exclude=*.md some/d /", ("d/a.txt", "d/b.md"), id="some"),
        pytest.param("stars", "COPY */* /", ("d/a.txt", "d/b.md"), id="everything-by-pattern"),
        pytest.param("class", "COPY class/[d]/* /", ("d/a.txt", "d/b.md"), id="class"),
        pytest.param("owned", "COPY owned/d /", ("d/a.txt", "d/b.txt"), id="all-owned"),
        pytest.param("odd", "COPY odd/d /", ("d/[a].txt", "d/b?.txt"), id="odd-names"),
    ],
)
def test_nothing_else_is_told(
    runner: ImageRunner,
    caplog: pytest.LogCaptureFixture,
    directory: str,
    dockerfile: str,
    names: tuple[str, ...],
) -> None:
    define(runner, directory, f"FROM scratch\n{dockerfile}\n", *names)
    assert warnings(caplog) == []


def test_what_an_ignore_file_excludes_is_not_told(
    runner: ImageRunner, caplog: pytest.LogCaptureFixture
) -> None:
    runner.write({"app/Dockerfile.dockerignore": "**/*.md\n"})
    define(runner, "app", "FROM scratch\nCOPY app/d /d/\n", "d/a.txt", "d/b.md")
    assert warnings(caplog) == []


def test_it_is_told_once_where_a_tag_wants_what_goes_into_the_image(
    runner: ImageRunner, caplog: pytest.LogCaptureFixture
) -> None:
    runner.set_options("registries={'dev': {'address': 'localhost:5000', 'default': True}}")
    dockerfile = "ARG VERSION=1\nFROM scratch\nCOPY app/d /d/\n"
    image = "docker_buildkit_image(name='image', image_tags=['{build_args.VERSION}'])"
    runner.write(
        {
            "app/BUILD": f"{FILES}\n{image}",
            "app/Dockerfile": dockerfile,
            "app/d/a.txt": "",
            "app/d/b.md": "",
        }
    )
    runner.definition("app:image")
    assert runner.published_names("app:image").repositories[0].tags == ("1",)
    assert len(warnings(caplog)) == 1


def test_directories_are_what_something_lies_below() -> None:
    present = ("a/b/c", "d")
    assert copied_directories(("a", "a/b", "a/b/c", "d", "e", "."), present) == ("a", "a/b")


@pytest.mark.parametrize(
    ("copied", "root", "is_told"),
    [
        pytest.param(".", "data", True, id="relative to the build root"),
        pytest.param(".", "./data", False, id="relative to the BUILD file"),
        pytest.param("--from=other .", "data", False, id="not copied"),
    ],
)
def test_a_copied_context_that_is_empty_is_told_with_where_the_files_are(
    runner: ImageRunner, caplog: pytest.LogCaptureFixture, copied: str, root: str, is_told: bool
) -> None:
    runner.write(
        {
            "empty/BUILD": "docker_buildkit_image(name='image', registries=[], dependencies="
            f"[':files'], context_root={root!r})\n{FILES}",
            "empty/Dockerfile": f"FROM scratch AS other\nFROM scratch\nCOPY {copied} /\n",
            "empty/data/a.txt": "",
        }
    )
    runner.definition("empty:image")
    told = [each for each in warnings(caplog) if "which is empty: `context_root` leads to" in each]
    assert [each.partition(" such as ")[2].partition(".txt")[0] for each in told] == (
        ["empty/data/a"] if is_told else []
    )
