"""Where does the result go, and under which registries, repository and tags?"""

from __future__ import annotations

from enum import Enum
from typing import Optional

from pants.core.goals.package import OutputPathField
from pants.engine.addresses import Address
from pants.engine.target import BoolField, StringField, StringSequenceField
from pants.util.strutil import help_text

from pants_docker_buildkit.solver.definition import ARTIFACTS_OUTPUT, TAR_OUTPUT

ALL_DEFAULT_REGISTRIES = "<all default registries>"


def image_name(address: Address) -> str:
    """What an image is called after its target, and after its stage where that makes several."""
    if address.generated_name is None:
        return address.target_name
    return f"{address.target_name}-{address.generated_name}"


class RunOutput(str, Enum):
    """Where all images of a run may go."""

    REGISTRY = "registry"
    OCI = "oci"
    DOCKER = "docker"


class ImageOutput(str, Enum):
    """Where BuildKit puts the image."""

    REGISTRY = "registry"
    OCI = "oci"
    DOCKER = "docker"
    TAR = TAR_OUTPUT
    FILES = ARTIFACTS_OUTPUT
    """No image, but files of a stage: what a target has that names some."""

    @property
    def is_image(self) -> bool:
        """Whether there is an image at all."""
        return self not in (ImageOutput.FILES, ImageOutput.TAR)


class BuildKitImageRegistriesField(StringSequenceField):
    alias = "registries"
    default = (ALL_DEFAULT_REGISTRIES,)
    help = help_text(
        """
        The registries that the image is pushed to: addresses such as `localhost:5000`, or
        `ghcr.io/org` with the beginning of the repository, or aliases such as `@dev` of
        `[docker-buildkit.registries.dev]`.

        Defaults to every configured registry with `default = true`. If the list is empty, or no
        registry is configured, the image is not pushed but kept as an OCI image layout; see
        `output`.
        """
    )


class BuildKitImageRepositoryField(StringField):
    alias = "repository"
    help = help_text(
        """
        The repository of the image in its registries, such as `team/app`.

        Defaults to `[docker-buildkit].default_repository`; a registry may override it. May use
        these placeholders:

        - `{name}`: the target's name, with the stage for one of several images

        - `{stage}`: the value of `target_stage`

        - `{directory}`, `{parent_directory}`, `{full_directory}`: the last part, the part before
        it, and the whole path of the BUILD file's directory

        - `{default_repository}`, `{target_repository}`: the option, and the target's repository

        - `{build_args.NAME}`: the value of a build argument

        - `{tags.STAGE}`: the tag of the image that a stage is based on, which is none of this
        repository

        - `{pants.hash}`: a hash of context, Dockerfile and build arguments.
        """
    )


class BuildKitImageTagsField(StringSequenceField):
    alias = "image_tags"
    default = ("latest",)
    help = help_text(
        """
        The tags that `publish` moves to the image.

        They are not part of the build, so a new tag never causes one. May use the placeholders of
        `repository`, and `{git_sha}` for the checked-out commit; `{git_sha:.12}` gives its first
        twelve digits. A registry can add `extra_image_tags`.
        """
    )


class BuildKitImageSkipPushField(BoolField):
    alias = "skip_push"
    default = False
    help = "Whether `publish` skips this image. `package` pushes it all the same."


class BuildKitImageOutputField(StringField):
    alias = "output"
    valid_choices = ("registry", "oci", "docker", "tar")
    help = help_text(
        """
        Where BuildKit puts the image (`--output`).

        - `registry`: pushed by digest to each of `registries`. The default if the image has a
        registry. Dependents get `registry/repository@sha256:…`.

        - `oci`: an OCI image layout in Pants' cache and in `dist/`. The default if the image has no
        registry. `publish` uploads it to the registries that the image names.

        - `docker`: loaded into the local Docker Engine, which must then be running in every session
        that uses the image.

        - `tar`: no image, but `rootfs.tar` with its root file system and `metadata.json` with its
        `env`, `user`, `workdir`, `entrypoint` and `cmd`, in `dist/` and for dependents. With
        several platforms, the tar has a directory and the JSON an object for each, such as
        `linux_amd64`.
        """
    )


class BuildKitImageOutputPathField(OutputPathField):
    help = help_text(
        """
        Where `package` writes the image record, below `dist/`; `.image.json` is appended.

        Defaults to a path made from the target's address. An OCI image layout is written beside the
        record, with the ending `.oci`.
        """
    )

    def value_or_default(self, *, file_ending: Optional[str]) -> str:
        """The path. Pants would call it after the stage alone, which targets have in common."""
        address = self.address
        if self.value != self.default or address.generated_name is None:
            return super().value_or_default(file_ending=file_ending)
        name = image_name(address)
        own = Address(address.spec_path, target_name=name, parameters=address.parameters)
        return type(self)(None, own).value_or_default(file_ending=file_ending)
