"""The same trees, built by plain buildx and by `pants package`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.conformance.images.image import Image, read_images
from tests.conformance.images.tree import CONTEXTS, DIRECTORY, Tree
from tests.integration.workbench.machine import Checkout
from tests.integration.workbench.required import docker_host, docker_program

SECRET = "TREE_SECRET"
ENVIRONMENT = {SECRET: "a secret of the tests", "TREE_ARGUMENT": "from the environment"}
"""What both are started with."""

SETTINGS = """\
[GLOBAL]
pants_version = "{version}"
pythonpath = ["{plugin}"]
backend_packages = ["pants_docker_buildkit", "pants.backend.shell"]

[anonymous-telemetry]
enabled = false
"""

_WORKERS = 3
_FAILED_TARGET = re.compile(rf"\b{DIRECTORY}/([\w.-]+)(?=:image|/)")
_LOG_LINE = re.compile(r"^\d\d:\d\d:\d\d\.\d\d \[(?=[A-Z]+\] )", re.MULTILINE)

Images = Mapping[str, Image]


@dataclass(frozen=True)
class Failure:
    """A build that gave no image, and why."""

    reason: str

    def __str__(self) -> str:
        return self.reason


class PlainBuilds:
    """Builds trees below `root` as somebody does who knows nothing of Pants."""

    def __init__(self, root: Path, words: Mapping[str, str]) -> None:
        """Build in `root`, with what the words of the trees stand for."""
        self._root = root
        self._words = words
        root.mkdir(parents=True, exist_ok=True)

    def build(
        self, trees: Sequence[Tree], environment: Mapping[str, str] = ENVIRONMENT
    ) -> dict[str, Images | Failure]:
        """The images of these trees, by name; those that others are on are among them."""
        build = partial(self._build, environment={**os.environ, **environment})
        built: dict[str, Images | Failure] = {}
        with ThreadPoolExecutor(_WORKERS) as pool:
            for has_bases in (False, True):
                group = [tree for tree in trees if bool(tree.on) is has_bases]
                built.update(zip((tree.name for tree in group), pool.map(build, group)))
        return built

    def _build(self, tree: Tree, *, environment: Mapping[str, str]) -> Images | Failure:
        tree.write(self._root, self._words)
        layout = self._layout(tree.name)
        build = subprocess.run(
            [
                *(str(docker_program()), "buildx", "build", "--no-cache", "--progress=plain"),
                *("--provenance=false", f"--output=type=oci,tar=false,dest={layout}"),
                *(f"--build-context={name}={self._base(on)}" for name, on in tree.on.items()),
                *tree.plain_arguments(self._words),
            ],
            cwd=self._root,
            env={**environment, "DOCKER_HOST": docker_host()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Failure(build.stderr[-2000:]) if build.returncode != 0 else read_images(layout)

    def _layout(self, name: str) -> Path:
        return self._root / f"{name}.oci"

    def _base(self, name: str) -> str:
        layout = self._layout(name)
        (image,) = json.loads((layout / "index.json").read_text())["manifests"]
        return f"oci-layout://{layout}@{image['digest']}"


class PantsBuilds:
    """Builds all trees of a checkout in one run of Pants, or in few if some cannot be built."""

    def __init__(
        self, checkout: Checkout, words: Mapping[str, str], *, no_cache: bool = False
    ) -> None:
        """Build in this checkout, with what the words of the trees stand for.

        With `no_cache` nothing is taken from the builder's cache, in which plain buildx may have
        left what it made of the same step: the cache knows nothing of hard links, for one.
        """
        self._common = {"no_cache": True} if no_cache else {}
        self._checkout = checkout
        self._words = words
        self.kinds: Mapping[str, str] = {}
        """What the last build did for each tree: `built`, `restored` or `unchanged`.

        Where another one could not be built, those that need not have been built are left out.
        """

    def write(self, trees: Sequence[Tree]) -> None:
        """Write these trees, in place of what they were before."""
        for name in (DIRECTORY, CONTEXTS):
            shutil.rmtree(self._checkout.directory / name, ignore_errors=True)
        for tree in trees:
            tree.write(self._checkout.directory, self._words)
            tree.write_build_files(self._checkout.directory, self._words, self._common)

    def build(
        self, trees: Sequence[Tree], environment: Mapping[str, str] = ENVIRONMENT
    ) -> dict[str, Images | Failure]:
        """The images of these trees, by name. Those that are refused get a run of their own."""
        self.write(trees)
        built, kinds = self._build([tree for tree in trees if not tree.refused], environment)
        for tree in trees:
            if tree.refused:
                built.update(self._build([tree], environment)[0])
        self.kinds = kinds
        return built

    def _build(
        self, trees: Sequence[Tree], environment: Mapping[str, str]
    ) -> tuple[dict[str, Images | Failure], Mapping[str, str]]:
        """The images, and what the last run did for each."""
        failures: dict[str, Images | Failure] = {}
        kinds: Mapping[str, str] = {}
        left = {tree.name: tree for tree in trees}
        while left:
            addresses = [tree.address for tree in left.values()]
            run = self._checkout.pants("package", *addresses, env=environment, may_fail=True)
            kinds = {_name(target): kind for target, kind in run.kinds.items()}
            if run.exit_code == 0:
                break
            failed = dict(_failures(run.output, left))
            assert failed, run.output
            failures.update(failed)
            left = {name: tree for name, tree in left.items() if name not in failed}
        if failures:
            # A run that fails does not say what it built, and the next one finds that unchanged.
            kinds = {name: kind for name, kind in kinds.items() if kind != "unchanged"}
        return {**failures, **{name: self._read(tree) for name, tree in left.items()}}, kinds

    def _read(self, tree: Tree) -> Images:
        directory = tree.directory.replace("/", ".")
        return read_images(self._checkout.directory / "dist" / directory / "image.oci")


def _name(target: str) -> str:
    """The tree of `trees.NAME:image`."""
    return target.partition(":")[0].removeprefix(f"{DIRECTORY}.")


def _failures(output: str, names: Iterable[str]) -> Iterator[tuple[str, Failure]]:
    """The trees that errors of Pants name."""
    for message in _LOG_LINE.split(output):
        if message.startswith("ERROR]"):
            named = {name for name in _FAILED_TARGET.findall(message) if name in names}
            yield from ((name, Failure(message.strip())) for name in named)
