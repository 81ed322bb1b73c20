"""The `[docker-buildkit]` options; nothing derived from them."""

from __future__ import annotations

from typing import Any

from pants.option.option_types import (
    BoolOption,
    DictOption,
    EnumOption,
    IntOption,
    ShellStrListOption,
    StrListOption,
    StrOption,
)
from pants.option.subsystem import Subsystem
from pants.util.strutil import softwrap

from pants_docker_buildkit.fields.naming import RunOutput
from pants_docker_buildkit.locks.base_images import BaseImages
from pants_docker_buildkit.solver.progress import ShownProgress


class DockerBuildKitSubsystem(Subsystem):
    options_scope = "docker-buildkit"
    help = softwrap(
        """
        Build container images with BuildKit, skip the unchanged ones, and pin dependents to their
        digests.
        """
    )

    registries = DictOption[Any](
        help=softwrap(
            """
            The registries that images are pushed to, from an alias to its settings:

            ```
                [docker-buildkit.registries.dev]
                address = "localhost:5000"
                default = true
            ```

            - `address`: host and port. Required.

            - `default`: whether images that name no registry are pushed there. Defaults to false,
            or to true for the alias `default`.

            - `repository`: the repository template for this registry, in place of the target's. It
            may use `{target_repository}` and `{default_repository}`.

            - `insecure`: whether to speak plain HTTP. Defaults to true for loopback addresses only.

            - `ca_file`: a file with the certificates to trust besides the system's.

            - `cert_file`, `key_file`: a client certificate and its private key.

            - `username`, `password`: the account to use there, in place of the one in the Docker
            configuration. The password is `env=NAME`, `file=PATH` or `command=COMMAND`, and is read
            when it is needed; the user name may be such a source, or the name itself.

            - `repositories`: the paths below which that account is used, as ["team-a"]. Several
            entries may have the same `address`. Defaults to all.

            - `skip_push`: whether `publish` moves no tags there. What `package` pushes, by digest,
            is not affected. Defaults to false.

            - `extra_image_tags`: tags that `publish` gives every image there, besides its own.

            - `digest_tags`: whether an image that is pushed there gets a tag `digest-…` that names
            its digest, which keeps it where what has no tag is cleaned up. Defaults to true.

            - `immutable_tags`: whether tags cannot move there. Then no inline cache is kept, whose
            tag moves. Defaults to false.

            - `use_local_alias`: whether images with `output="docker"` are also named
            `ALIAS/REPOSITORY:TAG` in the local engine. Defaults to false.
            """
        ),
        fromfile=True,
    )
    default_repository = StrOption(
        default="{full_directory}/{name}",
        help=softwrap(
            """
            The repository of images that set none. May use the placeholders of the `repository`
            field, such as `org/{directory}`. By default each target has a repository of its own.
            """
        ),
    )
    output = EnumOption(
        default=None,
        enum_type=RunOutput,
        help=softwrap(
            """
            Where all images go in this run (`--output`), in place of what the field `output` and
            their registries say.

            - `docker`: into the local engine, for one platform, named by `image_tags` in the
            repository alone and in each of its registries. They are not `reproducible`. What
            they are built on goes where it would without the option, so that switching
            forth and back builds nothing again that BuildKit has.

            - `oci`: OCI image layouts, which need no registry.

            - `registry`: pushed. All images need a registry then.

            It is in the key of each image, as the field is.
            """
        ),
    )
    default_context_root = StrOption(
        default="",
        help=softwrap(
            """
            The build context's directory for images that set no `context_root`: relative to the
            build root, or to the directory of the BUILD file if it starts with `./`.
            """
        ),
    )
    default_platforms = StrListOption(
        help=softwrap(
            """
            The platforms of images that set none. Empty by default: `linux/` and this machine's
            architecture. Set it where machines of several architectures share a cache.
            """
        ),
    )
    build_platform = StrOption(
        default=None,
        help=softwrap(
            """
            The platform that Dockerfiles get to see as that of the builder: `BUILDPLATFORM`,
            `BUILDOS`, `BUILDARCH`, `BUILDVARIANT`. Defaults to what the builder says, and is in the
            key of images whose Dockerfile uses one of them, as `FROM --platform=$BUILDPLATFORM`
            does. Set it where machines of several architectures share a cache.
            """
        ),
    )
    build_args = ShellStrListOption(
        help=softwrap(
            """
            Build arguments for every image whose Dockerfile declares them (`--build-arg`):
            `NAME=value`, or `NAME` to take the value from the environment of Pants. The field
            `extra_build_args` wins over them.
            """
        ),
    )
    env_vars = ShellStrListOption(
        help=softwrap(
            """
            Environment variables for `docker` and its credential helpers, in addition to the ones
            that Docker and BuildKit document: `NAME=value`, or `NAME` to take the value from the
            environment of Pants. Changing them rebuilds nothing. So variables
            that change an image, such as `SOURCE_DATE_EPOCH`, are refused.
            """
        ),
        advanced=True,
    )
    executable_search_paths = StrListOption(
        default=["<PATH>"],
        help=softwrap(
            """
            Where to look for `docker` and for credential helpers. The entry `<PATH>` stands for the
            `PATH` of Pants. Changing it rebuilds nothing.
            """
        ),
        advanced=True,
    )
    docker = StrOption(
        default=None,
        help=softwrap(
            """
            The Docker CLI, or a stand-alone `docker-buildx`: a path, or a name to search for.
            Defaults to `docker`, then `docker-buildx`, on `executable_search_paths`. A path that is
            not absolute is relative to the build root. Changing it rebuilds nothing.
            """
        ),
        advanced=True,
    )
    builder = StrOption(
        default=None,
        help=softwrap(
            """
            The name of the builder to use (`--builder`): one that `builders` describes, else one of
            buildx. Defaults to the one that `docker buildx use` chose, or the Docker Engine of the
            current context. Changing it rebuilds nothing.
            """
        ),
    )
    builders = DictOption[Any](
        help=softwrap(
            """
            Builders to create if they do not exist, boot and reuse: a name and its settings. They
            are separate from the builders that `docker buildx ls` lists, which are left alone.
            Changing them rebuilds nothing.

            ```
                [docker-buildkit.builders.ci]
                driver = "docker-container"
                driver_opts = { image = "mirror.example/moby/buildkit:v0.25.1" }

                [docker-buildkit.builders.ci.registries."docker.io"]
                mirrors = ["mirror.example"]
            ```

            - `driver`: `docker`, `docker-container`, `kubernetes` or `remote`. Required.

            - `endpoint`: for `docker` and `docker-container` a Docker context or the address of an
            engine, by default the current one; for `remote` the address of a BuildKit.

            - `endpoints`: for `remote`, several BuildKits in place of `endpoint`. Each image is
            built by one of them, the same each time, while that answers and has room.

            - `acquire`, `release`: for `remote`, in place of `endpoint`, commands that hand out an
            endpoint for one build and take it back, as lists of texts.

            - `max_builds`: how many builds may run at once on one BuildKit from this machine.

            - `platforms`: what it builds for, if not the platforms it reports (`--platform`).

            - `cacert`, `cert`, `key`: the TLS files for an endpoint of `remote` with `tcp://`.

            - `driver_opts`: a table of options for the driver (`--driver-opt`).

            - `nodes`: a list of tables with the settings above, in place of them, for several
            BuildKits. There `driver_opts` win over those of the builder.

            - `boot_timeout`: seconds to wait for it. Defaults to 120, for `remote` to 20.

            - `registries`: from a host to how the BuildKit reaches it: `mirrors`, `http`,
            `insecure`, `ca` (a list of files), `keypair` (a list of tables with `cert` and `key`).

            - `gc`: how much its cache may take: `enabled`, `reserved_space`, `max_used_space`,
            `min_free_space`.

            - `entitlements`: what builds may be allowed, such as `network.host`.

            - `buildkitd_config`: a file with the BuildKit's whole configuration, in place of the
            last three (`--buildkitd-config`).

            Paths are relative to the build root.
            """
        ),
        fromfile=True,
    )
    mirrors = DictOption[str](
        help=softwrap(
            """
            Where images are read in place of what Dockerfiles and fields name: from a registry, or
            a path in one, to what stands for it. The longest name that fits wins.

            ```
                [docker-buildkit.mirrors]
                "docker.io" = "mirror.example/hub"
                "ghcr.io/org" = "mirror.example/github"
            ```

            Holds for base images, `COPY --from`, `# syntax`, `external_sources` and images in
            `build_contexts`, by tag and by digest. What is read is the same digest, so it is in no
            key: machines with a mirror and without share records. Unlike mirrors of a builder, it
            is also where this plugin asks for the digests of tags.
            """
        ),
    )
    external_sources = StrListOption(
        help=softwrap(
            """
            What every image may read from outside without its Dockerfile naming it, in addition to
            the field of the same name. It is pinned, and part of the key of every image.
            """
        ),
        advanced=True,
    )
    base_images = EnumOption(
        default=BaseImages.FOLLOW,
        help=softwrap(
            """
            What the tags of base images stand for, and other moving names: what URLs, Git branches
            and `external_sources` give. See `resolves`.

            - `follow`: what registries and servers say in this session.

            - `locked`: what the lock says, without asking anybody. What the lock lacks is looked
            up, with a warning.

            - `frozen`: what the lock says. What the lock lacks is an error.
            """
        ),
    )
    resolves = DictOption[str](
        default={"docker-images": "3rdparty/docker/images.lock.dockerfile"},
        help=softwrap(
            """
            The locks of what images take from outside, from the name of a resolve to a file below
            the build root, which `pants generate-lockfiles --resolve=NAME` writes. The file is a
            Dockerfile; with a name that ends in `.dockerfile`, Renovate and Dependabot keep it up
            to date. The field `resolve` says which of them an image uses.
            """
        ),
    )
    default_resolve = StrOption(
        default="docker-images",
        help="The resolve of images that do not set the field `resolve`.",
    )
    lock_update = StrListOption(
        help=softwrap(
            """
            What `generate-lockfiles` looks up again, as patterns of images, such as
            `python:3.12` or `ghcr.io/org/*`, and URLs. Other entries of the lock stay as they are;
            what the lock lacks is added, and what no image uses any more is removed. Empty by
            default: everything is looked up again.
            """
        ),
    )
    record_materials = BoolOption(
        default=True,
        help=softwrap(
            """
            Whether records list what their images were made from: images, URLs and Git repositories
            with their digests. Changing it rebuilds nothing.
            """
        ),
    )
    provenance = BoolOption(
        default=False,
        help=softwrap(
            """
            Whether each image has SLSA provenance: a statement of what it was built from, beside
            its record in `dist/`, and in registries as an OCI referrer, which leaves the image's
            digest as it is. Images that are not built have it, too. In no key.
            """
        ),
    )
    sbom_command = ShellStrListOption(
        help=softwrap(
            """
            A command that prints an SBOM of an image in SPDX or CycloneDX (JSON), such as
            `syft scan oci-dir:{layout} --source-name={name} --output=spdx-json`. `{layout}` is an
            OCI image layout of one platform, `{name}` the repository, `{digest}` that of the
            manifest. It is run once for each image, platform and `sbom_scanner`, and the result is
            kept in Pants' caches, in `dist/`, and beside the image in its registries. Empty by
            default: there are no SBOMs. The image's key does not have it.
            """
        ),
    )
    sbom_scanner = StrOption(
        default=None,
        help=softwrap(
            """
            Name and version of the program in `sbom_command`, and of its data, such as
            `syft 1.18.1`. With another value, all images are scanned again. Required with
            `sbom_command`.
            """
        ),
    )
    policies = StrListOption(
        help=softwrap(
            """
            Policies in Rego that judge what every image is built from (`--policy`), in addition to
            the `.rego` file beside its Dockerfile: paths from the build root. They are part of the
            key of every image, and need buildx 0.32 and BuildKit 0.27 or later.
            """
        ),
        advanced=True,
    )
    secret_hash_key = StrOption(
        default=None,
        help=softwrap(
            """
            Where the key for hashing `hashed_secrets` comes from: `env=NAME`, `file=PATH` or
            `command=COMMAND`. All machines that share a cache need the same one.
            """
        ),
        advanced=True,
    )
    pass_proxies = BoolOption(
        default=True,
        help=softwrap(
            """
            Whether `RUN` steps get the proxies of the Docker configuration, or else of
            `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY` and `ALL_PROXY`, as BuildKit's predefined build
            arguments. They do not end up in the image, and changing them rebuilds nothing. A proxy
            on this machine's loopback is passed with `build_network="host"` only.
            """
        ),
    )
    cache_from = StrListOption(
        help="BuildKit caches to import for every image (`--cache-from`). They rebuild nothing.",
    )
    cache_to = StrListOption(
        help=softwrap(
            """
            Where BuildKit exports the cache of every image that was built (`--cache-to`). In no
            key.
            """
        ),
    )
    inline_cache_tag = StrOption(
        default="buildcache",
        help=softwrap(
            """
            The moving tag of each repository that the next build imports the inline cache from. It
            is moved whenever an image with `inline_cache` is pushed, except in registries with
            `immutable_tags`. Changing it rebuilds nothing.
            """
        ),
        advanced=True,
    )
    max_builds = IntOption(
        default=None,
        help=softwrap(
            """
            How many builds of this user may run at once on a builder, from this machine, in all
            sessions together. The others wait, each in one of Pants' slots for processes
            (`process_execution_local_parallelism`). `max_builds` in `builders` counts more. No
            limit by default but that of Pants. In no key.
            """
        ),
    )
    build_timeout = IntOption(
        default=None,
        help=softwrap(
            """
            How many seconds the build of an image may take before it is ended and fails, for images
            that do not set the field `build_timeout`. No limit by default. Changing it rebuilds
            nothing.
            """
        ),
    )
    resources = DictOption[str](
        help=softwrap(
            """
            What each `RUN` step may take of its builder (`--resource`, buildx 0.36 or later), such
            as `{"memory": "2g", "cpu-quota": "50000"}`. The field `resources` counts more. A
            BuildKit that is too old ignores it. In no key.
            """
        ),
    )
    reproducible = BoolOption(
        default=False,
        help=softwrap(
            """
            Whether builds of the same definition give the same image, bit by bit, for images that
            are pushed or written as layouts and do not set the field `reproducible`, whose help
            says what it costs.
            """
        ),
    )
    run_args = ShellStrListOption(
        help=softwrap(
            """
            Options for every `docker run` of the `run` goal, before those of the field
            `extra_run_args`. `--rm` and `--interactive` are always given, `--tty` in a terminal.
            """
        ),
    )
    progress = EnumOption(
        default=ShownProgress.AUTO,
        help=softwrap(
            """
            What is shown of a running build (`--progress`). A failed build always shows the
            failing step with its output.

            - `auto`: on a terminal, steps that take longer than a second, when they start and
            end, and every few seconds what one of them printed last; elsewhere, as in CI, steps
            that take longer than five seconds, when they start and end.

            - `quiet`: one line when a build starts and one when it ends.

            - `plain`: every step and all of its output, as it comes.
            """
        ),
    )
    require_built = BoolOption(
        default=False,
        help=softwrap(
            """
            Whether it is an error if an image is in no cache of Pants, and nothing is built: for
            jobs that deploy, and machines without a builder.
            """
        ),
    )
    check_layers = BoolOption(
        default=False,
        help=softwrap(
            """
            Whether a registry is asked for the layers of an image, too, and not for its manifest
            alone: once a day for each layer. An image that lost one is built again.
            """
        ),
        advanced=True,
    )
    registry_timeout = IntOption(
        default=30,
        help="Seconds to wait for an answer of a registry, each time it is asked.",
        advanced=True,
    )
    tailor = BoolOption(
        default=True,
        help="Whether `tailor` adds `docker_buildkit_image` targets for Dockerfiles.",
        advanced=True,
    )


class SignaturesSubsystem(Subsystem):
    options_scope = "docker-buildkit-signatures"
    help = "Sign what `publish` publishes, and verify signatures. In no key."

    key = StrOption(
        default=None,
        help=softwrap(
            """
            The private key with which cosign signs each image that `publish` gives a tag:
            `env=NAME`, `file=PATH` or `command=COMMAND`, which is read when it is needed, or a key
            in a key store as cosign names it, such as `awskms://…`. No image is signed by default.
            """
        ),
    )
    password = StrOption(
        default=None,
        help=softwrap(
            """
            The password of `key`: `env=NAME`, `file=PATH` or `command=COMMAND`. Defaults to the
            environment variable `COSIGN_PASSWORD`, or else to none.
            """
        ),
    )
    signer = ShellStrListOption(
        help=softwrap(
            """
            A command that signs in place of cosign and `key`, with the protocol of signers of
            rules_img: it is run as `PROGRAM sign-oci-artifact ARGUMENT…`, gets the descriptor of an
            image in JSON, and prints an OCI image layout with the signature as a tar. It has the
            environment of Pants.
            """
        ),
    )
    sign_platforms = BoolOption(
        default=False,
        help=softwrap(
            """
            Whether the images for each platform are signed, too, and not the image index alone
            (`cosign sign --recursive`).
            """
        ),
    )
    cosign = StrOption(
        default="cosign",
        help=softwrap(
            """
            The cosign that signs and verifies, 3.0.5 or later: a name to search for on
            `[docker-buildkit].executable_search_paths`, or a path, relative to the build root.
            """
        ),
        advanced=True,
    )
    verify = DictOption[Any](
        help=softwrap(
            """
            How images must be signed, from a pattern of their names, such as `ghcr.io/org/*` or
            `python:3.*`, to what is accepted: one table or several, of which one is enough. The
            longest pattern that matches counts.

            ```
                [docker-buildkit-signatures.verify."registry.example/*"]
                key = "keys/platform.pub"

                [docker-buildkit-signatures.verify."cgr.dev/*"]
                identity = "https://github.com/chainguard-images/images/.github/workflows/release.yaml@refs/heads/main"
                issuer = "https://token.actions.githubusercontent.com"
            ```

            - `key`: a file with a public key, or a key in a key store.

            - `identity` or `identity_regexp`, `issuer` or `issuer_regexp`: whom a certificate is
            for, and who says so.

            - `trusted_root`: a file with what is trusted, in place of the public Sigstore, for
            which cosign needs a network.

            - `transparency_log`: whether the signature must be in a transparency log. Defaults to
            true for identities, and to false for keys.

            - `unsigned = true`: no signature is needed, in place of all others.

            Base images are verified when `generate-lockfiles` writes their lock; see
            `require_signed` for images of this repository.
            """
        ),
        fromfile=True,
    )
    require_signed = BoolOption(
        default=False,
        help=softwrap(
            """
            Whether an image of this repository that is in a registry must be signed, as `verify`
            says for its name, before `run` starts it, and before its reference gets into manifests
            and files of references. An image that no pattern matches is an error.
            """
        ),
    )


class BuildReportSubsystem(Subsystem):
    options_scope = "docker-buildkit-report"
    help = "Write down what was built in a run, step by step. In no key."

    file = StrOption(
        default=None,
        metavar="<path>",
        help=softwrap(
            """
            Where to write the report of a run: a page that ends in `.html`, trace events for
            https://ui.perfetto.dev in `.json`, or a summary in `.md`. Relative to the build root.
            """
        ),
    )
