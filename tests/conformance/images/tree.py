"""A small tree to build an image of, and how it is written for plain buildx and for Pants."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Union

from tests.conformance.images.comparison import Difference

DOCKERFILE = "Dockerfile"
DIRECTORY = "trees"
"""Below the root of the repository: each tree in a directory of its own."""

CONTEXTS = "contexts"
"""Beside it: the files of named contexts."""


@dataclass(frozen=True)
class Special:
    """What lies at a path where it is no file with the mode 0644."""

    content: str = ""
    mode: int = 0o644
    link: str | None = None
    other_name_of: str | None = None
    is_directory: bool = False

    def write(self, path: Path) -> None:
        if self.link is not None:
            path.symlink_to(self.link)
        elif self.other_name_of is not None:
            os.link(path.parent / self.other_name_of, path)
        elif self.is_directory:
            path.mkdir(exist_ok=True)
            path.chmod(self.mode)
        else:
            path.write_text(self.content)
            path.chmod(self.mode)


Files = Mapping[str, Union[str, bytes, Special]]


class Forced(Enum):
    """What Pants makes of a tree before BuildKit sees it: the whole list, as in docs/context.md."""

    FILE_MODE = "a file has the mode 0755 if its owner may execute it, and else 0644"
    SPECIAL_BITS = "set-user-ID, set-group-ID and sticky bits are dropped"
    DIRECTORY_MODE = "a directory has the mode 0755"
    EMPTY_DIRECTORY = "an empty directory is not there"
    FOLLOWED_LINK = "a symbolic link in the repository is what it leads to"
    BROKEN_LINK = "a symbolic link that leads nowhere is not there"
    HARD_LINK = "a hard link is a file of its own"
    IGNORED = "what pants_ignore or .gitignore names is not there"


@dataclass(frozen=True)
class Expected:
    """A difference that one row of the list makes."""

    row: Forced
    difference: Difference


@dataclass(frozen=True)
class Tree:
    """A tree, and how it is built.

    `fields` are those of the image target; plain buildx gets the flags that mean the same. The
    words between `%` in Dockerfile and fields stand for what `sources.py` provides. `contexts` are
    named contexts of files, `on` those that are images of other trees, `sources` the globs of the
    target that has the tree's files. An `inline` Dockerfile stands in the BUILD file. Where
    `files` has a link by the Dockerfile's name, the Dockerfile is what it leads to. `root` is where
    the context lies in the tree. A tree that is `refused` cannot be built, one way or the other.
    One that `may_be_refused` cannot either if plain buildx cannot.
    """

    name: str
    dockerfile: str
    files: Files = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    contexts: Mapping[str, Files] = field(default_factory=dict)
    forced: tuple[Expected, ...] = ()
    dockerfile_name: str = DOCKERFILE
    sources: Sequence[str] = ("**", "!BUILD")
    on: Mapping[str, str] = field(default_factory=dict)
    inline: bool = False
    root: str = ""
    refused: bool = False
    may_be_refused: bool = False

    @property
    def directory(self) -> str:
        return f"{DIRECTORY}/{self.name}"

    @property
    def address(self) -> str:
        return f"{self.directory}:image"

    def write(self, root: Path, words: Mapping[str, str]) -> None:
        """The tree as plain buildx finds it."""
        link = self.files.get(self.dockerfile_name)
        name = link.link if isinstance(link, Special) and link.link else self.dockerfile_name
        dockerfile = {name: fill_in(self.dockerfile, words)}
        write_files(root / self.directory, {**self.files, **dockerfile})
        for name, files in self.contexts.items():
            write_files(root / self._context(name), files)

    def write_build_files(
        self, root: Path, words: Mapping[str, str], common: Mapping[str, Any]
    ) -> None:
        """What the tree has in addition in a repository of Pants. All images have common fields."""
        fields: dict[str, Any] = {
            "output": "oci",
            "platforms": ["linux/amd64"],
            "context_root": f"./{self.root}",
            "dependencies": [":files"],
            **common,
            **self.fields,
        }
        if self.dockerfile_name != DOCKERFILE:
            fields["source"] = self.dockerfile_name
        if self.inline:
            fields |= {"source": None, "instructions": self.dockerfile.splitlines()}
        contexts = {
            **self.fields.get("build_contexts", {}),
            **{name: f"{self._context(name)}:files" for name in self.contexts},
            **{name: f"{DIRECTORY}/{other}:image" for name, other in self.on.items()},
        }
        if contexts:
            fields["build_contexts"] = contexts
        arguments = "".join(f"    {name}={value!r},\n" for name, value in fields.items())
        image = fill_in(f"docker_buildkit_image(\n    name='image',\n{arguments})\n", words)
        files = f"files(name='files', sources={list(self.sources)!r})\n"
        (root / self.directory / "BUILD").write_text(files + image)
        for name in self.contexts:
            (root / self._context(name) / "BUILD").write_text(
                "files(name='files', sources=['**', '!BUILD'])\n"
            )

    def plain_arguments(self, words: Mapping[str, str]) -> list[str]:
        """The flags of `docker buildx build` that say what the fields say, and the context."""
        arguments = [f"--file={self.directory}/{self.dockerfile_name}"]
        for name, value in {"platforms": ["linux/amd64"], **self.fields}.items():
            arguments += _FLAGS[name](value)
        arguments += [f"--build-context={name}={self._context(name)}" for name in self.contexts]
        directory = f"{self.directory}/{self.root}".rstrip("/")
        return [fill_in(each, words) for each in (*arguments, directory)]

    def _context(self, name: str) -> str:
        return f"{CONTEXTS}/{self.name}-{name}"


def fill_in(text: str, words: Mapping[str, str]) -> str:
    """The text with what its words in `%` stand for."""
    for name, value in words.items():
        text = text.replace(f"%{name}%", value)
    return text


def write_files(root: Path, files: Files) -> None:
    """Write files, with modes that are the same whatever the umask is."""
    _make_directory(root)
    for name, content in files.items():
        path = root / name
        for parent in reversed(path.relative_to(root).parents):
            _make_directory(root / parent)
        if isinstance(content, Special):
            content.write(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            path.chmod(0o644)


def _make_directory(path: Path) -> None:
    if not path.is_dir():
        path.mkdir(parents=True)
        path.chmod(0o755)


def _one(flag: str) -> Callable[[Any], list[str]]:
    return lambda value: [f"--{flag}={value}"]


def _each(flag: str) -> Callable[[Any], list[str]]:
    return lambda values: [f"--{flag}={value}" for value in values]


def _pairs(flag: str) -> Callable[[Any], list[str]]:
    return lambda values: [f"--{flag}={key}={value}" for key, value in values.items()]


def _nothing(_: Any) -> list[str]:
    return []


_FLAGS: Mapping[str, Callable[[Any], list[str]]] = {
    "platforms": lambda values: [f"--platform={','.join(values)}"] if values else [],
    "target_stage": _one("target"),
    "extra_build_args": _each("build-arg"),
    "image_labels": _pairs("label"),
    "image_annotations": _pairs("annotation"),
    "build_contexts": _pairs("build-context"),
    "secrets": lambda values: [f"--secret=id={id},{source}" for id, source in values.items()],
    "build_network": _one("network"),
    "extra_build_hosts": _pairs("add-host"),
    "shm_size": _one("shm-size"),
    "ulimits": _pairs("ulimit"),
    "entitlements": _each("allow"),
    # How the plugin goes about it, which is to change nothing.
    "dependencies": _nothing,
    "external_sources": _nothing,
    "hashed_secrets": _nothing,
    "image_tags": _nothing,
    "inline_cache": _nothing,
    "no_cache": _nothing,
}
