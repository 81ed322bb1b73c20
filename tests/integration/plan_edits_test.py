"""After any edits, a plan says what `package` then does, and for the same reasons.

`BUILDKIT_TESTS_EDITS` is how many rounds of edits are made, `BUILDKIT_TESTS_SEED` which ones.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from pants_docker_buildkit.plans.reasons import Change, Reason, ReasonKind, reason_line
from tests.integration.workbench.base_image import move_tag
from tests.integration.workbench.machine import Checkout, Files, Machine, repository_settings
from tests.integration.workbench.registry import Registry

ROUNDS = int(os.environ.get("BUILDKIT_TESTS_EDITS", "8"))
SEED = int(os.environ.get("BUILDKIT_TESTS_SEED", "20"))

# No step runs, so that a build takes as little as it can.
FIELDS = "image_tags=['latest'], inline_cache=False, reproducible=True"
NAMES = tuple("abcdef")


def images(registry: str, repository: str) -> Files:
    """Images that are based on each other, on a tag, and on files by name."""
    return {
        "pants.toml": repository_settings(registry, repository),
        "base/BUILD": "files(name='files', sources=['*.txt'])\n"
        f"docker_buildkit_image(name='image', dependencies=[':files'], {FIELDS})",
        "base/Dockerfile": f"FROM {registry}/{repository}/outside:1\nLABEL edit=0\n"
        "COPY base /base\n",
        "base/a.txt": "a\n",
        "leaf/BUILD": f"docker_buildkit_image(name='image', {FIELDS})",
        "leaf/Dockerfile": "ARG BASE=base:image\nFROM $BASE\nLABEL edit=0\n",
        "tools/BUILD": "files(name='files', sources=['*.txt'])",
        "tools/a.txt": "a\n",
        "named/BUILD": "docker_buildkit_image(name='image', build_contexts="
        "{'tools': 'tools:files', 'base': 'base:image'}, extra_build_args=['MODE=0'],"
        f" image_labels={{'label': '0'}}, platforms=['linux/amd64'], {FIELDS})",
        "named/Dockerfile": "FROM scratch\nARG MODE\nLABEL mode=$MODE\nCOPY --from=tools . /\n"
        "COPY --from=base / /base\n",
    }


class Editor:
    """Makes random edits. `expected` are the subjects of reasons that they must lead to."""

    def __init__(
        self,
        checkout: Checkout,
        registry: Registry,
        repository: str,
        rng: random.Random,
        number: int,
        kept: dict[str, str],
    ) -> None:
        self._checkout = checkout
        self._registry = registry
        self._outside = f"{registry.address}/{repository}/outside:1"
        self._random = rng
        self._number = number
        self._kept = kept
        self.expected: defaultdict[str, set[str]] = defaultdict(set)
        self.is_certain = True

    def edit(self) -> str:
        """Make one edit, and say which."""
        edits: tuple[Callable[[], None], ...] = (
            *(self._write_base, self._write_base, self._remove_base, self._write_tool),
            *(self._change_line, self._add_line, self._change_argument, self._change_label),
            *(self._change_platforms, self._move_outside, self._forget, self._lose, self._revert),
        )
        self._number += 1
        made = self._random.choice(edits)
        made()
        return made.__name__

    def _write(self, directory: str, target: str, prefix: str) -> None:
        name = f"{self._random.choice(NAMES)}.txt"
        self._checkout.write({f"{directory}/{name}": f"{self._number}\n"})
        self.expected[target].add(f"{prefix}{name}")

    def _write_base(self) -> None:
        self._write("base", "base:image", "base/")

    def _write_tool(self) -> None:
        self._write("tools", "named:image", "tools:")

    def _remove_base(self) -> None:
        path = self._checkout.directory / "base" / f"{self._random.choice(NAMES[1:])}.txt"
        if path.exists():
            path.unlink()
            # It may have been written since the last build.
            self.expected["base:image"].discard(f"base/{path.name}")

    def _change_line(self) -> None:
        path = self._checkout.directory / "base/Dockerfile"
        lines = path.read_text().splitlines()
        lines[1] = f"LABEL edit={self._number}"
        path.write_text("\n".join((*lines, "")))
        self.expected["base:image"].add("Dockerfile:2")

    def _add_line(self) -> None:
        path = self._checkout.directory / "leaf/Dockerfile"
        path.write_text(f"{path.read_text()}LABEL more{self._number}=1\n")

    def _change_build_file(self, key: str, value: str) -> None:
        path = self._checkout.directory / "named/BUILD"
        before, found, after = path.read_text().partition(key)
        assert found
        _, quote, rest = after.partition("'")
        path.write_text(f"{before}{key}{value}{quote}{rest}")

    def _change_argument(self) -> None:
        self._change_build_file("MODE=", str(self._number))
        self.expected["named:image"].add("MODE")

    def _change_label(self) -> None:
        self._change_build_file("'label': '", str(self._number))
        self.expected["named:image"].add("label")

    def _change_platforms(self) -> None:
        path = self._checkout.directory / "named/BUILD"
        text = path.read_text()
        one, two = "['linux/amd64']", "['linux/arm64', 'linux/amd64']"
        path.write_text(text.replace(one, two) if one in text else text.replace(two, one))

    def _move_outside(self) -> None:
        move_tag(self._outside, "scratch", f"LABEL number={self._number}")
        self.expected["base:image"].add(self._outside)

    def _forget(self) -> None:
        """Lose what was remembered."""
        named_caches = self._checkout.machine.named_caches
        shutil.rmtree(named_caches / "docker_buildkit" / "history", ignore_errors=True)
        self.is_certain = False

    def _lose(self) -> None:
        """Have a registry lose an image."""
        record = json.loads(self._checkout.record("leaf:image"))
        (reference,) = record["references"]
        if self._registry.has(reference):
            self._registry.delete(reference)
        self.is_certain = False

    def _revert(self) -> None:
        """Keep a state, or go back to the one that was kept."""
        for name in ("named/BUILD", "base/Dockerfile"):
            path = self._checkout.directory / name
            kept = self._kept.get(name)
            self._kept[name] = path.read_text()
            if kept is not None:
                path.write_text(kept)
                self.is_certain = False


def plan(checkout: Checkout) -> dict[str, Any]:
    run = checkout.pants(
        *("plan-images", "--format=json", "--output-file=plan.json", "::"), pantsd=True
    )
    assert run.docker_calls == ()
    document = json.loads((checkout.directory / "plan.json").read_text())
    return {each["target"]: each for each in document["images"]}


def line(image: dict[str, Any]) -> str:
    """The reasons as `package` says them."""
    return reason_line(
        Reason(
            ReasonKind(each["kind"]),
            each["text"],
            each["subject"],
            Change(each["change"]),
            each["from"] or "",
            each["to"] or "",
        )
        for each in image["reasons"]
    )


def test_after_random_edits_a_plan_says_what_package_does(
    machine: Machine, registry: Registry, repository: str
) -> None:
    rng = random.Random(SEED)
    move_tag(f"{registry.address}/{repository}/outside:1", "scratch", "LABEL number=0")
    checkout = machine.checkout("checkout", images(registry.address, repository))
    checkout.pants("package", "::", pantsd=True)
    outcomes, kept = set(), dict[str, str]()
    # Of which images nothing is remembered, until they are built or restored again.
    forgotten = set[str]()
    # Which daemon of Pants remembers what its caches on disk forgot is not for a plan to know.
    spared = {"unchanged"}
    for number in range(ROUNDS):
        editor = Editor(checkout, registry, repository, rng, 1000 * (number + 1), kept)
        edits = [editor.edit() for _ in range(rng.randint(1, 3))]
        context = f"round {number} with seed {SEED}: {edits}"
        if "_forget" in edits:
            spared.add("restored")
            forgotten.update(("base:image", "leaf:image", "named:image"))
        planned = plan(checkout)
        run = checkout.pants("package", "::", pantsd=True)
        for target, image in planned.items():
            outcomes.add(image["outcome"])
            done = run.outcomes[f"{target.replace(':', '/')}.image.json"]
            if image["outcome"] == "build":
                assert (done.kind, done.reason) == ("built", line(image)), context
                if editor.is_certain and target not in forgotten:
                    subjects = {each["subject"] for each in image["reasons"]}
                    assert editor.expected[target] <= subjects, context
            elif image["outcome"] == "depends":
                waits = [planned[each]["outcome"] for each in image["depends_on"]]
                assert waits, context
                assert set(waits) <= {"build", "depends"}, context
            else:
                assert done.kind == image["outcome"] or {done.kind, image["outcome"]} <= spared, (
                    context
                )
            if done.kind != "unchanged":
                forgotten.discard(target)
        assert {each["outcome"] for each in plan(checkout).values()} <= spared, context
    assert {"unchanged", "build", "depends"} <= outcomes
