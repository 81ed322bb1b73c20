"""What the rules let through, by BuildKit's `sourcepolicy` engine, re-told here in a few lines.

`tests/integration/closed_world_test.py` asks BuildKit itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from pants_docker_buildkit.oci.mirrors import ImageMirrors
from pants_docker_buildkit.solver.definition import (
    BuildDefinition,
    ContextKind,
    NamedContext,
    PinnedSource,
)
from pants_docker_buildkit.solver.source_policy import render_source_policy

SHA, OTHER_SHA = "sha256:" + "a" * 64, "sha256:" + "b" * 64
COMMIT = "c" * 40
NODE = "docker-image://docker.io/library/node"
URL = "https://example.com/a.b?x=$y&z=*"
REPOSITORY = "git://example.com/a.git"
DEFINITION = replace(
    BuildDefinition("d" * 64, "blake3:" + "c" * 64, ("linux/amd64",), "registry"),
    sources=(
        PinnedSource.image("docker.io/library/node:20", f"docker.io/library/node:20@{SHA}"),
        PinnedSource(f"{NODE}@{OTHER_SHA}", f"{NODE}@{OTHER_SHA}"),
        PinnedSource(URL, URL, SHA),
        PinnedSource(f"{REPOSITORY}#main:docs", f"{REPOSITORY}#{COMMIT}:docs"),
        PinnedSource(f"{REPOSITORY}#v1", f"{REPOSITORY}#v1", COMMIT),
    ),
    named_contexts=(NamedContext("base", ContextKind.LAYOUT, SHA, "layouts/base"),),
)


class DeniedError(Exception):
    """The policy lets a source not through."""


NOTHING: Mapping[str, str] = MappingProxyType({})
SHALLOW = {"git.fetchbycommit": "true"}


def read(
    identifier: str,
    attributes: Mapping[str, str] = NOTHING,
    *,
    git_by_name: bool = False,
    more: tuple[PinnedSource, ...] = (),
) -> tuple[str, dict[str, str]]:
    """What BuildKit reads where a build asks for a source. Raises `DeniedError`."""
    definition = replace(DEFINITION, sources=(*DEFINITION.sources, *more))
    rules = json.loads(render_source_policy(definition, git_by_name=git_by_name))["rules"]
    for _ in range(3):
        verdict = apply(rules, identifier, dict(attributes))
        if isinstance(verdict, bool):
            if verdict:
                return identifier, dict(attributes)
            raise DeniedError(identifier)
        identifier, attributes = verdict
    raise AssertionError("the policy converts without end")


def apply(
    rules: list[dict[str, Any]], identifier: str, attributes: dict[str, str]
) -> bool | tuple[str, dict[str, str]]:
    is_allowed = True
    for rule in rules:
        if not matches(rule["selector"], identifier, attributes):
            continue
        if rule["action"] != "CONVERT":
            is_allowed = rule["action"] == "ALLOW"
            continue
        destination = rule["updates"]["identifier"].replace("$$", "$")
        changed = {**attributes, **rule["updates"]["attrs"]}
        if (destination, changed) != (identifier, attributes):
            return destination, changed
    return is_allowed


def matches(selector: dict[str, Any], identifier: str, attributes: dict[str, str]) -> bool:
    for constraint in selector.get("constraints", ()):
        value = attributes.get(constraint["key"], "")
        if constraint["condition"] == "MATCHES":
            if not re.search(constraint["value"], value):
                return False
        elif value != constraint["value"]:
            return False
    wanted, how = selector["identifier"], selector.get("match_type", "WILDCARD")
    if how == "REGEX":
        return re.search(wanted, identifier) is not None
    if how == "WILDCARD":
        pattern = ".*".join(map(re.escape, wanted.split("*")))
        return re.fullmatch(pattern, identifier) is not None
    return bool(wanted == identifier)


@pytest.mark.parametrize(
    ("identifier", "read_instead"),
    [
        pytest.param(f"{NODE}:20", f"{NODE}:20@{SHA}", id="tag"),
        pytest.param(f"{NODE}:20@{SHA}", f"{NODE}:20@{SHA}", id="tag-once-resolved"),
        pytest.param(f"{NODE}@{OTHER_SHA}", f"{NODE}@{OTHER_SHA}", id="digest"),
        pytest.param("local://context", "local://context", id="context"),
        pytest.param(f"oci-layout://any/x@{SHA}", f"oci-layout://any/x@{SHA}", id="layout"),
    ],
)
def test_what_is_in_the_definition_is_read_as_it_says(identifier: str, read_instead: str) -> None:
    assert read(identifier) == (read_instead, {})


BRANCH = f"{REPOSITORY}#main:docs"
OTHER = "e" * 40


def test_a_branch_is_read_by_its_name_if_the_builder_compares_what_it_is() -> None:
    assert read(BRANCH) == (f"{REPOSITORY}#{COMMIT}:docs", SHALLOW)
    by_name = (BRANCH, {"git.checksum": COMMIT})
    assert read(BRANCH, git_by_name=True) == by_name
    with pytest.raises(DeniedError):
        read(f"{REPOSITORY}#{COMMIT}:docs", git_by_name=True)


@pytest.mark.parametrize("git_by_name", [False, True])
@pytest.mark.parametrize(
    "second",
    [
        # The same in SSH and HTTPS, asked before and after it moved; and a checksum of the user's.
        PinnedSource(BRANCH, f"{REPOSITORY}#{OTHER}:docs"),
        PinnedSource(BRANCH, BRANCH, COMMIT[:7]),
    ],
)
def test_two_pins_of_one_branch_are_not_converted_without_end(
    *, git_by_name: bool, second: PinnedSource
) -> None:
    found, _ = read(BRANCH, git_by_name=git_by_name, more=(second,))
    assert found == f"{REPOSITORY}#{COMMIT}:docs"


@pytest.mark.parametrize("git_by_name", [False, True])
def test_a_commit_is_read_without_what_went_before_it(*, git_by_name: bool) -> None:
    name = f"{REPOSITORY}#{OTHER}"
    commit = PinnedSource(name, name)
    assert read(name, git_by_name=git_by_name, more=(commit,)) == (name, SHALLOW)


@pytest.mark.parametrize(
    ("identifier", "checksum"),
    [
        pytest.param(URL, {"http.checksum": SHA}, id="url"),
        pytest.param(f"{REPOSITORY}#v1", {"git.checksum": COMMIT}, id="git"),
    ],
)
def test_a_checksum_is_asked_for_whether_or_not_the_dockerfile_asks(
    identifier: str, checksum: dict[str, str]
) -> None:
    assert read(identifier) == (identifier, checksum)
    assert read(identifier, checksum) == (identifier, checksum)


@pytest.mark.parametrize(
    "identifier",
    [
        pytest.param(f"{NODE}:latest", id="other-tag"),
        pytest.param(f"{NODE}:20@{OTHER_SHA}", id="other-digest"),
        pytest.param(f"{NODE}:200", id="longer-tag"),
        pytest.param(f"x{NODE}:20", id="longer-name"),
        pytest.param("docker-image://evil.example/library/node:20", id="other-registry"),
        pytest.param("docker-image://docker.io/docker/dockerfile:1", id="frontend"),
        pytest.param("https://example.com/a.b", id="other-url"),
        pytest.param(f"{REPOSITORY}#main", id="other-directory"),
        pytest.param(f"{REPOSITORY}#{COMMIT}", id="whole-commit"),
        pytest.param(f"oci-layout://any/x@{OTHER_SHA}", id="other-layout"),
        pytest.param("new-kind://anything", id="kind-of-a-later-buildkit"),
    ],
)
def test_what_is_not_in_the_definition_is_denied(identifier: str) -> None:
    with pytest.raises(DeniedError):
        read(identifier)


def test_nothing_but_files_is_allowed_where_nothing_is_read_from_outside() -> None:
    bare = replace(DEFINITION, sources=(), named_contexts=())
    rules = json.loads(render_source_policy(bare))["rules"]
    assert [(each["action"], each["selector"]["identifier"]) for each in rules] == [
        ("DENY", "*"),
        ("ALLOW", "local://*"),
    ]


@pytest.mark.parametrize(
    ("asked", "is_allowed"),
    [
        (["a.b"], True),
        (["a.b", "d/*"], True),
        ([".dockerignore"], True),
        (["a.b", "c"], False),
        (["axb"], False),
        (["d"], False),
        (["d/*", "."], False),
        ([], False),
        (None, False),
    ],
)
def test_of_the_main_context_known_paths_may_be_asked_for(
    asked: list[str] | None, is_allowed: bool
) -> None:
    known = replace(DEFINITION, context_paths=("a.b", "d/*"))
    rules = json.loads(render_source_policy(known))["rules"]
    written = "" if asked is None else json.dumps(asked, separators=(",", ":"))
    attributes = {} if asked is None else {"local.followpaths": written}
    assert apply(rules, "local://context", attributes) is is_allowed
    assert apply(rules, "local://named", attributes) is True
    kinds = [(each["selector"]["identifier"], each["selector"].get("match_type")) for each in rules]
    assert len(kinds) == len(set(kinds)), "BuildKit before 0.26 mixes up their constraints"


def test_an_image_is_read_at_its_mirror_by_the_same_digest() -> None:
    mirrors = ImageMirrors((("docker.io", "mirror.example/hub"),))
    policy = json.loads(render_source_policy(DEFINITION, mirrors))
    text = json.dumps([rule for rule in policy["rules"] if rule["action"] == "CONVERT"])
    assert "docker-image://mirror.example/hub/" in text
    assert "@sha256:" in text
    allowed = [
        rule["selector"]["identifier"] for rule in policy["rules"] if rule["action"] == "ALLOW"
    ]
    assert not [each for each in allowed if each.startswith("docker-image://docker.io/")]
    assert [each for each in allowed if each.startswith("docker-image://mirror.example/hub/")]
