"""Which secrets may a build use, and what of them counts for its key?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3
from pants.base.build_environment import get_buildroot
from pants.engine.internals.session import SessionValues

from pants_docker_buildkit.compat import implicitly, uncacheable_rule
from pants_docker_buildkit.errors import InvalidOptionError
from pants_docker_buildkit.fields.inputs import BuildKitImageSecretsField
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet, path_from_buildroot
from pants_docker_buildkit.registry.secret_source import (
    InvalidSecretSourceError,
    SecretKind,
    SecretSource,
    SecretUnavailableError,
)
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.credentials import source_environment
from pants_docker_buildkit.util_rules.docker_environment import resolve_docker_environment

_KEY_OPTION = "secret_hash_key"
_KEY_CONTEXT = "pants-docker-buildkit 2026-11-21 content of build secrets"


@dataclass(frozen=True)
class SecretHashes:
    """The IDs of secrets whose content counts, sorted, each with a keyed hash of it in hex."""

    hashes: tuple[tuple[str, str], ...] = ()


def secret_sources(field_set: BuildKitImageFieldSet) -> tuple[tuple[str, SecretSource], ...]:
    """The secrets of a target, by ID."""
    field = field_set.secrets
    return tuple(
        (name, _source(field, field_set, name, text))
        for name, text in sorted((field.value or {}).items())
    )


def _source(
    field: BuildKitImageSecretsField, field_set: BuildKitImageFieldSet, name: str, text: str
) -> SecretSource:
    kind, separator, _ = text.partition("=")
    if separator and kind in {each.value for each in SecretKind}:
        try:
            source = SecretSource.parse(text)
        except InvalidSecretSourceError as e:
            raise field_set.error(field, f"{e.requirement}, or a path", f"{name!r} is not") from e
    else:
        source = SecretSource(SecretKind.FILE, text)
    if source.kind is SecretKind.FILE and not source.value.startswith(("~", "/")):
        # `../` is from the BUILD file, as for `docker_image`.
        path = f"./{source.value}" if source.value.startswith("../") else source.value
        source = SecretSource(SecretKind.FILE, path_from_buildroot(path, field_set.address))
    return source.below(Path(get_buildroot()))


def _counting(field_set: BuildKitImageFieldSet) -> tuple[tuple[str, SecretSource], ...]:
    wanted = set(field_set.hashed_secrets.value or ())
    secrets = secret_sources(field_set)
    unknown = sorted(wanted - {name for name, _ in secrets})
    if unknown:
        raise field_set.error(
            field_set.hashed_secrets,
            f"name secrets of the field `{field_set.secrets.alias}`",
            f"it has no {unknown[0]!r}",
        )
    return tuple(each for each in secrets if each[0] in wanted)


def _key_source(
    field_set: BuildKitImageFieldSet, subsystem: DockerBuildKitSubsystem
) -> SecretSource:
    text = subsystem.secret_hash_key
    why = f"{field_set.address} has `{field_set.hashed_secrets.alias}`"
    requirement = f"{InvalidSecretSourceError.requirement}, because {why}"
    if text is None:
        raise InvalidOptionError(_KEY_OPTION, requirement, "it is not set")
    try:
        return SecretSource.parse(text).below(Path(get_buildroot()))
    except InvalidSecretSourceError as e:
        finding = "it is something else, which is not shown here because it may be the key"
        raise InvalidOptionError(_KEY_OPTION, requirement, finding) from e


def _read_key(source: SecretSource, environment: Mapping[str, str]) -> bytes:
    try:
        value = source.read(environment)
    except SecretUnavailableError as e:
        raise InvalidOptionError(_KEY_OPTION, "give a value", f"of `{source}`, {e.finding}") from e
    if not value:
        raise InvalidOptionError(_KEY_OPTION, "give a value", f"`{source}` gives none")
    return blake3(value, derive_key_context=_KEY_CONTEXT).digest()


def hash_secret(name: str, value: bytes, key: bytes) -> str:
    """The hash of a secret with this ID. Who does not have the 32 bytes `key` learns nothing."""
    encoded = name.encode()
    return blake3(len(encoded).to_bytes(8, "big") + encoded + value, key=key).hexdigest()


@uncacheable_rule(desc="Hash content of secrets")
async def hash_secrets(
    field_set: BuildKitImageFieldSet,
    subsystem: DockerBuildKitSubsystem,
    session_values: SessionValues,
) -> SecretHashes:
    """What counts of the secrets of a target that has `hashed_secrets`."""
    # In each session, because Pants notices no change of a command or of a file elsewhere.
    counting = _counting(field_set)
    docker = await resolve_docker_environment(**implicitly())
    environment = source_environment(session_values, docker)
    key = _read_key(_key_source(field_set, subsystem), environment)
    hashes = []
    for name, source in counting:
        try:
            hashes.append((name, hash_secret(name, source.read(environment), key)))
        except SecretUnavailableError as e:
            raise field_set.error(
                field_set.secrets,
                f"give the secret {name!r}, whose content counts",
                f"of `{source}`, {e.finding}",
            ) from e
    return SecretHashes(tuple(hashes))
