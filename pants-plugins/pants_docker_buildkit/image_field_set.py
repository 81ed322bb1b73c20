"""The fields of an image target that rules need, as one value."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from pants.core.goals.package import PackageFieldSet
from pants.engine.addresses import Address
from pants.engine.target import Field, StringField, StringSequenceField, Target

from pants_docker_buildkit.compat import EnvironmentField
from pants_docker_buildkit.errors import InvalidImageFieldError, InvalidOptionError
from pants_docker_buildkit.fields import (
    artifacts,
    attestations,
    build_context,
    cache,
    dockerfile,
    inputs,
    layers,
    naming,
)

LOCAL_ENVIRONMENT = "__local__"


def has_build(target: Target) -> bool:
    """Whether BuildKit builds a target: an image, or files in place of one."""
    return target.has_field(dockerfile.BuildKitImageSourceField)


def is_image(target: Target) -> bool:
    """Whether a target is an image, which others build on but do not copy."""
    return has_build(target) and artifacts_field(target) is None


def artifacts_field(target: Target) -> StringSequenceField | StringField | None:
    """The field by which an image target leaves files in place of an image; `None` without one."""
    return _artifacts_field(
        target.get(artifacts.BuildKitImageOutputFilesField),
        target.get(artifacts.BuildKitImageOutputDirectoriesField),
        target.get(naming.BuildKitImageOutputField),
    )


def _artifacts_field(
    files: artifacts.BuildKitImageOutputFilesField,
    directories: artifacts.BuildKitImageOutputDirectoriesField,
    output: naming.BuildKitImageOutputField,
) -> StringSequenceField | StringField | None:
    if files.value:
        return files
    if directories.value:
        return directories
    return output if output.value == naming.ImageOutput.TAR.value else None


@dataclass(frozen=True)
class BuildKitImageFieldSet(PackageFieldSet):
    """A `docker_buildkit_image` target.

    With `is_upstream`, as what another image is built on, which cannot be in the local engine only.
    With `image_only`, without what is said of the image, in `dist/` and in registries.
    """

    required_fields = (dockerfile.BuildKitImageSourceField,)

    source: dockerfile.BuildKitImageSourceField
    instructions: dockerfile.BuildKitImageInstructionsField
    target_stage: dockerfile.BuildKitImageTargetStageField
    dependencies: build_context.BuildKitImageDependenciesField
    context_root: build_context.BuildKitImageContextRootField
    context: build_context.BuildKitImageContextField
    context_inputs: build_context.BuildKitImageContextInputsField
    build_contexts: build_context.BuildKitImageBuildContextsField
    external_sources: inputs.BuildKitImageExternalSourcesField
    resolve: inputs.BuildKitImageResolveField
    platforms: inputs.BuildKitImagePlatformsField
    build_platform: inputs.BuildKitImageBuildPlatformField
    build_args: inputs.BuildKitImageBuildArgsField
    labels: inputs.BuildKitImageLabelsField
    annotations: inputs.BuildKitImageAnnotationsField
    secrets: inputs.BuildKitImageSecretsField
    hashed_secrets: inputs.BuildKitImageHashedSecretsField
    ssh: inputs.BuildKitImageSshField
    network: inputs.BuildKitImageBuildNetworkField
    extra_hosts: inputs.BuildKitImageExtraHostsField
    shm_size: inputs.BuildKitImageShmSizeField
    ulimits: inputs.BuildKitImageUlimitsField
    entitlements: inputs.BuildKitImageEntitlementsField
    no_cache: inputs.BuildKitImageNoCacheField
    inline_cache: cache.BuildKitImageInlineCacheField
    reproducible: cache.BuildKitImageReproducibleField
    cache_from: cache.BuildKitImageCacheFromField
    cache_to: cache.BuildKitImageCacheToField
    builder: cache.BuildKitImageBuilderField
    build_timeout: cache.BuildKitImageBuildTimeoutField
    resources: cache.BuildKitImageResourcesField
    registries: naming.BuildKitImageRegistriesField
    repository: naming.BuildKitImageRepositoryField
    image_tags: naming.BuildKitImageTagsField
    skip_push: naming.BuildKitImageSkipPushField
    output: naming.BuildKitImageOutputField
    compression: layers.BuildKitImageCompressionField
    compression_level: layers.BuildKitImageCompressionLevelField
    force_compression: layers.BuildKitImageForceCompressionField
    attest: attestations.BuildKitImageAttestField
    output_path: naming.BuildKitImageOutputPathField
    output_files: artifacts.BuildKitImageOutputFilesField
    output_directories: artifacts.BuildKitImageOutputDirectoriesField
    outputs_match_mode: artifacts.BuildKitImageOutputsMatchModeField
    environment: EnvironmentField
    is_upstream: bool = False
    image_only: bool = False

    def __hash__(self) -> int:
        # Pants asks for it with each call of a rule. Of all fields it takes thirty times as long.
        return hash(self.address)

    @property
    def to_build(self) -> BuildKitImageFieldSet:
        """The same for who builds it: an image is built once, whatever is to be said of it."""
        return replace(self, image_only=False) if self.image_only else self

    @property
    def artifacts_field(self) -> StringSequenceField | StringField | None:
        """As the function of this name, for a target."""
        return _artifacts_field(self.output_files, self.output_directories, self.output)

    @property
    def platforms_field(self) -> StringSequenceField:
        """The field that names the platforms, where one does: there are two that may."""
        return self.build_platform if self.build_platform.value else self.platforms

    def error(
        self, field: Field, requirement: str, finding: str, next_step: str = ""
    ) -> InvalidImageFieldError:
        """What to raise where a field may not have its value. `requirement` completes "must …"."""
        return InvalidImageFieldError(field.alias, self.address, requirement, finding, next_step)

    def context_directory(self, default: str) -> str:
        """The directory of the build context, from the build root, which a field may lead out of.

        Raises `InvalidOptionError` where the option does.
        """
        if self.context_root.value is not None:
            return path_from_buildroot(self.context_root.value, self.address)
        path = path_from_buildroot(default, self.address)
        if path.startswith("/") or path.split("/")[0] == "..":
            requirement = "name a directory by its path from the build root, and one below it"
            raise InvalidOptionError("default_context_root", requirement, f"it is {default!r}")
        return path


def path_from_buildroot(path: str, address: Address) -> str:
    """A path as BUILD files write it: from the build root, or with `./` from the BUILD file.

    `.` alone is the build root, as for `docker_image`.
    """
    if path.startswith("./"):
        path = os.path.join(address.spec_path, path)
    return "" if os.path.normpath(path) == "." else os.path.normpath(path)
