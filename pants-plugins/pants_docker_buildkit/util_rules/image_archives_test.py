"""What a context of one file stands for, where no process has to unpack it."""

from __future__ import annotations

import pytest

from pants_docker_buildkit.dockerfile.context_entries import (
    ContextEntry,
    DirectoryEntry,
    FileEntry,
    SymlinkEntry,
)
from pants_docker_buildkit.testutil import ImageRunner
from pants_docker_buildkit.util_rules.image_archives import looks_like_archive, possible_archive

FILES = {
    "app/BUILD": """
file(name="packed", source="base.tar.gz")
docker_buildkit_image(name="on", source="On.dockerfile", build_contexts={"base": ":packed"})
docker_buildkit_image(name="copies", source="Copies.dockerfile", build_contexts={"base": ":packed"})
""",
    "app/base.tar.gz": "compressed",
    "app/On.dockerfile": "FROM scratch\nFROM base\n",
    "app/Copies.dockerfile": "FROM scratch\nCOPY --from=base base.tar.gz /\n",
}


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    runner = ImageRunner()
    runner.set_options()
    runner.write(FILES)
    return runner


def test_a_tar_that_holds_no_image_is_no_base(runner: ImageRunner) -> None:
    failure = runner.failure("app:on")
    assert (
        "The `build_contexts` field in target app:on must name an image for 'base', because line 2"
        " of app/On.dockerfile is based on it"
    ) in failure


def test_a_tar_can_be_copied(runner: ImageRunner) -> None:
    ((name, entries),) = runner.definition("app:copies").contexts[1:]
    assert (name, [each.path for each in entries]) == ("base", ["base.tar.gz"])


def file(path: str) -> FileEntry:
    return FileEntry(path, "0" * 64, 1, False)


@pytest.mark.parametrize(
    ("entries", "is_possible", "is_alike"),
    [
        ([file("a.tar")], True, True),
        ([DirectoryEntry("a"), file("a/b.tar")], True, True),
        ([file("a.tar.gz")], False, True),
        ([file("a.tgz")], False, True),
        ([file("a.tar.txt.md")], False, False),
        ([file("tar")], False, False),
        ([file("a.tar"), file("b.tar")], False, False),
        ([SymlinkEntry("a.tar", "b.tar")], False, False),
        ([], False, False),
    ],
)
def test_only_a_lone_file_is_taken_for_an_archive(
    entries: list[ContextEntry], is_possible: bool, is_alike: bool
) -> None:
    assert (possible_archive(entries) is not None) is is_possible
    assert looks_like_archive(entries) is is_alike
