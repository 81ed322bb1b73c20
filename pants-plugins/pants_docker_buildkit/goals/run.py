"""`pants run`: a container of an image, by its digest. Also what an `adhoc_tool` runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from pants.core.goals.run import RestartableField, RunFieldSet, RunInSandboxBehavior, RunRequest
from pants.engine.addresses import Addresses
from pants.engine.fs import EMPTY_DIGEST, AddPrefix
from pants.engine.platform import Platform

from pants_docker_buildkit.buildx.environment import WITH_SECRETS
from pants_docker_buildkit.compat import add_prefix, implicitly, resolve_address_targets, rule
from pants_docker_buildkit.fields.dockerfile import BuildKitImageSourceField
from pants_docker_buildkit.fields.naming import ImageOutput
from pants_docker_buildkit.fields.running import BuildKitImageExtraRunArgsField
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.credentials import AUTH_CONFIG_VARIABLE
from pants_docker_buildkit.registry.secret_source import InvalidSecretSourceError, SecretSource
from pants_docker_buildkit.session.directory import (
    CACHE_LINK,
    CACHE_NAME,
    PROCESS_PATH,
    TOOL_SCRIPT,
)
from pants_docker_buildkit.signatures.cosign import PASSWORD_VARIABLE
from pants_docker_buildkit.solver.container import ContainerJob
from pants_docker_buildkit.solver.main import RUN_COMMAND
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem, SignaturesSubsystem
from pants_docker_buildkit.util_rules.build import BuildImageRequest, BuiltImage, build_image
from pants_docker_buildkit.util_rules.build_platform import own_platform
from pants_docker_buildkit.util_rules.build_secrets import secret_sources
from pants_docker_buildkit.util_rules.registries import (
    ConfiguredRegistries,
    read_configured_registries,
)
from pants_docker_buildkit.util_rules.signatures import SignatureCheckRequest, check_signature
from pants_docker_buildkit.util_rules.signing_settings import signing_sources

_LAYOUT = ".docker-buildkit-layout"


@dataclass(frozen=True)
class BuildKitImageRunFieldSet(RunFieldSet):
    """A `docker_buildkit_image` target that can be run."""

    required_fields = (BuildKitImageSourceField,)
    # All that belongs to this machine is out of band, as for builds.
    run_in_sandbox_behavior = RunInSandboxBehavior.RUN_REQUEST_HERMETIC

    extra_run_args: BuildKitImageExtraRunArgsField
    restartable: RestartableField


def _platform_options(image: BuiltImage, host: str) -> tuple[str, ...]:
    """Docker takes the host's platform where the image has it, and must be told any other."""
    platforms = [str(each.platform) for each in image.record.result.platforms]
    return () if host in platforms else (f"--platform={platforms[0]}",)


def _container_job(
    image: BuiltImage, options: Sequence[str], hidden: Sequence[str]
) -> ContainerJob:
    is_pushed = image.output is ImageOutput.REGISTRY
    return ContainerJob(
        image=image.record.references[0] if is_pushed else image.record.image_digest,
        options=tuple(options),
        layout=None if image.layout is None else f"{{chroot}}/{_LAYOUT}",
        hidden=tuple(hidden),
        platforms=tuple(str(each.platform) for each in image.record.result.platforms),
    )


def _variables_with_secrets(
    field_set: BuildKitImageFieldSet,
    subsystem: DockerBuildKitSubsystem,
    signatures: SignaturesSubsystem,
    registries: ConfiguredRegistries,
) -> list[str]:
    """What Pants shall not write into the script that it keeps of a sandbox.

    `run` gives all of the user's environment to the process, which asks the session for these.
    """
    accounts = (each.account for each in registries.all if each.account is not None)
    sources = [source for account in accounts for source in account.sources]
    sources += [source for _, source in secret_sources(field_set)]
    sources += signing_sources(signatures)
    with suppress(InvalidSecretSourceError):
        sources.append(SecretSource.parse(subsystem.secret_hash_key or ""))
    names = {source.variable for source in sources if source.variable is not None}
    names.update(each.partition("=")[0] for each in subsystem.env_vars)
    return sorted(names.union(WITH_SECRETS, [AUTH_CONFIG_VARIABLE, PASSWORD_VARIABLE]))


@rule(desc="Prepare container")
async def prepare_container(
    field_set: BuildKitImageRunFieldSet,
    subsystem: DockerBuildKitSubsystem,
    signatures: SignaturesSubsystem,
    host: Platform,
) -> RunRequest:
    (target,) = await resolve_address_targets(**implicitly(Addresses((field_set.address,))))
    package = BuildKitImageFieldSet.create(target)
    image = await build_image(BuildImageRequest(package), **implicitly())
    if signatures.require_signed and image.output is ImageOutput.REGISTRY:
        pinned = tuple(map(ImageReference.parse, image.record.references))
        who = f"The image {field_set.address}, which is to be run,"
        await check_signature(SignatureCheckRequest(who, pinned, is_needed=True), **implicitly())
    options = (*subsystem.run_args, *(field_set.extra_run_args.value or ()))
    options = (*_platform_options(image, str(own_platform(host))), *options)
    registries = await read_configured_registries(**implicitly())
    hidden = _variables_with_secrets(package, subsystem, signatures, registries)
    job = _container_job(image, options, hidden)
    digest = EMPTY_DIGEST
    if image.layout is not None:
        digest = await add_prefix(AddPrefix(image.layout, _LAYOUT))
    return RunRequest(
        digest=digest,
        args=("/bin/sh", "-c", TOOL_SCRIPT, RUN_COMMAND, RUN_COMMAND, job.to_json()),
        extra_env={**dict.fromkeys(hidden, ""), "PATH": PROCESS_PATH},
        append_only_caches={CACHE_NAME: CACHE_LINK},
    )
