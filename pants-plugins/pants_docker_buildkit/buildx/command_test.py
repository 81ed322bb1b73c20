"""See also the arguments of whole commands in `tests/golden/buildx`."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from pants_docker_buildkit.buildx.command import BuildCommand, render_arguments

SMALLEST = BuildCommand(
    context="context",
    dockerfile="dockerfile/Dockerfile",
    metadata_file="metadata.json",
    platforms=("linux/amd64",),
    outputs=("type=image",),
)

EXAMPLES: dict[str, Any] = {
    "context": "elsewhere",
    "dockerfile": "other.dockerfile",
    "metadata_file": "other.json",
    "platforms": ("linux/arm64",),
    "outputs": ("type=oci",),
    "builder": "far",
    "target_stage": "release",
    "build_args": (("A", "1"),),
    "inherited_build_args": ("HTTP_PROXY",),
    "build_contexts": (("base", "docker-image://a"),),
    "labels": (("a", "b"),),
    "annotations": (("a", "b"),),
    "policies": ("filename=a.rego",),
    "attestations": ("type=sbom",),
    "secrets": ("id=token,src=/token",),
    "ssh": ("default",),
    "network": "none",
    "extra_hosts": (("db", "10.0.0.1"),),
    "shm_size": "128m",
    "ulimits": (("nofile", "1024"),),
    "entitlements": ("network.host",),
    "no_cache": True,
    "cache_from": ("type=gha",),
    "cache_to": ("type=inline",),
    "call": "lint",
    "resources": (("memory", "2g"),),
}


@pytest.mark.parametrize("name", [field.name for field in fields(BuildCommand)])
def test_every_part_of_a_command_reaches_buildx(name: str) -> None:
    changed = replace(SMALLEST, **{name: EXAMPLES[name]})
    assert render_arguments(changed) != render_arguments(SMALLEST)


def test_provenance_is_off_because_it_changes_every_digest() -> None:
    assert "--provenance=false" in render_arguments(SMALLEST)
    asked = replace(SMALLEST, attestations=("type=provenance,mode=max",))
    assert "--provenance=false" not in render_arguments(asked)


def test_context_comes_last() -> None:
    assert render_arguments(SMALLEST)[-1] == "context"


def test_platforms_are_built_by_one_solve() -> None:
    arguments = render_arguments(replace(SMALLEST, platforms=("linux/amd64", "linux/arm64")))
    assert arguments.count("--platform") == 1
    assert "linux/amd64,linux/arm64" in arguments


def test_pairs_keep_their_order() -> None:
    arguments = render_arguments(replace(SMALLEST, labels=(("b", "1"), ("a", "2"))))
    assert [word for word in arguments if word in ("b=1", "a=2")] == ["b=1", "a=2"]


def test_values_are_words_of_their_own_and_never_reach_a_shell() -> None:
    arguments = render_arguments(replace(SMALLEST, build_args=(("A", "$(rm -rf) ; 'x'"),)))
    assert "A=$(rm -rf) ; 'x'" in arguments


def test_what_is_called_in_place_of_a_build_is_said() -> None:
    arguments = render_arguments(replace(SMALLEST, call="lint,format=json"))
    assert arguments[arguments.index("--call") + 1] == "lint,format=json"
    assert "--call" not in render_arguments(SMALLEST)
