"""What of the Dockerfile reference, of the kinds of source and of ignore files do trees use?"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from tests.conformance.images.tree import Special, Tree

_FLAGS: Mapping[str, Sequence[str]] = {
    "FROM": ("--platform",),
    "COPY": ("--from", "--chown", "--chmod", "--link", "--exclude"),
    "ADD": (
        "--chown",
        "--chmod",
        "--link",
        "--exclude",
        "--checksum",
        "--keep-git-dir",
        "--unpack",
    ),
    "RUN": ("--mount", "--network"),
    "HEALTHCHECK": ("--interval", "--timeout", "--start-period", "--start-interval", "--retries"),
}
_INSTRUCTIONS = (
    *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL"),
    *("MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
)
_MOUNTS = ("bind", "cache", "tmpfs", "secret", "ssh")
_FIELDS = (
    *("target_stage", "extra_build_args", "image_labels", "image_annotations", "platforms"),
    *("secrets", "build_network", "extra_build_hosts"),
)

OUT_OF_REACH = {
    "COPY --parents": "the frontend in the engine of the tests does not know it",
    "RUN --security": "the engine of the tests grants no step security.insecure",
    "RUN --device": "the engine of the tests has no devices to give",
}
"""Of the Dockerfile reference, what no tree can use, and why."""

Test = Callable[[Tree], bool]


def _text(pattern: str) -> Test:
    compiled = re.compile(pattern, re.MULTILINE | re.IGNORECASE)
    return lambda tree: compiled.search(tree.dockerfile.replace("\\\n", " ")) is not None


def _ignore(pattern: str) -> Test:
    compiled = re.compile(pattern, re.MULTILINE)

    def matches(tree: Tree) -> bool:
        contents = [tree.files, *tree.contexts.values()]
        return any(
            compiled.search(str(content)) is not None
            for files in contents
            for name, content in files.items()
            if name.endswith(".dockerignore")
        )

    return matches


def _has_file(pattern: str) -> Test:
    compiled = re.compile(pattern)
    return lambda tree: any(compiled.search(name) is not None for name in tree.files)


def _has_field(name: str) -> Test:
    return lambda tree: name in tree.fields


FEATURES: Mapping[str, Test] = {
    **{name: _text(rf"^\s*{name}\b") for name in _INSTRUCTIONS},
    **{
        f"{instruction} {flag}": _text(rf"^\s*{instruction}\s(?:.*\s)?{flag}=")
        for instruction, flags in _FLAGS.items()
        for flag in flags
    },
    "COPY --link": _text(r"^COPY .*--link\b"),
    "ADD --link": _text(r"^ADD .*--link\b"),
    **{f"RUN --mount=type={kind}": _text(rf"--mount=[^ ]*type={kind}\b") for kind in _MOUNTS},
    "RUN --mount without a type": _text(r"--mount=(?![^ ]*type=)"),
    "ONBUILD of a base image": _text(r"^FROM %TRIGGER_"),
    "# syntax": _text(r"\A(#!.*\n)?(#|//)\s*syntax="),
    "# escape": _text(r"\A#\s*escape="),
    "# check": _text(r"\A#\s*check="),
    "heredoc": _text(r"^(RUN|COPY|ADD) .*<<"),
    "JSON form": _text(r"^(RUN|COPY|ADD|CMD|ENTRYPOINT|SHELL|VOLUME) \["),
    "variable": _text(r"\$\{?\w"),
    "wildcard": _text(r"^(COPY|ADD) .*[*?\[]"),
    **{f"field {name}": _has_field(name) for name in _FIELDS},
    "several platforms": lambda tree: len(tree.fields.get("platforms") or ()) > 1,
    "Dockerfile in the BUILD file": lambda tree: tree.inline,
    "Dockerfile of another name": lambda tree: tree.dockerfile_name != "Dockerfile",
    "source: image by tag": _text(r"%BUSYBOX%"),
    "source: image by digest": _text(r"%PINNED%|%TAG_AND_DIGEST%"),
    "source: stage": _text(r"^FROM .* AS "),
    "source: image of another target": lambda tree: bool(tree.on),
    "source: context of files": lambda tree: bool(tree.contexts),
    "source: context of an image": lambda tree: "docker-image" in str(tree.fields),
    "source: context of a Git repository": lambda tree: "%GIT%" in str(tree.fields),
    "source: URL with a checksum": _text(r"^ADD --checksum=%HTTP_SHA256%"),
    "source: URL": _text(r"^ADD (?!--checksum).*%HTTP%"),
    "source: Git commit": _text(r"^ADD .*%GIT%#%COMMIT%"),
    "source: Git branch or tag": _text(r"^ADD .*%GIT%(?!#%COMMIT%)"),
    "source: archive": _has_file(r"\.tar"),
    "source: secret": _has_field("secrets"),
    "ignore file: in the context": _has_file(r"^\.dockerignore$"),
    "ignore file: beside the Dockerfile": _has_file(r"Dockerfile\.dockerignore$"),
    "ignore file: of a named context": lambda tree: any(
        ".dockerignore" in files for files in tree.contexts.values()
    ),
    "ignore file: exception": _ignore(r"^!"),
    "ignore file: *": _ignore(r"(?<!\*)\*(?!\*)"),
    "ignore file: **": _ignore(r"\*\*"),
    "ignore file: ?": _ignore(r"\?"),
    "ignore file: class": _ignore(r"\["),
    "ignore file: comment": _ignore(r"^\s*#"),
    "ignore file: leading slash": _ignore(r"^/"),
    "ignore file: trailing slash": _ignore(r"/\r?$"),
    "ignore file: escape": _ignore(r"\\[^r]"),
    "ignore file: path with dots": _ignore(r"^\.{1,2}/|/\.\./"),
    "ignore file: Windows lines": _ignore(r"\r"),
    "ignore file: byte order mark": _ignore("\ufeff"),
    "ignore file: empty": lambda tree: any(
        name.endswith(".dockerignore") and not content for name, content in tree.files.items()
    ),
    "link": lambda tree: any(_special(each).link is not None for each in tree.files.values()),
    "mode": lambda tree: any(_special(each).mode != 0o644 for each in tree.files.values()),
}


def _special(content: object) -> Special:
    return content if isinstance(content, Special) else Special()


def coverage(trees: Sequence[Tree]) -> dict[str, int]:
    """For each feature, how many trees use it."""
    return {name: sum(map(test, trees)) for name, test in FEATURES.items()}
