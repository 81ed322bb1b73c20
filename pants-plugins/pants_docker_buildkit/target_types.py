"""The targets, assembled from their fields."""

from __future__ import annotations

from pants.core.goals.run import RestartableField
from pants.engine.target import COMMON_TARGET_FIELDS, Target, TargetGenerator
from pants.util.strutil import help_text

from pants_docker_buildkit.fields import (
    dockerfile,
    image_tests,
    input_files,
    manifests,
    references,
    running,
    stages,
)
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet

_IMAGE_FIELDS = (
    *BuildKitImageFieldSet.fields.values(),
    # What single goals alone read.
    running.BuildKitImageExtraRunArgsField,
    RestartableField,
    dockerfile.SkipDockerfileChecksField,
)


class BuildKitImageTarget(Target):
    alias = "docker_buildkit_image"
    core_fields = (*COMMON_TARGET_FIELDS, *_IMAGE_FIELDS)
    help = help_text(
        """
        A container image that BuildKit builds from a Dockerfile, but only if something that the
        build can see has changed.

        A build sees its dependencies, packaged if necessary, its Dockerfile, and the digests of its
        base images. `package` builds the image and writes an image record with its digest;
        dependents get a reference that is pinned to this digest. An image of which Pants has a
        record, locally or in a remote cache, is not built, as long as its registry still has it.
        `publish` moves the image's tags to the digest, and `run` runs a container of it.

        To build on another image, set an `ARG` to the address of its target and use it in `FROM`,
        or name the target in `build_contexts`.

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
        stages.BuildKitImagesStagesField,
        stages.BuildKitImagesOverridesField,
    )
    copied_fields = COMMON_TARGET_FIELDS
    moved_fields = tuple(
        field for field in _IMAGE_FIELDS if field is not dockerfile.BuildKitImageTargetStageField
    )
    help = help_text(
        """
        Several images from one Dockerfile: a `docker_buildkit_image` for each stage in `stages`.

        All fields of `docker_buildkit_image` except `target_stage` apply to each of them, and
        `overrides` changes them for some. Steps that the images share are run once if they use the
        same builder.

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
        references.BuildKitImageRefsSourcesField,
        references.BuildKitImageRefsImagesField,
        references.BuildKitImageRefsFormatField,
        references.BuildKitImageRefsOutputPathField,
    )
    help = help_text(
        """
        A generated file with the pinned references of images, for tests, scripts and deployments.

        Any target can depend on it: tests, `shell_command`, `adhoc_tool`, archives, the context of
        another image. The file changes only when the digest of an image changes. `package` writes
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
        manifests.BuildKitManifestsSourcesField,
        manifests.BuildKitManifestsDependenciesField,
        manifests.BuildKitManifestsOutputPathField,
    )
    help = help_text(
        """
        Kubernetes manifests, Helm values files, and other YAML that names images by the addresses
        of their targets.

        `package` replaces the addresses with pinned references and writes the files to `dist/`;
        comments and formatting are kept. `run` prints them as one stream, for `kubectl apply
        --filename=-`. The images are inferred as dependencies.

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
        image_tests.ImageTestImageField,
        image_tests.ImageTestSourceField,
        image_tests.ImageTestStageField,
        image_tests.ImageTestReproducibleField,
        image_tests.ImageTestTimeoutField,
        image_tests.SkipImageTestField,
    )
    help = help_text(
        """
        Tests of a container image, which run inside BuildKit on each platform of the image.

        `test` builds the image if necessary and tests it on its builder, without an engine. An
        unchanged image is not tested again on any machine that shares a cache.

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
    core_fields = (*COMMON_TARGET_FIELDS, input_files.ImageInputSourceField)
    help = help_text(
        """
        A file that BuildKit reads although no BUILD file declares it: an ignore file, or a policy
        beside a Dockerfile.

        These targets are generated, and inferred as dependencies of images, so that
        `--changed-since`, `dependents` and `filedeps` know about these files.
        """
    )
