from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from pants_docker_buildkit.digests.build_digest import build_digest
from pants_docker_buildkit.solver.definition import (
    BuildDefinition,
    BuildJob,
    ContextKind,
    NamedContext,
    PinnedSource,
    parse_job,
)

SMALLEST = BuildDefinition(
    dockerfile="d" * 64, context="blake3:" + "c" * 64, platforms=("linux/amd64",), output="oci"
)
EXAMPLES: dict[str, Any] = {
    "dockerfile": "e" * 64,
    "context": "blake3:" + "f" * 64,
    "context_paths": ("a", "d/*"),
    "platforms": ("linux/amd64", "linux/arm64"),
    "build_platforms": (("linux/amd64", "linux/arm64"),),
    "platform_of_base": "linux/arm64",
    "output": "registry",
    "target_stage": "release",
    "named_contexts": (NamedContext("base", ContextKind.IMAGE, "a@sha256:" + "b" * 64),),
    "sources": (
        PinnedSource.image("docker.io/a:1", "docker.io/a:1@sha256:" + "b" * 64),
        PinnedSource("https://example.com/a", "https://example.com/a", "sha256:" + "c" * 64),
    ),
    "policies": (("dockerfile/Dockerfile.rego", "a" * 64),),
    "build_args": (("A", "1"),),
    "labels": (("a", "b"),),
    "annotations": (("a", "b"),),
    "secret_ids": ("token",),
    "secret_hashes": (("token", "0" * 64),),
    "ssh_ids": ("default",),
    "network": "none",
    "extra_hosts": (("db", "10.0.0.1"),),
    "shm_size": "128m",
    "ulimits": (("nofile", "1024"),),
    "entitlements": ("network.host",),
    "no_cache": True,
    "inline_cache": True,
    "reproducible": True,
    "compression": "zstd",
    "compression_level": 3,
    "force_compression": True,
    "attestations": ("type=provenance,mode=max",),
    "output_files": ("bin/app",),
    "output_directories": ("share",),
}
FULL = replace(SMALLEST, **EXAMPLES)


@pytest.mark.parametrize("name", [field.name for field in fields(BuildDefinition)])
def test_every_part_of_a_definition_is_in_its_digest(name: str) -> None:
    changed = replace(SMALLEST, **{name: EXAMPLES[name]})
    assert build_digest(changed.as_map()) != build_digest(SMALLEST.as_map())


@pytest.mark.parametrize("definition", [SMALLEST, FULL], ids=["smallest", "full"])
def test_a_job_is_read_back_as_it_was_written(definition: BuildDefinition) -> None:
    job = BuildJob("blake3:" + "1" * 64, definition, ("localhost:5000/a", "ghcr.io/b"))
    assert parse_job(job.to_json()) == job


def test_equal_jobs_have_equal_bytes_whatever_order_they_were_made_in() -> None:
    members = {each.name: getattr(FULL, each.name) for each in fields(BuildDefinition)}
    other_order = BuildDefinition(**dict(reversed(list(members.items()))))
    assert BuildJob("x", FULL, ()).to_json() == BuildJob("x", other_order, ()).to_json()


def test_a_definition_is_made_of_json_alone() -> None:
    # A tuple is a list after it was written and read, and digests make no difference either.
    plain = json.loads(json.dumps(FULL.as_map()))
    assert build_digest(plain) == build_digest(FULL.as_map())


def test_named_contexts_are_sorted_by_name() -> None:
    later = NamedContext("b", ContextKind.FILES, directory="contexts/b")
    sooner = NamedContext("a", ContextKind.LAYOUT, "sha256:" + "0" * 64, "layouts/a")
    assert sorted([later, sooner]) == [sooner, later]
