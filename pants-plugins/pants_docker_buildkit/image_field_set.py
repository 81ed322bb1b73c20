"""The fields of an image target that rules need, as one value."""

from __future__ import annotations

import os
from dataclasses import dataclass

from pants.core.goals.package import PackageFieldSet
from pants.engine.addresses import Address
from pants.engine.target import Field, StringField, StringSequenceField, Target

from pants_docker_buildkit.compat import EnvironmentField
from pants_docker_buildkit.errors import InvalidImageFieldError
from pants_docker_buildkit.fields.artifacts import (
    BuildKitImageOutputDirectoriesField,
    BuildKitImageOutputFilesField,
    BuildKitImageOutputsMatchModeField,
)
from pants_docker_buildkit.fields.attestations import BuildKitImageAttestField
from pants_docker_buildkit.fields.cache import (
    BuildKitImageBuilderField,
    BuildKitImageBuildTimeoutField,
    BuildKitImageCacheFromField,
    BuildKitImageCacheToField,
    BuildKitImageInlineCacheField,
    BuildKitImageReproducibleField,
    BuildKitImageResourcesField,
)
from pants_docker_buildkit.fields.compression import (
    BuildKitImageCompressionField,
    BuildKitImageCompressionLevelField,
    BuildKitImageForceCompressionField,
)
from pants_docker_buildkit.fields.context import (
    BuildKitImageBuildContextsField,
    BuildKitImageContextInputsField,
    BuildKitImageContextRootField,
    BuildKitImageDependenciesField,
)
from pants_docker_buildkit.fields.dockerfile import (
    BuildKitImageInstructionsField,
    BuildKitImageSourceField,
    BuildKitImageTargetStageField,
)
from pants_docker_buildkit.fields.inputs import (
    BuildKitImageAnnotationsField,
    BuildKitImageBuildArgsField,
    BuildKitImageBuildNetworkField,
    BuildKitImageBuildPlatformField,
    BuildKitImageEntitlementsField,
    BuildKitImageExternalSourcesField,
    BuildKitImageExtraHostsField,
    BuildKitImageHashedSecretsField,
    BuildKitImageLabelsField,
    BuildKitImageNoCacheField,
    BuildKitImagePlatformsField,
    BuildKitImageResolveField,
    BuildKitImageSecretsField,
    BuildKitImageShmSizeField,
    BuildKitImageSshField,
    BuildKitImageUlimitsField,
)
from pants_docker_buildkit.fields.naming import (
    BuildKitImageOutputField,
    BuildKitImageOutputPathField,
    BuildKitImageRegistriesField,
    BuildKitImageRepositoryField,
    BuildKitImageSkipPushField,
    BuildKitImageTagsField,
    ImageOutput,
)
from pants_docker_buildkit.fields.remote_context import BuildKitImageContextField

LOCAL_ENVIRONMENT = "__local__"


def artifacts_field(target: Target) -> StringSequenceField | StringField | None:
    """The field by which an image target leaves files in place of an image; `None` without one."""
    return _artifacts_field(
        target.get(BuildKitImageOutputFilesField),
        target.get(BuildKitImageOutputDirectoriesField),
        target.get(BuildKitImageOutputField),
    )


def _artifacts_field(
    files: BuildKitImageOutputFilesField,
    directories: BuildKitImageOutputDirectoriesField,
    output: BuildKitImageOutputField,
) -> StringSequenceField | StringField | None:
    if files.value:
        return files
    if directories.value:
        return directories
    return output if output.value == ImageOutput.TAR.value else None


@dataclass(frozen=True)
class BuildKitImageFieldSet(PackageFieldSet):
    """A `docker_buildkit_image` target.

    With `is_upstream`, as what another image is built on, which cannot be in the local engine only.
    """

    required_fields = (BuildKitImageSourceField,)

    source: BuildKitImageSourceField
    instructions: BuildKitImageInstructionsField
    target_stage: BuildKitImageTargetStageField
    dependencies: BuildKitImageDependenciesField
    context_root: BuildKitImageContextRootField
    context: BuildKitImageContextField
    context_inputs: BuildKitImageContextInputsField
    build_contexts: BuildKitImageBuildContextsField
    external_sources: BuildKitImageExternalSourcesField
    resolve: BuildKitImageResolveField
    platforms: BuildKitImagePlatformsField
    build_platform: BuildKitImageBuildPlatformField
    build_args: BuildKitImageBuildArgsField
    labels: BuildKitImageLabelsField
    annotations: BuildKitImageAnnotationsField
    secrets: BuildKitImageSecretsField
    hashed_secrets: BuildKitImageHashedSecretsField
    ssh: BuildKitImageSshField
    network: BuildKitImageBuildNetworkField
    extra_hosts: BuildKitImageExtraHostsField
    shm_size: BuildKitImageShmSizeField
    ulimits: BuildKitImageUlimitsField
    entitlements: BuildKitImageEntitlementsField
    no_cache: BuildKitImageNoCacheField
    inline_cache: BuildKitImageInlineCacheField
    reproducible: BuildKitImageReproducibleField
    cache_from: BuildKitImageCacheFromField
    cache_to: BuildKitImageCacheToField
    builder: BuildKitImageBuilderField
    build_timeout: BuildKitImageBuildTimeoutField
    resources: BuildKitImageResourcesField
    registries: BuildKitImageRegistriesField
    repository: BuildKitImageRepositoryField
    image_tags: BuildKitImageTagsField
    skip_push: BuildKitImageSkipPushField
    output: BuildKitImageOutputField
    compression: BuildKitImageCompressionField
    compression_level: BuildKitImageCompressionLevelField
    force_compression: BuildKitImageForceCompressionField
    attest: BuildKitImageAttestField
    output_path: BuildKitImageOutputPathField
    output_files: BuildKitImageOutputFilesField
    output_directories: BuildKitImageOutputDirectoriesField
    outputs_match_mode: BuildKitImageOutputsMatchModeField
    environment: EnvironmentField
    is_upstream: bool = False

    def __hash__(self) -> int:
        # Pants asks for it with each call of a rule. Of all fields it takes thirty times as long.
        return hash(self.address)

    @property
    def artifacts_field(self) -> StringSequenceField | StringField | None:
        """As the function of this name, for a target."""
        return _artifacts_field(self.output_files, self.output_directories, self.output)

    def error(
        self, field: Field, requirement: str, finding: str, next_step: str = ""
    ) -> InvalidImageFieldError:
        """What to raise where a field may not have its value. `requirement` completes "must …"."""
        return InvalidImageFieldError(field.alias, self.address, requirement, finding, next_step)

    def context_directory(self, default: str) -> str:
        """The directory of the build context, from the build root, which it may lead out of."""
        root = self.context_root.value
        return path_from_buildroot(default if root is None else root, self.address)


def path_from_buildroot(path: str, address: Address) -> str:
    """A path as BUILD files write it: from the build root, or with `./` from the BUILD file.

    `.` alone is the build root, as for `docker_image`.
    """
    if path.startswith("./"):
        path = os.path.join(address.spec_path, path)
    return "" if os.path.normpath(path) == "." else os.path.normpath(path)
