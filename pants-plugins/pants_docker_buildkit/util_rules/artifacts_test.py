"""What a target that leaves files may say, and who is told that it is no image."""

from __future__ import annotations

import pytest

from pants_docker_buildkit.oci.digest import parse_oci_digest
from pants_docker_buildkit.testutil import ImageRunner

FILES = {
    "app/Dockerfile": "FROM scratch\nCOPY app/a.txt /\n",
    "app/Child.dockerfile": "ARG BASE=app:files\nFROM $BASE\n",
    "app/TarChild.dockerfile": "ARG BASE=app:rootfs\nFROM $BASE\n",
    "app/TarCopies.dockerfile": "FROM scratch\nADD app/rootfs/rootfs.tar /\n",
    "app/Copies.dockerfile": "FROM scratch\nCOPY app/out/x.txt app/share/a/b /\n",
    "app/Placed.dockerfile": "FROM scratch\nCOPY placed/y.txt /\n",
    "app/a.txt": "a",
    "app/BUILD": """
file(name="a", source="a.txt")
docker_buildkit_image(
    name="files", output_files=["out/*.txt"], output_directories=["share", "share/a"]
)
docker_buildkit_image(name="all", output_directories=["."])
docker_buildkit_image(name="placed", output_files=["y.txt"], output_path="placed")
docker_buildkit_image(name="child", source="Child.dockerfile")
docker_buildkit_image(name="copies", source="Copies.dockerfile")
docker_buildkit_image(name="copies-placed", source="Placed.dockerfile")
docker_buildkit_image(name="output", output="oci", output_files=["a"])
docker_buildkit_image(name="absolute", output_files=["/a"])
docker_buildkit_image(name="above", output_directories=["a/../../b"])
docker_buildkit_image(name="empty", output_files=[""])
docker_buildkit_image(name="rootfs", output="tar")
docker_buildkit_image(name="tar-files", output="tar", output_files=["a"])
docker_buildkit_image(name="tar-child", source="TarChild.dockerfile")
docker_buildkit_image(name="tar-copies", source="TarCopies.dockerfile")
docker_buildkit_image(name="compressed", output_files=["a"], compression="zstd")
docker_buildkit_image(name="level", compression="gzip", compression_level=10)
docker_buildkit_image(name="no-level", compression="uncompressed", compression_level=1)
docker_buildkit_image(name="default-level", compression_level=9)
""",
}


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    runner = ImageRunner()
    runner.set_options()
    runner.write(FILES)
    return runner


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("output", "`output` field in target app:output must be left out where `output_files`"),
        ("tar-files", "`output` field in target app:tar-files must be left out where"),
        ("tar-child", "app:rootfs is not one: it leaves files (`output`) and no image"),
        ("absolute", "must be relative to the root of the stage, without a '/', but '/a' is one"),
        ("above", "must not lead out of the root of the stage, but 'a/../../b' is one of them"),
        ("empty", "must not be empty, but '' is one of them"),
        ("compressed", "`compression` field in target app:compressed must be left out where there"),
        ("level", "must be from 0 to 9 where `compression` is 'gzip', but it is 10"),
        ("no-level", "must be left out where `compression` is 'uncompressed', but it is 1"),
        ("child", "app:files is not one: it leaves files (`output_files`) and no image"),
    ],
)
def test_what_makes_no_sense_is_refused(runner: ImageRunner, name: str, finding: str) -> None:
    assert finding in runner.failure(f"app:{name}")


def test_a_level_alone_is_that_of_gzip(runner: ImageRunner) -> None:
    definition = runner.definition("app:default-level").job.definition
    assert (definition.compression, definition.compression_level) == (None, 9)


def test_files_go_to_no_repository(runner: ImageRunner) -> None:
    job = runner.definition("app:files").job
    assert (job.repositories, job.definition.output) == ((), "files")
    assert job.definition.output_directories == ("share", "share/a")


def test_what_copies_the_files_depends_on_their_target(runner: ImageRunner) -> None:
    assert runner.inferred("app:copies") == {"app:files"}
    assert runner.inferred("app:copies-placed") == {"app:placed"}
    assert runner.inferred("app:tar-copies") == {"app:rootfs"}
    assert runner.inferred("app:files") == {"app:a"}


def test_files_are_not_published(runner: ImageRunner) -> None:
    (entry,) = runner.publish("app:files", parse_oci_digest(f"sha256:{'a' * 64}"))
    assert entry.names == ("app:files",)
    assert entry.description == "(`output_files` leaves files, and no image)"
