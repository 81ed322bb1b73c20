"""`BuildCommand` → the arguments of `docker buildx build`; the only file that spells a flag.

https://docs.docker.com/reference/cli/docker/buildx/build/
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class BuildCommand:
    """Everything that one build is told, in terms of buildx.

    Paths are relative to the directory in which buildx runs. `outputs`, `cache_from`, `cache_to`,
    `policies`, `attestations` and `secrets` are rendered attributes; `inherited_build_args` are
    names of build arguments whose values buildx finds in its environment; `build_contexts` are
    pairs of a name and what it stands for. Without `platforms` it is the builder's own. With
    `call`, nothing is built, but that is asked. Pairs keep their order, so equal commands have
    equal arguments.
    """

    context: str
    dockerfile: str
    metadata_file: str
    platforms: tuple[str, ...]
    outputs: tuple[str, ...]
    builder: str | None = None
    target_stage: str | None = None
    build_args: tuple[tuple[str, str], ...] = ()
    inherited_build_args: tuple[str, ...] = ()
    build_contexts: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()
    network: str | None = None
    extra_hosts: tuple[tuple[str, str], ...] = ()
    shm_size: str | None = None
    ulimits: tuple[tuple[str, str], ...] = ()
    entitlements: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    attestations: tuple[str, ...] = ()
    no_cache: bool = False
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    call: str | None = None
    resources: tuple[tuple[str, str], ...] = ()


def render_arguments(command: BuildCommand, *, progress: str = "rawjson") -> tuple[str, ...]:
    """The arguments that follow `docker`.

    Provenance is off unless asked for, because it changes the digest of the image with every build.
    """
    arguments = ["buildx", "build", f"--progress={progress}"]
    if not any(each.startswith("type=provenance") for each in command.attestations):
        arguments.append("--provenance=false")
    arguments += _repeated("--attest", command.attestations)
    arguments += _optional("--call", command.call)
    arguments += _optional("--builder", command.builder)
    arguments += ["--file", command.dockerfile]
    arguments += ["--metadata-file", command.metadata_file]
    arguments += _optional("--platform", ",".join(command.platforms) or None)
    arguments += _optional("--target", command.target_stage)
    arguments += _pairs("--build-arg", command.build_args)
    arguments += _repeated("--build-arg", command.inherited_build_args)
    arguments += _pairs("--build-context", command.build_contexts)
    arguments += _pairs("--label", command.labels)
    arguments += _pairs("--annotation", command.annotations)
    arguments += _repeated("--secret", command.secrets)
    arguments += _repeated("--ssh", command.ssh)
    arguments += _optional("--network", command.network)
    arguments += _pairs("--add-host", command.extra_hosts)
    arguments += _optional("--shm-size", command.shm_size)
    arguments += _pairs("--ulimit", command.ulimits)
    arguments += _pairs("--resource", command.resources)
    arguments += _repeated("--allow", command.entitlements)
    arguments += _repeated("--policy", command.policies)
    arguments += ["--no-cache"] if command.no_cache else []
    arguments += _repeated("--cache-from", command.cache_from)
    arguments += _repeated("--cache-to", command.cache_to)
    arguments += _repeated("--output", command.outputs)
    return (*arguments, command.context)


def _optional(flag: str, value: str | None) -> list[str]:
    return [] if value is None else [flag, value]


def _repeated(flag: str, values: Iterable[str]) -> list[str]:
    return [word for value in values for word in (flag, value)]


def _pairs(flag: str, pairs: Iterable[tuple[str, str]]) -> list[str]:
    return _repeated(flag, (f"{key}={value}" for key, value in pairs))
