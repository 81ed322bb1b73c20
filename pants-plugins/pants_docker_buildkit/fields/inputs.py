"""What else does the build see: platforms, arguments, labels, and settings of its `RUN` steps?"""

from __future__ import annotations

from enum import Enum

from pants.engine.target import (
    BoolField,
    DictStringToStringField,
    StringField,
    StringSequenceField,
)
from pants.util.strutil import help_text


class BuildKitImagePlatformsField(StringSequenceField):
    alias = "platforms"
    help = help_text(
        """
        The platforms to build for (`--platform`), such as `linux/amd64` and `linux/arm64`; several
        give an image index, built in one solve.

        Defaults to `[docker-buildkit].default_platforms`. `build_platform` is another name of this
        field.
        """
    )


class BuildKitImageBuildPlatformField(StringSequenceField):
    alias = "build_platform"
    help = "Another name of `platforms`, as in `docker_image`. A target may set only one of them."


class BuildKitImageBuildArgsField(StringSequenceField):
    alias = "extra_build_args"
    default = ()
    help = help_text(
        """
        Build arguments (`--build-arg`): `NAME=value`, or `NAME` to take the value from the
        environment of Pants.

        Added to `[docker-buildkit].build_args`, which they override. An argument that no `ARG` of
        the Dockerfile declares is an error, unless it is from `__defaults__`. They are stored in
        the image's history: use `secrets` for what must stay secret.
        """
    )


class BuildKitImageLabelsField(DictStringToStringField):
    alias = "image_labels"
    help = help_text(
        """
        Labels of the image (`--label`). Values may use the placeholders of `repository`.

        A label is part of the image, so a value that changes with each commit builds the image with
        each commit.
        """
    )


class BuildKitImageAnnotationsField(DictStringToStringField):
    alias = "image_annotations"
    help = help_text(
        """
        OCI annotations of the image (`--annotation`). A key may start with the level it is for:
        `manifest:`, `index:`, `manifest-descriptor:` or `index-descriptor:`, with a platform in
        square brackets where it is for one only. Values may use the placeholders of `repository`.
        """
    )


class BuildKitImageExternalSourcesField(StringSequenceField):
    alias = "external_sources"
    default = ()
    help = help_text(
        """
        What the build reads from outside without the Dockerfile naming it: what a frontend
        (`# syntax`), or a trigger (`ONBUILD`) of an image that cannot be read in advance, asks for.

        Each is `docker-image://REFERENCE`, a URL, or a Git URL. It is pinned as base images and
        downloads are: what it is now is part of the key, and exactly that is read. BuildKit denies
        whatever is neither here nor in the Dockerfile. Those of
        `[docker-buildkit].external_sources` are added.

        Example: `external_sources=["docker-image://ghcr.io/org/frontend-helper:1"]`.
        """
    )


class BuildKitImageResolveField(StringField):
    alias = "resolve"
    help = help_text(
        """
        The lock that says what the Dockerfile's tags, URLs and Git branches stand for: a name of
        `[docker-buildkit].resolves`. Defaults to `[docker-buildkit].default_resolve`. Without
        effect where `[docker-buildkit].base_images` is `follow`.
        """
    )


class BuildKitImageSecretsField(DictStringToStringField):
    alias = "secrets"
    help = help_text(
        """
        What `RUN --mount=type=secret` may read (`--secret`), from the secret's ID to where its
        value comes from:

        - a path, or `file=PATH`: absolute, below `~/`, or relative to the build root, or to the
        BUILD file if it starts with `./`.

        - `env=NAME`: an environment variable of Pants.

        - `command=COMMAND`: what a command prints, which is run without a shell.

        A secret is read only when the image is built, and only BuildKit gets its value: it is in no
        key and no cache, and changing it builds nothing. Its ID is part of the build. Where the
        content should count, see `hashed_secrets`.

        Example: `secrets={"npmrc": "~/.npmrc", "token": "env=NPM_TOKEN"}`.
        """
    )


class BuildKitImageHashedSecretsField(StringSequenceField):
    alias = "hashed_secrets"
    default = ()
    help = help_text(
        """
        IDs of `secrets` whose content is part of the build: another value builds the image again,
        and each `RUN` step of it.

        The cache key contains a keyed hash of the value, which is useless without the key that
        `[docker-buildkit].secret_hash_key` names. Everyone who packages the image then needs the
        secrets, even if it is not built.
        """
    )


class BuildKitImageSshField(StringSequenceField):
    alias = "ssh"
    default = ()
    help = help_text(
        """
        SSH agents and keys that `RUN --mount=type=ssh` may use (`--ssh`), as
        `default` or `ID=SOCKET_OR_KEY`. A path is relative to the build root, or to the BUILD file
        if it starts with `./`.
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

        - `default`: what the builder gives.

        - `none`: no network, so that a build cannot depend on it.

        - `host`: the builder's own. The builder must have been started with `network.host` allowed.
        """
    )


class BuildKitImageExtraHostsField(DictStringToStringField):
    alias = "extra_build_hosts"
    help = help_text(
        """
        Lines for `/etc/hosts` of `RUN` steps (`--add-host`), from host name to IP address. The
        address `host-gateway` is that of the Docker Engine's machine; other builders have none.
        """
    )


class BuildKitImageShmSizeField(StringField):
    alias = "shm_size"
    help = "The size of `/dev/shm` in `RUN` steps (`--shm-size`), such as `128m`."


class BuildKitImageUlimitsField(DictStringToStringField):
    alias = "ulimits"
    help = "Limits of `RUN` steps (`--ulimit`), such as `{'nofile': '1024:2048'}`."


class BuildKitImageEntitlementsField(StringSequenceField):
    alias = "entitlements"
    default = ()
    help = help_text(
        """
        Privileges that the build may use (`--allow`): `network.host`, `security.insecure` or
        `device`. The builder must have been started with them allowed.
        """
    )


class BuildKitImageNoCacheField(BoolField):
    alias = "no_cache"
    default = False
    help = help_text(
        """
        Whether BuildKit runs every step again when it builds (`--no-cache`).

        Whether it builds at all is decided as for every image: an unchanged one is not built.
        """
    )
