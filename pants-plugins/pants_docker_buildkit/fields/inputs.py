"""What else does the build see: platforms, arguments, labels, and settings of its `RUN` steps?"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Iterable, Optional  # noqa: UP035 - Pants prints it in help

from pants.engine.addresses import Address
from pants.engine.target import (
    BoolField,
    DictStringToStringField,
    InvalidFieldException,
    StringField,
    StringSequenceField,
)
from pants.util.strutil import help_text


class BuildKitImagePlatformsField(StringSequenceField):
    alias = "platforms"
    help = help_text(
        """
        The platforms to build for (`--platform`), such as `linux/amd64` and `linux/arm64`. Several
        platforms give an image index, built in one solve.

        Defaults to `[docker-buildkit].default_platforms`. `build_platform` is another name for this
        field.
        """
    )


class BuildKitImageBuildPlatformField(StringSequenceField):
    alias = "build_platform"
    help = "Another name for `platforms`, as in `docker_image`. Set only one of them."


class BuildKitImageBuildArgsField(StringSequenceField):
    alias = "extra_build_args"
    default = ()
    help = help_text(
        """
        Build arguments (`--build-arg`): `NAME=value`, or `NAME` to take the value from the
        environment of Pants, which may lack it if an `ARG` has a default.

        They are added to `[docker-buildkit].build_args`, and override them. An argument that the
        Dockerfile does not declare with `ARG` is an error, unless it comes from `__defaults__`.
        Build arguments are stored in the image's history: use `secrets` for secret values.
        """
    )

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Iterable[str]], address: Address
    ) -> Optional[tuple[str, ...]]:
        """A map is refused: Pants takes its keys, and each is an argument from the environment."""
        if isinstance(raw_value, Mapping):
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} must be a list, as ['NAME=value'],"
                f" but was {dict(raw_value)!r}."
            )
        return super().compute_value(raw_value, address)


class BuildKitImageLabelsField(DictStringToStringField):
    alias = "image_labels"
    help = help_text(
        """
        Labels of the image (`--label`). Values may use the placeholders of `repository`.

        Labels are part of the image, so a value that changes with every commit rebuilds the image
        with every commit.
        """
    )


class BuildKitImageAnnotationsField(DictStringToStringField):
    alias = "image_annotations"
    help = help_text(
        """
        OCI annotations of the image (`--annotation`). A key may start with the level it is for:
        `manifest:`, `index:`, `manifest-descriptor:` or `index-descriptor:`, with a platform in
        square brackets if it is for one platform only. Values may use the placeholders of
        `repository`.
        """
    )


class BuildKitImageExternalSourcesField(StringSequenceField):
    alias = "external_sources"
    default = ()
    help = help_text(
        """
        External sources that the build may read although the Dockerfile does not name them: what a
        frontend (`# syntax`) requests, or a trigger (`ONBUILD`) of an image that cannot be read in
        advance.

        Each is `docker-image://REFERENCE`, a URL, or a Git URL. They are pinned like base images
        and downloads, and part of the key. BuildKit denies any source that is neither here, nor in
        `[docker-buildkit].external_sources`, nor in the Dockerfile.

        Example: `external_sources=["docker-image://ghcr.io/org/frontend-helper:1"]`.
        """
    )


class BuildKitImageResolveField(StringField):
    alias = "resolve"
    help = help_text(
        """
        The lock to resolve the Dockerfile's tags, URLs and Git branches with: a name in
        `[docker-buildkit].resolves`. Defaults to `[docker-buildkit].default_resolve`. Has no effect
        if `[docker-buildkit].base_images` is `follow`.
        """
    )


class BuildKitImageSecretsField(DictStringToStringField):
    alias = "secrets"
    help = help_text(
        """
        Secrets for `RUN --mount=type=secret` (`--secret`): from the secret's ID to the source of
        its value:

        - a path, or `file=PATH`: absolute, below `~/`, or relative to the build root, or to the
        BUILD file if it starts with `./` or `../`.

        - `env=NAME`: an environment variable of Pants.

        - `command=COMMAND`: the output of a command, which is run without a shell.

        A secret is read only when the image is built, and only BuildKit gets its value. The value
        is in no key and no cache, and changing it rebuilds nothing; to rebuild the image with a new
        value, use `hashed_secrets`. The ID is part of the key.

        Example: `secrets={"npmrc": "~/.npmrc", "token": "env=NPM_TOKEN"}`.
        """
    )


class BuildKitImageHashedSecretsField(StringSequenceField):
    alias = "hashed_secrets"
    default = ()
    help = help_text(
        """
        IDs of `secrets` whose value is part of the key: a new value rebuilds the image and runs
        each of its `RUN` steps.

        The key contains a hash of the value, keyed with `[docker-buildkit].secret_hash_key`.
        Everyone who packages the image then needs these secrets, even if it is not built.
        """
    )


class BuildKitImageSshField(StringSequenceField):
    alias = "ssh"
    default = ()
    help = help_text(
        """
        SSH agents and keys for `RUN --mount=type=ssh` (`--ssh`): `default` or `ID=SOCKET_OR_KEY`. A
        path is relative to the build root, or to the BUILD file if it starts with `./`.
        """
    )


class BuildNetwork(str, Enum):
    """Which network `RUN` steps are connected to."""

    DEFAULT = "default"
    NONE = "none"
    HOST = "host"


class BuildKitImageBuildNetworkField(StringField):
    alias = "build_network"
    valid_choices = BuildNetwork
    help = help_text(
        """
        The network of `RUN` steps (`--network`).

        - `default`: the builder's default.

        - `none`: no network, so that a build cannot depend on it.

        - `host`: the builder's own. The builder must have been started with `network.host` allowed.
        """
    )


class BuildKitImageExtraHostsField(DictStringToStringField):
    alias = "extra_build_hosts"
    help = help_text(
        """
        Entries for `/etc/hosts` in `RUN` steps (`--add-host`), from host name to IP address. The
        address `host-gateway` is that of the Docker Engine's machine, and works only with a Docker
        Engine.
        """
    )


class BuildKitImageShmSizeField(StringField):
    alias = "shm_size"
    help = "The size of `/dev/shm` in `RUN` steps (`--shm-size`), such as `128m`."


class BuildKitImageUlimitsField(DictStringToStringField):
    alias = "ulimits"
    help = "Limits of `RUN` steps (`--ulimit`) as soft:hard, such as `{'nofile': '1024:2048'}`."


class BuildKitImageEntitlementsField(StringSequenceField):
    alias = "entitlements"
    default = ()
    help = help_text(
        """
        Privileges of the build (`--allow`): `network.host`, `security.insecure` or `device`. The
        builder must have been started with them allowed.
        """
    )


class BuildKitImageNoCacheField(BoolField):
    alias = "no_cache"
    default = False
    help = help_text(
        """
        Whether BuildKit runs every step when it builds the image (`--no-cache`).

        It does not cause a build: an unchanged image is still not built.
        """
    )
