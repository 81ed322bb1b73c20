"""Does a change build an image exactly when plain buildx would make another image of it?

All inputs change at once, each of them of a tree of its own: so three runs of Pants are enough.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.images.builds import SETTINGS, Failure, Images, PantsBuilds, PlainBuilds
from tests.conformance.images.comparison import Window, compare_platforms
from tests.conformance.images.differential import is_stricter
from tests.conformance.images.differential import judge as judge_images
from tests.conformance.images.sources import commit, git
from tests.conformance.images.tree import Tree
from tests.conformance.staleness.inputs import INPUTS, Input
from tests.conformance.staleness.mutated_inputs import mutated_input
from tests.conformance.staleness.random_inputs import random_input
from tests.conformance.staleness.world import World, provide_world
from tests.integration.workbench.machine import Checkout, Machine
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.required import pants_version, plugin_sources, registry_address

SECRET_HASH_KEY = """
[docker-buildkit]
secret_hash_key = "file=secret-hash-key"
"""
BUILT, UNCHANGED = "built", "unchanged"


@dataclass(frozen=True)
class Answers:
    """What is known of all inputs after the change, by name.

    `plain` and `product` are the images, `differs` says whether plain's is another one than before,
    `kinds` what the product did as far as that is known, and `seen` is what Git sees.
    """

    plain: Mapping[str, Images | Failure]
    product: Mapping[str, Images | Failure]
    differs: Mapping[str, bool]
    kinds: Mapping[str, str]
    seen: frozenset[str]
    window: Window


def judge(each: Input, answers: Answers) -> Iterator[str]:
    """What is wrong with the answers about an input."""
    plain, product = answers.plain[each.name], answers.product[each.name]
    if each.git_sees and each.name not in answers.seen:
        yield "is not in what --changed-since gives"
    if isinstance(plain, Failure):
        if not isinstance(product, Failure):
            yield f"must fail, as with plain buildx: {plain}"
        return
    if is_stricter(each.after, product):
        return
    if isinstance(product, Failure):
        yield f"could not be built: {product}"
        return
    kind, differs = answers.kinds.get(each.name), answers.differs[each.name]
    expected = BUILT if differs is not bool(each.exception) else UNCHANGED
    if kind not in (expected, None) and not (each.may_build_more and kind == BUILT):
        other = "another image" if differs else "the same image"
        reason = f" ({each.exception})" if each.exception else ""
        yield f"must be {expected}{reason}, but was {kind}; plain buildx makes {other}"
    if kind != UNCHANGED and differs:
        yield from judge_images(each.after, plain, product, answers.window)


def ask(inputs: Sequence[Input], world: World, checkout: Checkout, directory: Path) -> Answers:
    """Build everything, let everything change, and build it again, in both ways.

    After the change the product builds first: what plain buildx leaves in the builder's cache would
    hide that the product takes a step from there that has changed. Before it, plain buildx does:
    it builds each step anew, and so would give images another time that the product built before.
    """
    plain_before = _plain(directory / "before", [each.before for each in inputs], world, "before")
    inputs = [each for each in inputs if not _cannot_be_built(each, plain_before)]
    before, after = [each.before for each in inputs], [each.after for each in inputs]
    _require_images({each.name: plain_before[each.name] for each in inputs})
    pants = PantsBuilds(checkout, world.words)
    git(checkout.directory, "init", "--quiet", "--initial-branch=main")
    _require(pants.build(before, world.environment("before")), pants.kinds, BUILT)
    commit(checkout.directory)
    _require(pants.build(before, world.environment("before")), pants.kinds, UNCHANGED)

    world.move()
    pants.write(after)
    is_asked = any(each.git_sees for each in inputs)
    seen = changed_targets(checkout, world) if is_asked else frozenset()
    product = pants.build(after, world.environment("after"))
    plain = _plain(directory / "after", after, world, "after")
    window = Window.until_now()
    differs = {name: _differ(plain_before[name], plain[name], window) for name in plain}
    return Answers(plain, product, differs, pants.kinds, seen, window)


def _cannot_be_built(each: Input, plain: Mapping[str, Images | Failure]) -> bool:
    """Whether chance wrote something that copies what is not there."""
    return each.may_build_more and isinstance(plain[each.name], Failure)


def _plain(
    root: Path, trees: Sequence[Tree], world: World, state: str
) -> dict[str, Images | Failure]:
    return PlainBuilds(root, world.words).build(trees, world.environment(state))


def _require(images: Mapping[str, Images | Failure], kinds: Mapping[str, str], kind: str) -> None:
    _require_images(images)
    others = {name: each for name, each in kinds.items() if each != kind}
    assert not others, f"must be {kind}: {others}"


def _require_images(images: Mapping[str, Images | Failure]) -> None:
    failures = [each.reason for each in images.values() if isinstance(each, Failure)]
    assert not failures, "\n".join(failures)


def _differ(one: Images | Failure, other: Images | Failure, window: Window) -> bool:
    if isinstance(one, Failure) or isinstance(other, Failure):
        return True
    return bool(compare_platforms(one, other, window))


def changed_targets(checkout: Checkout, world: World) -> frozenset[str]:
    """The trees whose image Pants' Git support finds to be changed."""
    arguments = ("list", "--changed-since=HEAD", "--changed-dependents=transitive")
    run = checkout.pants(*arguments, env=world.environment("after"))
    addresses = (line.partition(":") for line in run.output.splitlines() if ":image" in line)
    return frozenset(directory.rpartition("/")[2] for directory, _, _ in addresses)


def run(inputs: Sequence[Input], directory: Path) -> dict[str, list[str]]:
    """What is wrong, by the kind of input."""
    registry = Registry(registry_address())
    machine = Machine(directory / "machine")
    repository = f"staleness/{uuid.uuid4().hex}"
    with provide_world(directory / "world", registry, repository) as world:
        settings = SETTINGS.format(version=pants_version(), plugin=plugin_sources())
        settings += SECRET_HASH_KEY
        files = {
            "pants.toml": settings,
            ".gitignore": "/dist/\n",
            "secret-hash-key": "a key of the tests",
        }
        checkout = machine.checkout("checkout", files)

        try:
            answers = ask(inputs, world, checkout, directory)
        finally:
            machine.close()
    built = sum(kind == BUILT for kind in answers.kinds.values())
    differ = sum(answers.differs[name] for name in answers.product)
    print(f"{len(answers.product)} compared: {differ} differ for plain buildx, {built} were built")
    found = {each.name: list(judge(each, answers)) for each in inputs if each.name in answers.plain}
    return {name: problems for name, problems in found.items() if problems}


def chosen_inputs(text: str) -> list[Input]:
    """The inputs whose name has a text, and the images that theirs are built on."""
    chosen = [each for each in INPUTS if text in each.name]
    bases = {name for each in chosen for name in each.before.on.values()}
    return [each for each in INPUTS if each in chosen or each.name in bases]


def main() -> int:
    """Look at the inputs that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="Inputs whose name has this text.")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="N random inputs.")
    parser.add_argument("--mutated", type=int, default=0, metavar="N", help="N changed trees.")
    parser.add_argument("--seed", type=int, default=1, help="The seed of the first of them.")
    arguments = parser.parse_args()
    make = mutated_input if arguments.mutated else random_input
    count = arguments.mutated or arguments.random
    seeds = range(arguments.seed, arguments.seed + count)
    inputs = [make(each) for each in seeds] or chosen_inputs(arguments.only)
    with tempfile.TemporaryDirectory() as directory:
        found = run(inputs, Path(directory))
    for name, problems in found.items():
        print("\n  ".join((name, *problems)))
    print(f"{len(inputs)} inputs: {len(inputs) - len(found)} as they must be, {len(found)} not")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
