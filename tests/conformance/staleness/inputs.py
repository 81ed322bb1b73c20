"""The kinds of input that a build can read, each with a change of it.

`%RUN%` is another text in each run: what another run left in the builder's cache answers nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.conformance.images.tree import Expected, Files, Forced, Special, Tree
from tests.conformance.images.trees.forcing import changed, file
from tests.conformance.images.trees.writing import BASE, SCRATCH, program, tree

FILES: Files = {"a": "a", "b": "b", "d/c": "c"}
COPY_A, COPY_ALL = (SCRATCH, "COPY a /"), (SCRATCH, "COPY . /x/")
MOVED = "MOVED_ARGUMENT", "MOVED_SECRET", "MOVED_HASHED_SECRET", "MOVED_UNUSED"
"""Variables that have another value in the second run."""


@dataclass(frozen=True)
class Input:
    """One input of one image, before and after a change.

    Where only something outside of the tree moves, both trees are the same. `git_sees` says whether
    a file of the repository changed that the image reads. `exception` is why the product builds
    although the result is the same, or does not although it is another: the closed list of these.
    With `may_build_more` nobody knows beforehand whether it builds although the result is the same.
    """

    before: Tree
    after: Tree
    git_sees: bool = True
    exception: str = ""
    may_build_more: bool = False

    @property
    def name(self) -> str:
        """The kind of input."""
        return self.before.name


def _files(
    name: str,
    lines: Sequence[str],
    changed: Files,
    before: Files = FILES,
    exception: str = "",
) -> Input:
    """A change of files; those that become `GONE` are not there any more."""
    made = tree(name, *lines, files=before)
    after = {path: content for path, content in {**before, **changed}.items() if content != GONE}
    return Input(made, replace(made, files=after), exception=exception)


GONE = Special("gone")


def _forced(each: Input, *expected: Expected) -> Input:
    """The same, where Pants makes something else of the tree after the change."""
    return replace(each, after=replace(each.after, forced=expected))


def _fields(
    name: str, lines: Sequence[str], before: dict[str, Any], after: dict[str, Any]
) -> Input:
    """A change of fields in the BUILD file."""
    made = tree(name, *lines, files=FILES, **before)
    return Input(made, replace(made, fields=after))


def _lines(name: str, before: Sequence[str], after: Sequence[str], exception: str = "") -> Input:
    """A change of the Dockerfile."""
    made = tree(name, *before, files=FILES)
    return Input(made, replace(made, dockerfile="\n".join(after) + "\n"), exception=exception)


def _world(name: str, *lines: str, exception: str = "", **fields: Any) -> Input:
    """A change of something that is no file of the repository."""
    made = tree(name, *lines, files=FILES, **fields)
    return Input(made, made, git_sees=False, exception=exception)


FILE_INPUTS = (
    _files("content", COPY_A, {"a": "another"}),
    _files("content-of-one-size", COPY_A, {"a": "A"}),
    _files("mode", COPY_ALL, {"a": program("a")}),
    replace(
        _files(
            "mode-that-pants-drops",
            *(COPY_ALL, {"a": Special("a", mode=0o600)}),
            exception="Pants gives files the mode 0644 or 0755",
        ),
        git_sees=False,
    ),
    _forced(
        _files("link", COPY_ALL, {"l": Special(link="b")}, {**FILES, "l": Special(link="a")}),
        changed(Forced.FOLLOWED_LINK, "l", "link to b", file("b")),
    ),
    _forced(
        _files("content-behind-a-link", COPY_ALL, {"a": "A"}, {**FILES, "l": Special(link="a")}),
        changed(Forced.FOLLOWED_LINK, "l", "link to a", file("A")),
    ),
    _files("new-file", COPY_ALL, {"new": "new"}),
    _files("file-that-is-gone", COPY_ALL, {"b": GONE}),
    _files("renamed-file", COPY_ALL, {"b": GONE, "c": "b"}),
    _files("mounted-file", (BASE, "RUN --mount=target=/m cat /m/a > /x"), {"a": "another"}),
    _files("file-that-nothing-copies", COPY_A, {"b": "another"}),
    _files("file-of-a-stage-before", (f"{SCRATCH} AS x", *COPY_A, "COPY --from=x / /"), {"b": "B"}),
    _files("file-of-another-stage", (f"{SCRATCH} AS x", "COPY b /", *COPY_A), {"b": "B"}),
    _files("file-of-a-wildcard", (SCRATCH, "COPY d/* /x/"), {"d/c": "C"}),
    _files("new-file-of-a-wildcard", (SCRATCH, "COPY [ab]* /x/"), {"bc": "new"}),
    _files(
        "file-of-a-class-that-has-a-slash",
        *((SCRATCH, "COPY d[^x]e/f /x/"), {"d/e/f": "F"}, {**FILES, "d/e/f": "f"}),
    ),
    _files("file-beside-a-wildcard", (SCRATCH, "COPY d/* /x/"), {"b": "B"}),
    _files("file-of-a-variable", (SCRATCH, "ARG A=b", "COPY $A /x"), {"b": "B"}),
    _files("file-beside-a-variable", (SCRATCH, "ARG A=b", "COPY $A /x"), {"a": "A"}),
    _files(
        "file-beside-a-variable-of-a-base",
        *((BASE, "COPY ${OF_BASE:-b} /x"), {"a": "A"}),
        exception="which file is copied depends on a base: everything counts",
    ),
    _files(
        "file-left-out-of-a-copy",
        *((SCRATCH, "COPY --exclude=c d /x/"), {"d/c": "C"}),
        exception="what --exclude leaves out is sent to the builder, and counts",
    ),
    _files(
        "file-of-a-mounted-directory",
        *((BASE, "RUN --mount=source=d,target=/m cp -r /m /x"), {"d/c": "C"}),
    ),
    _files(
        "file-beside-a-mounted-directory",
        *((BASE, "RUN --mount=source=d,target=/m cp -r /m /x"), {"b": "B"}),
    ),
    _files("file-of-an-added-directory", (SCRATCH, "ADD d /x/"), {"d/c": "C"}),
    _files("file-beside-a-document", (SCRATCH, "COPY <<E /x", "text", "E"), {"b": "B"}),
    _files(
        "ignored-file",
        *(COPY_ALL, {"b": "another"}, {**FILES, ".dockerignore": "b\n.dockerignore\n"}),
    ),
    _files(
        "ignore-file",
        *(COPY_ALL, {".dockerignore": "b\n.dockerignore\n"}),
        {**FILES, ".dockerignore": ".dockerignore\n"},
    ),
    _files(
        "comment-in-ignore-file",
        *(COPY_ALL, {".dockerignore": "# b\n.dockerignore\n"}),
        {**FILES, ".dockerignore": ".dockerignore\n"},
    ),
    _files("new-ignore-file", COPY_ALL, {".dockerignore": "b\n.dockerignore\n"}),
    _files(
        "ignore-file-beside-dockerfile",
        *(COPY_ALL, {"Dockerfile.dockerignore": "b\n*.dockerignore\n"}),
        {**FILES, "Dockerfile.dockerignore": "*.dockerignore\n"},
    ),
)

_NAMED = tree(
    "named-context", SCRATCH, "COPY --from=more . /x/", contexts={"more": {"a": "a", "b": "b"}}
)
_NAMED_IGNORE = replace(_NAMED, name="ignore-file-of-named-context")
_UNUSED = replace(_NAMED, name="named-context-not-used", dockerfile=f"{SCRATCH}\nLABEL a=b\n")

CONTEXT_INPUTS = (
    Input(_NAMED, replace(_NAMED, contexts={"more": {"a": "a", "b": "another"}})),
    Input(
        _NAMED_IGNORE,
        replace(
            _NAMED_IGNORE, contexts={"more": {"a": "a", "b": "b", ".dockerignore": "b\n.d*\n"}}
        ),
    ),
    Input(_UNUSED, replace(_UNUSED, contexts={"more": {"a": "a", "b": "another"}}), git_sees=False),
)

_ON = tree("base-target", BASE, "COPY a /", files=FILES)
_CHILD = replace(tree("child-of-target", "FROM base", "LABEL a=b"), on={"base": _ON.name})
_SAME = tree("base-target-of-one-digest", BASE, "RUN echo %RUN% > /x", files=FILES)
_CHILD_OF_SAME = replace(
    tree("child-of-one-digest", "FROM base", "LABEL a=b"), on={"base": _SAME.name}
)
TEXT_COUNTS = "the text of a Dockerfile counts, comments too"

TARGET_INPUTS = (
    Input(_ON, replace(_ON, files={**FILES, "a": "another"})),
    Input(_CHILD, _CHILD),
    Input(_SAME, replace(_SAME, dockerfile=f"# text\n{_SAME.dockerfile}"), exception=TEXT_COUNTS),
    Input(_CHILD_OF_SAME, _CHILD_OF_SAME),
)

DEFINITION_INPUTS = (
    _lines("dockerfile", COPY_A, (*COPY_A, "CMD a")),
    _lines("comment-in-dockerfile", COPY_A, ("# text", *COPY_A), TEXT_COUNTS),
    _fields(
        "stage",
        (f"{SCRATCH} AS one", "COPY a /", "FROM one", "COPY b /"),
        {},
        {"target_stage": "one"},
    ),
    _fields("platform", (SCRATCH, "COPY a /"), {}, {"platforms": ["linux/arm64"]}),
    _fields("label", COPY_A, {"image_labels": {"a": "1"}}, {"image_labels": {"a": "2"}}),
    _fields("annotation", COPY_A, {}, {"image_annotations": {"a": "2"}}),
    _fields(
        "argument",
        *((*COPY_A, "ARG A", "LABEL a=$A"), {"extra_build_args": ["A=1"]}),
        {"extra_build_args": ["A=2"]},
    ),
    _fields(
        "host",
        *((BASE, "RUN grep db /etc/hosts > /x"), {"extra_build_hosts": {"db": "10.0.0.1"}}),
        {"extra_build_hosts": {"db": "10.0.0.2"}},
    ),
    _fields("network", (BASE, "RUN ls /sys/class/net > /x"), {}, {"build_network": "none"}),
    _fields("tags", COPY_A, {}, {"image_tags": ["latest", "new"]}),
)

_DENIED = tree("policy-that-comes-to-deny", "FROM %POLICED%", "COPY a /", files=FILES)

WORLD_INPUTS = (
    _world("nothing", *COPY_A),
    _world("base-tag", "FROM %MOVING_TAG%", "COPY a /"),
    _world("base-tag-of-unused-stage", "FROM %MOVING_TAG% AS one", *COPY_A),
    _world("copied-tag", SCRATCH, "COPY --from=%MOVING_TAG% /moved /x"),
    _world("mounted-tag", BASE, "RUN --mount=from=%MOVING_TAG%,target=/m cat /m/moved > /x"),
    _world("pinned-base", "FROM %PINNED%", "COPY a /"),
    _world("trigger", "FROM %MOVING_TRIGGER%", "COPY a /"),
    _world("image-of-a-trigger", "FROM %TRIGGER_OF_MOVING_TAG%", "COPY a /"),
    _world("frontend", "# syntax=%MOVING_FRONTEND%", *COPY_A),
    Input(_DENIED, replace(_DENIED, refused=True), git_sees=False),
    # What only a frontend asks for: the Dockerfile names something else.
    _world(
        "external-image",
        *("# syntax=%ASKING_FRONTEND%", "ARG IMAGE=scratch", "FROM $IMAGE AS one"),
        *(SCRATCH, "COPY --from=one /moved /x"),
        external_sources=["docker-image://%MOVING_TAG%"],
    ),
    _world(
        "external-url",
        *("# syntax=%ASKING_FRONTEND%", SCRATCH, "ARG WEB=a", "ADD $WEB /x"),
        external_sources=["%MOVING_HTTP%/moving"],
    ),
    _world(
        "external-git-branch",
        *("# syntax=%ASKING_FRONTEND%", SCRATCH, "ARG GIT=a", "ADD $GIT /x"),
        external_sources=["%MOVING_GIT%#main"],
    ),
    _world("url", SCRATCH, "ADD %MOVING_HTTP%/moving /x"),
    _world("url-beside", SCRATCH, "ADD %MOVING_HTTP%/still /x"),
    _world("git-branch", SCRATCH, "ADD %MOVING_GIT%#main /x"),
    _world("git-tag", SCRATCH, "ADD %MOVING_GIT%#v1 /x"),
    _world(
        "environment-argument",
        *(*COPY_A, "ARG MOVED_ARGUMENT", "LABEL a=$MOVED_ARGUMENT"),
        extra_build_args=["MOVED_ARGUMENT"],
    ),
    _world("environment-not-used", *COPY_A, "ARG MOVED_UNUSED=a", "LABEL a=$MOVED_UNUSED"),
    _world(
        "hashed-secret",
        *(BASE, "RUN --mount=type=secret,id=s cp /run/secrets/s /hashed-%RUN%"),
        secrets={"s": "env=MOVED_HASHED_SECRET"},
        hashed_secrets=["s"],
    ),
    _world(
        "secret",
        *(BASE, "RUN --mount=type=secret,id=s cp /run/secrets/s /plain-%RUN%"),
        secrets={"s": "env=MOVED_SECRET"},
        exception="a secret counts only where `hashed_secrets` names it",
    ),
)


def _told_apart(each: Input) -> Input:
    """The same with a label of its own: what one tree becomes, another one may have been."""
    trees = (
        replace(
            tree,
            fields={
                **tree.fields,
                "image_labels": {"tree": tree.name, **tree.fields.get("image_labels", {})},
            },
        )
        for tree in (each.before, each.after)
    )
    before, after = trees
    return replace(each, before=before, after=after)


INPUTS = tuple(
    map(
        _told_apart,
        (*FILE_INPUTS, *CONTEXT_INPUTS, *TARGET_INPUTS, *DEFINITION_INPUTS, *WORLD_INPUTS),
    )
)

SLICE = frozenset(
    (
        *("content-of-one-size", "mode", "link", "ignore-file", "ignore-file-of-named-context"),
        *(
            "file-that-nothing-copies",
            "file-of-a-wildcard",
            "base-target-of-one-digest",
            "child-of-one-digest",
        ),
        *("base-tag", "trigger", "frontend", "url", "git-branch", "hashed-secret"),
        *("policy-that-comes-to-deny",),
    )
)
"""The names of some inputs of each kind, for a test that has to be quick."""
