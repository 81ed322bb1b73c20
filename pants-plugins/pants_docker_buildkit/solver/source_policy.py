"""What may BuildKit read from outside? Exactly what is in the definition.

BuildKit takes a source policy with each build, and asks it for every image, Git repository, URL,
OCI layout, frontend and local directory, whoever names them: the Dockerfile, a frontend or a
trigger of a base image. Of the rules that match, the last decides; a conversion starts again with
what it gave (https://github.com/moby/buildkit/blob/master/sourcepolicy/engine.go).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pants_docker_buildkit.oci.mirrors import ImageMirrors
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.solver.definition import (
    GIT_SCHEME,
    IMAGE_SCHEME,
    BuildDefinition,
    ContextKind,
    PinnedSource,
)

MAIN_CONTEXT = "local://context"
"""What BuildKit calls the build context."""

# What an old frontend asks for, even where there is one beside the Dockerfile.
_IGNORE_FILE = ".dockerignore"


def render_source_policy(
    definition: BuildDefinition, mirrors: ImageMirrors | None = None, *, git_by_name: bool = False
) -> bytes:
    """The policy of a build, as buildx reads it: protobuf's message `Policy` in JSON.

    Images are read where `mirrors` say, by the digests that they have in the definition. With
    `git_by_name`, the builder looks up those of `named_in_git`, and fails where they are not the
    commits of the definition. A BuildKit that compares no commits would read others.
    """
    sources = definition.sources
    if mirrors is not None:
        sources = tuple(mirrored_source(each, mirrors) for each in sources)
    by_name = named_in_git(definition) if git_by_name else frozenset()
    rules = [
        {"action": "DENY", "selector": {"identifier": "*"}},
        {"action": "ALLOW", "selector": {"identifier": "local://*"}},
        *_context_rules(definition.context_paths),
        *(rule for source in sources for rule in _source_rules(source, by_name)),
        *_layout_rules(definition),
    ]
    return json.dumps({"version": 1, "rules": rules}, indent=1).encode()


def _context_rules(paths: tuple[str, ...] | None) -> Iterator[dict[str, Any]]:
    """Of the main context, BuildKit may ask for these paths only, in any number.

    They are in an attribute, as JSON that Go writes. Without one, it asks for all. Until BuildKit
    0.26, two rules of one selector have the constraints of the first.
    """
    if paths is None:
        return
    known = "|".join(f'"{re.escape(path)}"' for path in (*paths, _IGNORE_FILE))
    asked = {
        "key": "local.followpaths",
        "value": rf"^\[({known})(,({known}))*\]$",
        "condition": "MATCHES",
    }
    yield {"action": "DENY", "selector": {"identifier": MAIN_CONTEXT, "match_type": "EXACT"}}
    selector = {"identifier": f"^{MAIN_CONTEXT}$", "match_type": "REGEX", "constraints": [asked]}
    yield {"action": "ALLOW", "selector": selector}


def mirrored_source(source: PinnedSource, mirrors: ImageMirrors) -> PinnedSource:
    """The source as it is read."""
    if not source.pinned.startswith(IMAGE_SCHEME):
        return source
    reference = mirrors.of(ImageReference.parse(source.pinned[len(IMAGE_SCHEME) :]))
    return replace(source, pinned=f"{IMAGE_SCHEME}{reference}")


def named_in_git(definition: BuildDefinition) -> frozenset[PinnedSource]:
    """The branches and tags of Git that can be read by their names, as nobody pinned them.

    BuildKit fetches a branch or tag alone, and a commit with all that went before it and all tags.
    Of two pins of one name, it would convert one into the other without end.
    """
    pins = Counter(each.identifier for each in definition.sources)
    return frozenset(
        each
        for each in definition.sources
        if each.identifier.startswith(GIT_SCHEME)
        and each.identifier != each.pinned
        and pins[each.identifier] == 1
    )


def _as_read(source: PinnedSource, *, by_name: bool) -> tuple[str, dict[str, str]]:
    """The identifier of what BuildKit reads, and the attributes with which it does."""
    if not source.identifier.startswith(GIT_SCHEME):
        return source.pinned, {"http.checksum": source.checksum} if source.checksum else {}
    if by_name:
        return source.identifier, {"git.checksum": source.commit}
    if source.checksum:
        return source.pinned, {"git.checksum": source.checksum}
    # Without what went before it. BuildKit before 0.30 knows no such attribute.
    return source.pinned, {"git.fetchbycommit": "true"}


def _source_rules(
    source: PinnedSource, by_name: frozenset[PinnedSource]
) -> Iterator[dict[str, Any]]:
    identifier, attributes = _as_read(source, by_name=source in by_name)
    if attributes or source.identifier != identifier:
        # Until BuildKit 0.31, a conversion whose selector is EXACT converts nothing.
        selector = {"identifier": f"^{re.escape(source.identifier)}$", "match_type": "REGEX"}
        updates = {"identifier": identifier.replace("$", "$$"), "attrs": attributes}
        yield {"action": "CONVERT", "selector": selector, "updates": updates}
    constraints = [
        {"key": key, "value": value, "condition": "EQUAL"} for key, value in attributes.items()
    ]
    exactly = {"identifier": identifier, "match_type": "EXACT", "constraints": constraints}
    yield {"action": "ALLOW", "selector": exactly}


def _layout_rules(definition: BuildDefinition) -> Iterator[dict[str, Any]]:
    """BuildKit knows a layout by a name that buildx makes up, and by its digest."""
    for context in definition.named_contexts:
        if context.kind is ContextKind.LAYOUT:
            yield {"action": "ALLOW", "selector": {"identifier": f"oci-layout://*@{context.value}"}}
