"""The targets, assembled from their fields."""

from __future__ import annotations

from pants.core.goals.run import RestartableField
from pants.engine.target import COMMON_TARGET_FIELDS, Target, TargetGenerator
from pants.util.strutil import help_text

from pants_docker_buildkit.compat import EnvironmentField
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
from pants_docker_buildkit.fields.checks import SkipDockerfileChecksField
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
from pants_docker_buildkit.fields.image_tests import (
    ImageTestImageField,
    ImageTestReproducibleField,
    ImageTestSourceField,
    ImageTestStageField,
    ImageTestTimeoutField,
    SkipImageTestField,
)
from pants_docker_buildkit.fields.input_files import ImageInputSourceField
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
from pants_docker_buildkit.fields.manifests import (
    BuildKitManifestsDependenciesField,
    BuildKitManifestsOutputPathField,
    BuildKitManifestsSourcesField,
)
from pants_docker_buildkit.fields.naming import (
    BuildKitImageOutputField,
    BuildKitImageOutputPathField,
    BuildKitImageRegistriesField,
    BuildKitImageRepositoryField,
    BuildKitImageSkipPushField,
    BuildKitImageTagsField,
)
from pants_docker_buildkit.fields.references import (
    BuildKitImageRefsFormatField,
    BuildKitImageRefsImagesField,
    BuildKitImageRefsOutputPathField,
    BuildKitImageRefsSourcesField,
)
from pants_docker_buildkit.fields.remote_context import BuildKitImageContextField
from pants_docker_buildkit.fields.running import BuildKitImageExtraRunArgsField
from pants_docker_buildkit.fields.stages import (
    BuildKitImagesOverridesField,
    BuildKitImagesStagesField,
)

_IMAGE_FIELDS = (
    BuildKitImageSourceField,
    BuildKitImageInstructionsField,
    BuildKitImageTargetStageField,
    BuildKitImageDependenciesField,
    BuildKitImageContextRootField,
    BuildKitImageContextField,
    BuildKitImageContextInputsField,
    BuildKitImageBuildContextsField,
    BuildKitImageExternalSourcesField,
    BuildKitImageResolveField,
    BuildKitImagePlatformsField,
    BuildKitImageBuildPlatformField,
    BuildKitImageBuildArgsField,
    BuildKitImageLabelsField,
    BuildKitImageAnnotationsField,
    BuildKitImageSecretsField,
    BuildKitImageHashedSecretsField,
    BuildKitImageSshField,
    BuildKitImageBuildNetworkField,
    BuildKitImageExtraHostsField,
    BuildKitImageShmSizeField,
    BuildKitImageUlimitsField,
    BuildKitImageEntitlementsField,
    BuildKitImageNoCacheField,
    BuildKitImageInlineCacheField,
    BuildKitImageReproducibleField,
    BuildKitImageCacheFromField,
    BuildKitImageCacheToField,
    BuildKitImageBuilderField,
    BuildKitImageBuildTimeoutField,
    BuildKitImageResourcesField,
    BuildKitImageRegistriesField,
    BuildKitImageRepositoryField,
    BuildKitImageTagsField,
    BuildKitImageSkipPushField,
    SkipDockerfileChecksField,
    BuildKitImageOutputField,
    BuildKitImageCompressionField,
    BuildKitImageCompressionLevelField,
    BuildKitImageForceCompressionField,
    BuildKitImageAttestField,
    BuildKitImageOutputPathField,
    BuildKitImageOutputFilesField,
    BuildKitImageOutputDirectoriesField,
    BuildKitImageOutputsMatchModeField,
    BuildKitImageExtraRunArgsField,
    RestartableField,
    EnvironmentField,
)


class BuildKitImageTarget(Target):
    alias = "docker_buildkit_image"
    core_fields = (*COMMON_TARGET_FIELDS, *_IMAGE_FIELDS)
    help = help_text(
        """
        A container image that BuildKit builds from a Dockerfile, and only when something that the
        build sees has changed.

        What the build sees is its dependencies, packaged if need be, its Dockerfile, and the
        digests of its base images. `package` builds it and writes an image record with its digest;
        dependents get a reference that is pinned to that digest. An image that Pants has a record
        of, locally or in the remote cache, is not built, if its registry still has it. `publish`
        moves the image's tags to the digest, and `run` runs a container of it.

        Images can be built on images: give an `ARG` the address of another image target and use it
        in `FROM`, or name it in `build_contexts`.

        Example:

        ```

        docker_buildkit_image(
            name="image",
            dependencies=[":server"],
            platforms=["linux/amd64", "linux/arm64"],
            image_tags=["latest"],
        )

        ```
        """
    )


class BuildKitImagesTarget(TargetGenerator):
    alias = "docker_buildkit_images"
    generated_target_cls = BuildKitImageTarget
    core_fields = (
        *COMMON_TARGET_FIELDS,
        BuildKitImagesStagesField,
        BuildKitImagesOverridesField,
    )
    copied_fields = COMMON_TARGET_FIELDS
    moved_fields = tuple(
        field for field in _IMAGE_FIELDS if field is not BuildKitImageTargetStageField
    )
    help = help_text(
        """
        Several images of one Dockerfile: a `docker_buildkit_image` for each stage that `stages`
        names.

        All fields of `docker_buildkit_image` but `target_stage` go to each of them, and `overrides`
        gives some of them other values. What their stages share is built once, as far as they have
        a builder and its cache in common.

        Example:

        ```

        docker_buildkit_images(
            name="image",
            stages=["test", "release"],
            overrides={"test": {"skip_push": True}},
        )

        ```

        The images are `:image#test` and `:image#release`.
        """
    )


class BuildKitImageRefsTarget(Target):
    alias = "docker_buildkit_image_refs"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        BuildKitImageRefsSourcesField,
        BuildKitImageRefsImagesField,
        BuildKitImageRefsFormatField,
        BuildKitImageRefsOutputPathField,
    )
    help = help_text(
        """
        A generated file with the pinned references of images, for tests, scripts and deployments.

        Any target can depend on it: tests, `shell_command`, `adhoc_tool`, archives, the context of
        another image. It changes when the digest of an image does, and only then. `package` writes
        it to `dist/`.

        Example:

        ```

        docker_buildkit_image_refs(
            name="refs",
            images={"APP": ":image"},
            format="env",
        )

        ```
        """
    )


class BuildKitManifestsTarget(Target):
    alias = "docker_buildkit_manifests"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        BuildKitManifestsSourcesField,
        BuildKitManifestsDependenciesField,
        BuildKitManifestsOutputPathField,
    )
    help = help_text(
        """
        Kubernetes manifests, values files of Helm, and other YAML that names images by the
        addresses of their targets.

        `package` writes the files to `dist/` with pinned references in place of the addresses;
        comments and formatting stay. `run` prints them as one stream, for
        `kubectl apply --filename=-`. The images are inferred as dependencies.

        Example:

        ```

        docker_buildkit_manifests(
            name="manifests",
            sources=["k8s/*.yaml"],
        )

        ```
        """
    )


class BuildKitImageTestTarget(Target):
    alias = "docker_buildkit_test"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        ImageTestImageField,
        ImageTestSourceField,
        ImageTestStageField,
        ImageTestReproducibleField,
        ImageTestTimeoutField,
        SkipImageTestField,
    )
    help = help_text(
        """
        Tests of a container image, which run inside of BuildKit on each platform of the image.

        `test` builds the image if need be and tests it where its builder is, without an engine. An
        image that has not changed is not tested again, on any machine that shares a cache.

        Example:

        ```

        docker_buildkit_test(
            name="test",
            image=":image",
            source="structure.yaml",
        )

        ```
        """
    )


class ImageInputTarget(Target):
    alias = "_docker_buildkit_input"
    core_fields = (*COMMON_TARGET_FIELDS, ImageInputSourceField)
    help = help_text(
        """
        A file that BuildKit reads and no BUILD file declares: an ignore file, or a policy beside a
        Dockerfile.

        Such targets are there by themselves, and images depend on them by inference, so that
        `--changed-since`, `dependents` and `filedeps` know of these files.
        """
    )
