"""All trees, by what they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.conformance.images.tree import Tree
from tests.conformance.images.trees import (
    adding,
    configuring,
    copying,
    forcing,
    guessing,
    ignoring,
    running,
    sourcing,
    staging,
    wording,
)

TREES_BY_SUBJECT: Mapping[str, Sequence[Tree]] = {
    "COPY": copying.TREES,
    "ADD": adding.TREES,
    "RUN": running.TREES,
    "config": configuring.TREES,
    "stages": staging.TREES,
    "text": wording.TREES,
    "ignore files": ignoring.TREES,
    "sources": sourcing.TREES,
    "images of targets": sourcing.TARGETS,
    "Dockerfiles in BUILD files": sourcing.INLINE,
    "sources that move": sourcing.MOVING,
    "triggers": sourcing.TRIGGERS,
    "what Pants forces": forcing.TREES,
    "frontends": guessing.FRONTENDS,
    "what few would think of": guessing.TREES,
    "images on images that trigger": guessing.TARGETS,
    "what BuildKit refuses": guessing.REFUSED,
}
TREES = tuple(tree for trees in TREES_BY_SUBJECT.values() for tree in trees)

SLICE = frozenset(
    (
        *("copy-chown", "add-chmod-heredoc", "run-heredoc", "run-set-times", "run-time-as-seen"),
        *("run-special-files", "run-links", "mount-secret-missing", "label", "env-patterns"),
        *("annotations-of-index", "from-pinned-copy", "stage-called-as-an-image"),
        *("stage-called-as-a-base", "platforms-with-stages", "platform-of-builder"),
        "platform-through-stages",
        *("build-platform-variables", "argument-part-of-from", "windows-lines"),
        *("dockerfile-below", "ignore-exception-below", "ignore-byte-order-mark-comment"),
        *("ignore-beside-another-name", "context-as-base", "context-git", "url-with-checksum"),
        *("git-twice", "image-base", "image-copy", "inline", "inline-heredoc", "trigger-run"),
        *("trigger-copy-from-stage", "forced-special-bits", "forced-empty-directory"),
        *("forced-ignored", "url", "git-branch", "trigger-argument", "frontend"),
        *("names-with-dashes", "sandbox-host-name", "trigger-of-target", "refused-stage-later"),
        *("frontend-that-is-a-named-context", "context-called-context"),
    )
)
"""The names of some trees of each subject, for a test that has to be quick."""
