"""Random changes of what a tree is built with, beside its Dockerfile: its files and its fields."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tests.conformance.images.tree import Files, Special, Tree

# Pants takes no `*`, `?` and first `!` in names of files, nor `:` where Git says what changed.
_NAMES = (
    *("a b", "é", "e\u0301", "-x", "--from=a", "[a]", "a\\b", ".hidden", "#c"),
    *("a$V", "${V}", "'q'", '"', "a\tb", " a", "a ", "Dockerfile", "d.ockerignore", "~", "@"),
    *("d/.keep", "d/d/d/f", "..a", "a..", "...", "%41", "build", "CON", "\u200b", "A"),
)
_CONTENTS = ("", "x", "x\n", "\0", "é" * 9, "# syntax=none\n", "FROM none\n")
_VALUES = (
    *("", "x", "a b", "$V", "a=b", "'q'", '"', "é", "\\", "\\n", "a,b", "#", "scratch"),
    *("linux/arm64", "0", " ", "a\tb", "../a", "."),
)
_OWN_ARGUMENTS = (
    *("TARGETARCH", "BUILDARCH", "BUILDPLATFORM", "TARGETPLATFORM", "SOURCE_DATE_EPOCH"),
    *("http_proxy", "NO_PROXY", "BUILDKIT_SANDBOX_HOSTNAME", "BUILDKIT_CONTEXT_KEEP_GIT_DIR"),
    *("BUILDKIT_DOCKERFILE_CHECK", "BUILDKIT_CACHE_MOUNT_NS", "TARGETSTAGE", "BUILDKIT_X"),
)
_CONTEXT: Files = {"a": "of the context", "t": "tool", "d/c": "c of the context"}

_Change = Callable[[random.Random, Tree], Mapping[str, Any]]


def _names_after(tree: Tree, pattern: str) -> list[str]:
    return re.findall(rf"(?im)^\s*{pattern}", tree.dockerfile)


def _build_argument(rng: random.Random, tree: Tree) -> Mapping[str, Any]:
    """The image target takes no argument that its Dockerfile does not know."""
    own = rng.sample(_OWN_ARGUMENTS, 3)
    name = rng.choice((*_names_after(tree, r"ARG\s+(\w+)"), *own))
    given = (*tree.fields.get("extra_build_args", ()), f"{name}={rng.choice(_VALUES)}")
    return {"extra_build_args": list(given)}


def _stage(rng: random.Random, tree: Tree) -> Mapping[str, Any]:
    names = _names_after(tree, r"FROM\s.*\sAS\s+([^\s]+)")
    return {"target_stage": rng.choice((*names, *map(str.upper, names), "0", "1"))}


def _label(rng: random.Random, tree: Tree) -> Mapping[str, Any]:
    name = rng.choice(("a", "a.b", "a b", "é", "$V", "'q'", "maintainer"))
    return {"image_labels": {**tree.fields.get("image_labels", {}), name: rng.choice(_VALUES)}}


def _context(rng: random.Random, tree: Tree) -> Mapping[str, Any]:
    """An image by the name of something that the Dockerfile names, or a name that nothing has."""
    stages = _names_after(tree, r"FROM\s.*\sAS\s+([\w.-]+)")
    bases = _names_after(tree, r"FROM\s+(?:--\S+\s+)?([^\s$]+)")
    sources = _names_after(tree, r".*from=([^\s,$]+)")
    name = rng.choice((*stages, *bases, *sources, "scratch", "busybox", "0", "context", "none"))
    value = rng.choice(("docker-image://%PINNED%", "docker-image://%BUSYBOX%"))
    return {"build_contexts": {**tree.fields.get("build_contexts", {}), name: value}}


def _network(rng: random.Random, _: Tree) -> Mapping[str, Any]:
    return {"build_network": rng.choice(("none", "default"))}


_CHANGES: tuple[_Change, ...] = (_build_argument, _build_argument, _stage, _label, _context)


def with_other_fields(rng: random.Random, tree: Tree) -> Tree:
    """The tree with another value of a field, or with one that it had not."""
    change = rng.choice((*_CHANGES, _network))
    return replace(tree, fields={**tree.fields, **change(rng, tree)})


def with_a_context(rng: random.Random, tree: Tree) -> Tree:
    """The tree with files by the name of something that the Dockerfile names, or of nothing."""
    names = _names_after(tree, r"FROM\s.*\sAS\s+([\w.-]+)")
    name = rng.choice((*names, *names, "scratch", "x", "X", "0", "context", "none"))
    return replace(tree, contexts={**tree.contexts, name: _CONTEXT})


def with_other_files(rng: random.Random, tree: Tree) -> Tree:
    """The tree with a file more, or with one that may be executed."""
    files = dict(tree.files)
    folder = rng.choice(("", "", "d/", "d/e/"))
    name, content = f"{folder}{rng.choice(_NAMES)}", rng.choice(_CONTENTS)
    parents = [name[: at.start()] for at in re.finditer("/", name)]
    is_other = name in files or any(each.startswith(f"{name}/") for each in files)
    if is_other or name == tree.dockerfile_name or any(each in files for each in parents):
        return tree
    files[name] = Special(content, mode=0o755) if rng.random() < 0.3 else content
    return replace(tree, files=files)
