"""Write what is measured: many small images, a real one, one with very many files."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

_SMALL_DOCKERFILE = "FROM scratch\nCOPY data.txt /data.txt\n"

_SMALL_BUILD_FILE = """\
file(name="data", source="data.txt")
{target_type}(name="image", dependencies=[":data"])
"""

_REAL_DOCKERFILE = """\
ARG BASE
FROM $BASE
COPY stamp.txt /app/stamp.txt
RUN seq 1 {lines} | sed -e "s/^/$(cat /app/stamp.txt) module /" > /app/modules
RUN gzip -9 -k /app/modules && sort -r /app/modules | md5sum > /app/checksum
COPY assets /app/assets
RUN find /app -type f | sort | xargs sha256sum > /app/manifest
CMD ["/bin/sh"]
"""


_IMAGES_OF_A_FOLDER = 100

SOME_IMAGES = 300
"""How many images of a larger repository are asked for where Pants runs without its daemon."""


@dataclass(frozen=True)
class ImagesRepository:
    """A repository of `size` images with one file each, each in its own directory."""

    path: Path
    size: int

    def directory(self, index: int) -> Path:
        """Where an image's Dockerfile and file are."""
        return self.path / _image_directory(index)

    def content(self, index: int) -> str:
        """What is in the file of an image."""
        return (self.directory(index) / "data.txt").read_text()

    def change(self, index: int, content: str) -> None:
        """Give one image another content."""
        (self.directory(index) / "data.txt").write_text(content)

    def first(self, size: int) -> tuple[int, tuple[str, ...]]:
        """About that many of the images, or all: how many, and what to ask Pants for."""
        folders = -(-min(size, self.size) // _IMAGES_OF_A_FOLDER)
        specs = tuple(f"images/{number:02}::" for number in range(folders))
        return min(self.size, folders * _IMAGES_OF_A_FOLDER), specs


def _image_directory(index: int) -> str:
    return f"images/{index // _IMAGES_OF_A_FOLDER:02}/image{index:04}"


def write_images(path: Path, size: int, target_type: str) -> ImagesRepository:
    """Many small images, as targets of a type. What is there already stays as it is."""
    repository = ImagesRepository(path, size)
    for index in range(size):
        directory = repository.directory(index)
        if not (directory / "BUILD").exists():
            directory.mkdir(parents=True, exist_ok=True)
            (directory / "Dockerfile").write_text(_SMALL_DOCKERFILE)
            (directory / "data.txt").write_text(f"The content of image {index}.\n")
            (directory / "BUILD").write_text(_SMALL_BUILD_FILE.format(target_type=target_type))
    return repository


def write_bake_file(repository: ImagesRepository, registry: str, name: str) -> Path:
    """The same images for `docker buildx bake`, pushed as the plugin pushes them."""
    targets = {
        f"image{index:04}": {
            "context": _image_directory(index),
            "tags": [f"{registry}/{name}/{_image_directory(index)}:latest"],
            "output": ["type=registry"],
        }
        for index in range(repository.size)
    }
    document = {"group": {"default": {"targets": sorted(targets)}}, "target": targets}
    path = repository.path / "docker-bake.json"
    path.write_text(json.dumps(document, indent=1))
    return path


def write_base(path: Path, busybox: str) -> None:
    """A base image with a shell, to be built with plain buildx."""
    path.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(busybox, path / "busybox")
    (path / "busybox").chmod(0o755)
    (path / "Dockerfile").write_text(
        'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
    )


def write_real_image(
    path: Path, base: str, *, lines: int, assets_megabytes: int, fields: str = ""
) -> None:
    """One image with some RUN steps and some megabytes of files; `stamp.txt` makes it unique."""
    assets = path / "service" / "assets"
    assets.mkdir(parents=True, exist_ok=True)
    (path / "service" / "Dockerfile").write_text(_REAL_DOCKERFILE.format(lines=lines))
    (path / "service" / "stamp.txt").write_text("0\n")
    for index in range(assets_megabytes * 4):
        asset = assets / f"asset{index:03}.bin"
        if not asset.exists():
            asset.write_bytes(_incompressible(index, 256 * 1024))
    (path / "service" / "BUILD").write_text(
        'files(name="files", sources=["stamp.txt", "assets/*"])\n'
        'docker_buildkit_image(name="image", dependencies=[":files"],'
        f' extra_build_args=["BASE={base}"], {fields})\n'
    )


def write_many_files(path: Path, count: int) -> None:
    """One image whose context has `count` small files in directories of 100."""
    root = path / "tree" / "files"
    for index in range(count):
        file = root / f"{index // 10_000:02}" / f"{index // 100 % 100:02}" / f"{index % 100:02}.txt"
        if index % 100 == 0:
            file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_text(f"File {index}.\n" * 8)
    (path / "tree" / "Dockerfile").write_text("FROM scratch\nCOPY files /files\n")
    (path / "tree" / "BUILD").write_text(
        'files(name="files", sources=["files/**"])\n'
        'docker_buildkit_image(name="image", dependencies=[":files"])\n'
    )


def _incompressible(seed: int, size: int) -> bytes:
    """Bytes that no compression makes smaller, the same ones for the same seed."""
    blocks = (hashlib.sha256(f"{seed} {number}".encode()).digest() for number in range(size // 32))
    return b"".join(blocks)
