"""Random Dockerfiles with a random change of the files beside them, the same for the same seed.

Which files an image is made of is read in them before BuildKit does: each way to name some is here.
"""

from __future__ import annotations

import random
from dataclasses import replace

from tests.conformance.images.tree import Files
from tests.conformance.images.trees.writing import BASE, SCRATCH, tree
from tests.conformance.staleness.inputs import Input

_FILES = ("a", "b.txt", "c.txt", "d/a", "d/b.txt", "d/e/c.txt", "x y", "f/g/h/a", "é.txt", "[a]")
_NEW = ("n.txt", "d/n", "d/e/n.txt", "new/a", "f/g/n.txt")
_LITERALS = (*_FILES[:6], "d", "d/e", "f/g", "./d/../c.txt", "/a", "d/", "../b.txt", "f/g/h/a")
_PATTERNS = ("*.txt", "d/*", "*/a", "?", "d/?/*", "[b-d].txt", "f/*/h", "d*", "*/*/c.*", "none*")
_EXCLUDED = ("*.txt", "a", "**/c.txt", "e")
_IGNORED = ("d/e", "*.txt", "!b.txt", "**/a", "!d/a", "f/*", "# a", "x y", "[[]a]")


def _copy(rng: random.Random, to: str) -> str:
    sources = rng.sample(_LITERALS, rng.randint(1, 2))
    return (
        f"{rng.choice(('COPY', 'ADD', 'COPY --link', 'COPY --chmod=700'))} {' '.join(sources)} {to}"
    )


def _copy_pattern(rng: random.Random, to: str) -> str:
    return f"{rng.choice(('COPY', 'ADD'))} {rng.choice(_PATTERNS)} {rng.choice(_PATTERNS)} {to}"


def _copy_list(rng: random.Random, to: str) -> str:
    return f'COPY ["{rng.choice(("x y", "[[]a]", "é.txt", "d/e", "*.txt"))}", "{to}"]'


def _copy_excluding(rng: random.Random, to: str) -> str:
    return f"COPY --exclude={rng.choice(_EXCLUDED)} {rng.choice(('d', 'd/*', '.', 'f'))} {to}"


def _copy_variable(rng: random.Random, to: str) -> str:
    source = rng.choice(("$A", "${A}/e", "d/$B", "${C:-c.txt}", "${A%/*}", "$A/../$B", "${A:+d}/a"))
    return f"COPY {source} {to}"


def _document(rng: random.Random, to: str) -> str:
    return f"COPY <<E {rng.choice(_LITERALS)} {to}\n$A\nE"


def _mount(rng: random.Random, to: str) -> str:
    source = rng.choice(("d", "d/e", "a", "f/g", "$A"))
    more = rng.choice(("", "", "--mount=type=cache,target=/c ", "--mount=type=tmpfs,target=/t "))
    return f"RUN --mount=type=bind,source={source},target=/m {more}mkdir -p {to}; cp -r /m {to}"


_STEPS = (_copy, _copy, _copy_pattern, _copy_list, _copy_excluding, _copy_variable)


def _stage(rng: random.Random, number: int) -> list[str]:
    bases = [SCRATCH, BASE, *(f"FROM s{each}" for each in range(number))]
    base = rng.choice(bases)
    lines = [f"{base} AS s{number}", "ARG A=d", rng.choice(("ARG B=e", "ENV B=a", "ARG B"))]
    for step in range(rng.randint(1, 3)):
        to = f"/s{number}-{step}/"
        steps = (*_STEPS, _document, *([_mount, _mount] if base == BASE else []))
        line = rng.choice(steps)(rng, to)
        lines.append(f"ONBUILD {line}" if rng.random() < 0.1 and "\n" not in line else line)
    if number and rng.random() < 0.5:
        lines.append(f"COPY --from=s{rng.randrange(number)} / /from-{number}/")
    return lines


def _change(rng: random.Random, files: Files) -> Files:
    kind = rng.random()
    if kind < 0.2:
        return {**files, rng.choice(_NEW): "new"}
    name = rng.choice(_FILES)
    if kind < 0.3:
        return {path: content for path, content in files.items() if path != name}
    return {**files, name: "changed"}


def random_input(seed: int) -> Input:
    """The input of a seed, which plain buildx can build before the change."""
    rng = random.Random(seed)
    count = rng.randint(1, 3)
    lines = [line for number in range(count) for line in _stage(rng, number)]
    files: dict[str, str] = {name: name for name in _FILES}
    if rng.random() < 0.3:
        files[".dockerignore"] = "\n".join(rng.sample(_IGNORED, 2)) + "\n"
    before = tree(f"random-{seed}", *lines, files=files)
    if rng.random() < 0.3:
        before = replace(before, fields={"target_stage": f"s{rng.randrange(count)}"})
    after = replace(before, files=_change(rng, files))
    # Git quotes a name that is not ASCII, and Pants does not take the quotes off.
    git_sees = after.files.get("é.txt") == files["é.txt"]
    return Input(before, after, git_sees=git_sees, may_build_more=True)
