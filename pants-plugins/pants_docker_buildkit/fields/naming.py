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
        The registries that the image is pushed to: addresses such as `ghcr.io` or
        `localhost:5000`, or aliases such as `@dev` of `[docker-buildkit.registries.dev]`.

        Defaults to every configured registry with `default = true`. With an empty list, or where
        none is configured, the image is not pushed, but kept as an OCI image layout; see `output`.
        """
    )


class BuildKitImageRepositoryField(StringField):
    alias = "repository"
    help = help_text(
        """
        The repository of the image in its registries, such as `team/app`.

        Defaults to `[docker-buildkit].default_repository`; a registry may have its own. May use the
        placeholders `{name}`, `{stage}`, `{directory}`, `{parent_directory}`, `{full_directory}`,
        `{default_repository}`, `{target_repository}`, `{build_args.NAME}`, `{tags.STAGE}` and
        `{pants.hash}`.
        """
    )


class BuildKitImageTagsField(StringSequenceField):
    alias = "image_tags"
    default = ("latest",)
    help = help_text(
        """
        The tags that `publish` moves to the image.

        They do not take part in the build: a new tag never causes one. May use the placeholders of
        `repository`, and `{git_sha}` for the commit that is checked out; `{git_sha:.12}` are its
        first twelve digits. Besides them, a registry may add its `extra_image_tags`.
        """
    )


class BuildKitImageSkipPushField(BoolField):
    alias = "skip_push"
    default = False
    help = "Whether `publish` leaves this image out. Does not affect what `package` pushes."


class BuildKitImageOutputField(StringField):
    alias = "output"
    valid_choices = ("registry", "oci", "docker", "tar")
    help = help_text(
        """
        Where BuildKit puts the image (`--output`).

        - `registry`: pushed to each of `registries` under its digest. The default where the image
        has a registry. Dependents get `registry/repository@sha256:…`.

        - `oci`: an OCI image layout in Pants' cache and in `dist/`. The default where the image has
        no registry. Needs no registry at all; `publish` uploads it to those that it has.

        - `docker`: loaded into the local Docker Engine, which then must be running in every
        session that uses the image.
        - `tar`: no image, but its root file system as `rootfs.tar`, and beside it `metadata.json`
        with `env`, `user`, `workdir`, `entrypoint` and `cmd`, in a directory that dependents and
        `dist/` have. For several platforms, each has a directory in the tar and an object in the
        JSON, such as `linux_amd64`.
        """
    )


class BuildKitImageOutputPathField(OutputPathField):
    help = help_text(
        """
        Where `package` writes the image record, below `dist/`; `.image.json` is added to it.

        Defaults to a path made from the target's address. An OCI image layout lies beside the
        record and ends in `.oci`.
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
