"""The folder that everything happens in, and what the scenarios share in it."""

from __future__ import annotations

import filecmp
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.checkout import Checkout, run
from bench.repositories import ImagesRepository, write_images
from bench.tools import CHECKOUT, Tools

_PLUGIN = Path("pants-plugins") / "pants_docker_buildkit"
_SKIPPED = shutil.ignore_patterns("*_test.py", "__pycache__", "testing")

TAG_OF_COMMIT = 'extra_image_tags = ["{git_sha}"]'
"""A line to follow the settings of a checkout, the last of which are those of its registry."""


@dataclass(frozen=True)
class Workbench:
    """Where to work, with what, and how often to measure."""

    folder: Path
    tools: Tools
    runs: int

    @property
    def plugin(self) -> Path:
        """A copy of the plugin: whoever works on it meanwhile does not disturb the measurements."""
        return self.folder / "plugin"

    def copy_plugin(self) -> bool:
        """Take the plugin as it is now, and tell whether it is another one than before.

        Nothing is rebuilt: it is in no key.
        """
        copied = self.plugin / _PLUGIN.name
        fresh = self.plugin / "new"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(CHECKOUT / _PLUGIN, fresh, ignore=_SKIPPED)
        if copied.is_dir() and _is_same(filecmp.dircmp(fresh, copied, ignore=["__pycache__"])):
            shutil.rmtree(fresh)
            return False
        shutil.rmtree(copied, ignore_errors=True)
        fresh.rename(copied)
        return True

    def plugin_checkout(
        self,
        name: str,
        *,
        path: Path | None = None,
        machine: str = "machine",
        remote_cache: str | None = None,
        writes_remote_cache: bool = False,
        has_engine: bool = True,
    ) -> Checkout:
        """A repository that uses the plugin and pushes to the registry."""
        folder = self.folder / name
        return Checkout(
            path=path or folder / "checkout",
            machine=folder / machine,
            tools=self.tools,
            plugin=self.plugin,
            remote_cache=remote_cache,
            writes_remote_cache=writes_remote_cache,
            has_engine=has_engine,
            settings=(
                "[docker-buildkit]",
                'default_context_root = "./"',
                'default_repository = "bench/{directory}"',
                "[docker-buildkit.registries.bench]",
                f'address = "{self.tools.registry}"',
                "default = true",
            ),
        )

    def images(self, size: int) -> tuple[ImagesRepository, Checkout]:
        """A repository of many images, and its checkout."""
        checkout = self.plugin_checkout(f"images-{size}")
        return write_images(checkout.path, size, "docker_buildkit_image"), checkout

    def buildx(self, directory: Path, *arguments: str) -> str:
        """Run plain buildx with the engine's own builder."""
        return run([self.tools.docker, "buildx", *arguments], directory, self.environment())

    def docker(self, *arguments: str) -> str:
        """Run a command of Docker that reads no files."""
        return run([self.tools.docker, *arguments], self.folder, self.environment())

    def environment(self) -> Mapping[str, str]:
        """What plain programs run with: a home of their own, and Docker on the `PATH`."""
        return self.tools.environment(self.folder / "home")


def unique() -> str:
    """A text that no cache has seen."""
    return uuid.uuid4().hex


def _is_same(comparison: filecmp.dircmp[str]) -> bool:
    if comparison.left_only or comparison.right_only or comparison.diff_files:
        return False
    return all(_is_same(each) for each in comparison.subdirs.values())
