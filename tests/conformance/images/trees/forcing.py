"""Trees of which Pants makes something else before BuildKit sees them, and what."""

from __future__ import annotations

import hashlib

from tests.conformance.images.comparison import ABSENT, Difference, summarize
from tests.conformance.images.image import Node
from tests.conformance.images.tree import Expected, Forced, Special
from tests.conformance.images.trees.writing import SCRATCH, program, tree

ALL = (SCRATCH, "COPY . /x/")


def changed(row: Forced, path: str, plain: str, product: str, what: str = "kind") -> Expected:
    return Expected(row, Difference(f"/x/{path}", what, plain, product))


def mode(path: str, plain: int, product: int, row: Forced = Forced.FILE_MODE) -> Expected:
    return changed(row, path, f"{plain:04o}", f"{product:04o}", "mode")


def file(content: str, mode: int = 0o644) -> str:
    digest = hashlib.sha256(content.encode()).hexdigest()
    return summarize(Node("file", mode, 0, 0, 0, content=digest))


TREES = (
    tree(
        "forced-private-file",
        *ALL,
        files={"private": Special("p", mode=0o600), "shared": Special("s", mode=0o664)},
        forced=(mode("private", 0o600, 0o644), mode("shared", 0o664, 0o644)),
    ),
    tree(
        "forced-program-mode",
        *ALL,
        files={"own": Special("o", mode=0o700), "group": Special("g", mode=0o654)},
        forced=(mode("own", 0o700, 0o755), mode("group", 0o654, 0o644)),
    ),
    tree(
        "forced-mode-hidden-by-chmod",
        *(SCRATCH, "COPY --chmod=640 . /x/"),
        files={"private": Special("p", mode=0o600)},
    ),
    tree(
        "forced-special-bits",
        *ALL,
        files={"set": Special("s", mode=0o4755), "group": Special("g", mode=0o2644)},
        forced=(
            mode("set", 0o4755, 0o755, Forced.SPECIAL_BITS),
            mode("group", 0o2644, 0o644, Forced.SPECIAL_BITS),
        ),
    ),
    tree(
        "forced-directory-mode",
        *ALL,
        files={"d": Special(mode=0o700, is_directory=True), "d/a": "a"},
        forced=(mode("d", 0o700, 0o755, Forced.DIRECTORY_MODE),),
    ),
    tree(
        "forced-empty-directory",
        *ALL,
        files={"a": "a", "empty": Special(mode=0o755, is_directory=True)},
        forced=(changed(Forced.EMPTY_DIRECTORY, "empty", "directory 0755", ABSENT),),
    ),
    tree(
        "forced-link-to-file",
        *ALL,
        files={"a": "a", "run": program("r"), "l": Special(link="a"), "m": Special(link="./run")},
        forced=(
            changed(Forced.FOLLOWED_LINK, "l", "link to a", file("a")),
            changed(Forced.FOLLOWED_LINK, "m", "link to ./run", file("r", 0o755)),
        ),
    ),
    tree(
        "forced-link-to-directory",
        *ALL,
        files={"d/a": "a", "l": Special(link="d")},
        forced=(
            changed(Forced.FOLLOWED_LINK, "l", "link to d", "directory 0755"),
            changed(Forced.FOLLOWED_LINK, "l/a", ABSENT, file("a")),
        ),
    ),
    tree(
        "forced-broken-link",
        *ALL,
        files={"a": "a", "l": Special(link="gone")},
        forced=(changed(Forced.BROKEN_LINK, "l", "link to gone", ABSENT),),
    ),
    tree(
        "forced-hard-link",
        *(SCRATCH, "COPY . /"),
        files={"a": "a", "b": Special(other_name_of="a")},
        forced=tuple(
            Expected(Forced.HARD_LINK, Difference(f"/{name}", "names", "['a', 'b']", f"['{name}']"))
            for name in ("a", "b")
        ),
    ),
    tree(
        "forced-ignored",
        *ALL,
        files={"a": "a", "b.ignored": "b", ".hidden/c": "c"},
        forced=(
            changed(Forced.IGNORED, ".hidden", "directory 0755", ABSENT),
            changed(Forced.IGNORED, ".hidden/c", file("c"), ABSENT),
            changed(Forced.IGNORED, "b.ignored", file("b"), ABSENT),
        ),
    ),
)
