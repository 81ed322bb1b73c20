"""The options of images, of signatures and of the report; nothing derived from them."""

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
from pants_docker_buildkit.locks.lock_file import BaseImages
from pants_docker_buildkit.solver.progress import ShownProgress


class DockerBuildKitSubsystem(Subsystem):
    options_scope = "docker-buildkit"
    help = softwrap(
        """
        Build container images with BuildKit, skip unchanged ones, and pin dependents to their
        digests.

        An image is rebuilt only if its cache key changes. An option of which the help says that
        changing it rebuilds nothing is not part of any key.
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

            - `address`: host and port, and a path such as that of `ghcr.io/org` if all repositories
            are below it. Required. Several entries can have the same host, for several accounts or
            paths, if they do not contradict each other in how it is reached.

            - `default`: whether images that name no registry are pushed there. Defaults to false,
            or to true for the alias `default`.

            - `repository`: a template for the repository in this registry, which replaces the
            target's. It may use `{target_repository}` and `{default_repository}`.

            - `insecure`: whether to use plain HTTP. Defaults to true for loopback addresses only.

            - `ca_file`: a file with certificates to trust in addition to the system's.

            - `cert_file`, `key_file`: a client certificate and its private key.

            - `username`, `password`: the account to use there instead of the one in Docker's
            configuration. The password is `env=NAME`, `file=PATH` or `command=COMMAND`, and is read
            when it is needed. The user name is one of these or the name itself.

            - `repositories`: the paths that the account is for, such as ["team-a"]. Defaults to the
            path of `address`, or else to all.

            - `skip_push`: whether `publish` skips this registry. `package` still pushes there, by
            digest. Defaults to false.

            - `extra_image_tags`: tags that `publish` adds to every image there.

            - `digest_tags`: whether pushed images get a tag `digest-…` that contains their digest,
            so that a clean-up of untagged images keeps them. Defaults to true.

            - `immutable_tags`: whether the registry forbids moving tags. If so, no inline cache is
            kept there, because its tag moves. Defaults to false.

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
            The repository of images that do not set `repository`. May use the placeholders of that
            field, such as `org/{directory}`. By default each target has a repository of its own.
            """
        ),
    )
    output = EnumOption(
        default=None,
        enum_type=RunOutput,
        help=softwrap(
            """
            Where all images of this run go (`--output`). Overrides the field `output` and the
            registries of targets.

            - `docker`: into the local engine, for one platform, with the names that `image_tags`
            give in the repository alone and in each registry. `reproducible` has no effect. Images
            that they are based on go where they would go without this option, so switching back and
            forth does not repeat builds.

            - `oci`: into OCI image layouts, which need no registry.

            - `registry`: into their registries. Every image needs one.

            Like the field, it is part of each image's key.
            """
        ),
    )
    default_context_root = StrOption(
        default="",
        help=softwrap(
            """
            The directory of the build context for images that do not set `context_root`: relative
            to the build root, or to the directory of the BUILD file if it starts with `./`.
            """
        ),
    )
    default_platforms = StrListOption(
        help=softwrap(
            """
            The platforms of images that do not set `platforms`. Defaults to `linux/` and this
            machine's architecture. Set it if machines of several architectures share a cache.
            """
        ),
    )
    build_platform = StrOption(
        default=None,
        help=softwrap(
            """
            The platform of the builder for Dockerfiles that use `BUILDPLATFORM`, `BUILDOS`,
            `BUILDARCH` or `BUILDVARIANT`, as in `FROM --platform=$BUILDPLATFORM`. It is part of the
            key of these images. Defaults to what the builder reports. Set it if machines of several
            architectures share a cache.
            """
        ),
    )
    build_args = ShellStrListOption(
        help=softwrap(
            """
            Build arguments for every image whose Dockerfile declares them (`--build-arg`):
            `NAME=value`, or `NAME` to take the value from the environment of Pants. The field
            `extra_build_args` overrides them.
            """
        ),
    )
    env_vars = ShellStrListOption(
        help=softwrap(
            """
            Environment variables for `docker` and its credential helpers, in addition to those that
            Docker and BuildKit document: `NAME=value`, or `NAME` to take the value from the
            environment of Pants. Changing them rebuilds nothing; therefore variables that change an
            image, such as `SOURCE_DATE_EPOCH`, are errors.
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
            The name of the builder to use (`--builder`): one that `builders` describes, or else one
            that `docker buildx ls` lists. Defaults to the builder that `docker buildx use` chose,
            or the Docker Engine of the current context. Changing it rebuilds nothing.
            """
        ),
    )
    builders = DictOption[Any](
        help=softwrap(
            """
            Builders to create if they do not exist, boot and reuse, as tables of settings by name.
            They are separate from the builders that `docker buildx ls` lists. Changing them
            rebuilds nothing.

            ```
                [docker-buildkit.builders.ci]
                driver = "docker-container"
                driver_opts = { image = "mirror.example/moby/buildkit:v0.25.1" }

                [docker-buildkit.builders.ci.registries."docker.io"]
                mirrors = ["mirror.example"]
            ```

            - `driver`: `docker`, `docker-container`, `kubernetes` or `remote`. Required.

            - `endpoint`: for `docker` and `docker-container`, a Docker context or the address of an
            engine (default: the current one); for `remote`, the address of a BuildKit.

            - `endpoints`: for `remote`, several BuildKits instead of `endpoint`. Each image is
            always built by the same one, unless that does not answer or is full.

            - `acquire`, `release`: for `remote`, commands (lists of strings) that lease an endpoint
            for one build and return it, instead of `endpoint`.

            - `max_builds`: how many builds from this machine may run on one BuildKit at once.

            - `platforms`: the platforms it builds, if not those it reports (`--platform`).

            - `cacert`, `cert`, `key`: TLS files for a `tcp://` endpoint of `remote`.

            - `driver_opts`: a table of options for the driver (`--driver-opt`).

            - `nodes`: several BuildKits, as a list of tables with the settings above. Their
            `driver_opts` override those of the builder.

            - `boot_timeout`: seconds to wait for it. Defaults to 120, for `remote` to 20, and for
            `endpoints` to 5.

            - `registries`: how the BuildKit reaches a registry, as a table by host: `mirrors`,
            `http`, `insecure`, `ca` (a list of files), `keypair` (a list of tables with `cert` and
            `key`).

            - `gc`: limits of its cache: `enabled`, `reserved_space`, `max_used_space`,
            `min_free_space`.

            - `entitlements`: privileges that targets may request, such as `network.host`.

            - `buildkitd_config`: a `buildkitd.toml` file, instead of the last three settings
            (`--buildkitd-config`).

            Paths are relative to the build root.
            """
        ),
        fromfile=True,
    )
    mirrors = DictOption[str](
        help=softwrap(
            """
            Mirrors: where to read images instead of the registry that Dockerfiles and fields name.
            A table from a registry, or a path in one, to its replacement. The longest matching name
            is used.

            ```
                [docker-buildkit.mirrors]
                "docker.io" = "mirror.example/hub"
                "ghcr.io/org" = "mirror.example/github"
            ```

            Applies to base images, `COPY --from`, `# syntax`, `external_sources` and images in
            `build_contexts`, by tag and by digest. Changing it rebuilds nothing, because the
            digests are the same: machines with and without a mirror share records. Unlike mirrors
            in a builder's configuration, these are also used to look up the digests of tags.
            """
        ),
    )
    external_sources = StrListOption(
        help=softwrap(
            """
            External sources that every image may read although its Dockerfile does not name them,
            in addition to the field of the same name. They are pinned, and part of the key of every
            image.
            """
        ),
        advanced=True,
    )
    base_images = EnumOption(
        default=BaseImages.FOLLOW,
        help=softwrap(
            """
            How to resolve names that can change: tags of base images, URLs, Git branches and
            `external_sources`. See `resolves`.

            - `follow`: ask registries and servers in every session.

            - `locked`: use the lock, without asking anybody. A name that is not in the lock is
            looked up, with a warning.

            - `frozen`: use the lock. A name that is not in the lock is an error.
            """
        ),
    )
    resolves = DictOption[str](
        default={"docker-images": "3rdparty/docker/images.lock.dockerfile"},
        help=softwrap(
            """
            The locks of external sources: from the name of a resolve to a file below the build
            root, which `pants generate-lockfiles --resolve=NAME` writes. The file is a Dockerfile;
            if its name ends in `.dockerfile`, Renovate and Dependabot can update it. The field
            `resolve` chooses the lock of an image.
            """
        ),
    )
    default_resolve = StrOption(
        default="docker-images",
        help="The resolve of images that do not set `resolve`.",
    )
    lock_update = StrListOption(
        help=softwrap(
            """
            The entries that `generate-lockfiles` looks up again, as patterns of images and URLs,
            such as `python:3.12` or `ghcr.io/org/*`. Other entries stay as they are; missing
            entries are added, and unused ones removed. Empty by default: everything is looked up
            again.
            """
        ),
    )
    record_materials = BoolOption(
        default=True,
        help=softwrap(
            """
            Whether records list the images, URLs and Git repositories that an image was made from,
            with their digests. Changing it rebuilds nothing.
            """
        ),
    )
    provenance = BoolOption(
        default=False,
        help=softwrap(
            """
            Whether to write SLSA provenance for each image, including those that are not built: a
            statement of what the image was built from, beside its record in `dist/` and as an OCI
            referrer in its registries. It does not change the image's digest, and changing the
            option rebuilds nothing.
            """
        ),
    )
    sbom_command = ShellStrListOption(
        help=softwrap(
            """
            A command that prints an SBOM of an image in SPDX or CycloneDX (JSON), such as `syft
            scan oci-dir:{layout} --source-name={name} --output=spdx-json`. `{layout}` is an OCI
            image layout of one platform, `{name}` the repository, `{digest}` the digest of the
            manifest. It runs once for each image, platform and `sbom_scanner`. The result is stored
            in Pants' caches, in `dist/`, and beside the image in its registries. Empty by default:
            no SBOMs. Changing it rebuilds nothing.
            """
        ),
    )
    sbom_scanner = StrOption(
        default=None,
        help=softwrap(
            """
            Name and version of the program in `sbom_command` and of its data, such as `syft
            1.18.1`. Changing it scans all images again. Required with `sbom_command`.
            """
        ),
    )
    policies = StrListOption(
        help=softwrap(
            """
            Rego policies that decide what every image may be built from (`--policy`), in addition
            to the `.rego` file beside its Dockerfile: paths relative to the build root. They are
            part of the key of every image, and need buildx 0.32 and BuildKit 0.27 or later.
            """
        ),
        advanced=True,
    )
    secret_hash_key = StrOption(
        default=None,
        help=softwrap(
            """
            Where the key for hashing `hashed_secrets` comes from: `env=NAME`, `file=PATH` or
            `command=COMMAND`. All machines that share a cache need the same key.
            """
        ),
        advanced=True,
    )
    pass_proxies = BoolOption(
        default=True,
        help=softwrap(
            """
            Whether `RUN` steps get the proxies of the Docker configuration, or else those of
            `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY` and `ALL_PROXY`, as BuildKit's predefined build
            arguments. They are not stored in the image, and changing them rebuilds nothing. A proxy
            on this machine's loopback is passed only with `build_network="host"`.
            """
        ),
    )
    cache_from = StrListOption(
        help=softwrap(
            """
            BuildKit caches to import for every image (`--cache-from`). Changing it rebuilds
            nothing.
            """
        ),
    )
    cache_to = StrListOption(
        help=softwrap(
            """
            Where BuildKit exports the cache of every image that is built (`--cache-to`). Changing
            it rebuilds nothing.
            """
        ),
    )
    inline_cache_tag = StrOption(
        default="buildcache",
        help=softwrap(
            """
            The tag in each repository from which the next build imports the inline cache. It moves
            whenever an image with `inline_cache` is pushed, except in registries with
            `immutable_tags`. Changing it rebuilds nothing.
            """
        ),
        advanced=True,
    )
    max_builds = IntOption(
        default=None,
        help=softwrap(
            """
            How many builds of this user may run on one builder at once, in all sessions on this
            machine. Other builds wait, each in one of Pants' process slots
            (`process_execution_local_parallelism`). `max_builds` in `builders` takes precedence. No
            limit by default except that of Pants. Changing it rebuilds nothing.
            """
        ),
    )
    build_timeout = IntOption(
        default=None,
        help=softwrap(
            """
            How many seconds a build may take before it is cancelled and fails, for images that do
            not set the field `build_timeout`. No limit by default. Changing it rebuilds nothing.
            """
        ),
    )
    resources = DictOption[str](
        help=softwrap(
            """
            Limits of each `RUN` step (`--resource`, buildx 0.36 or later), such as `{"memory":
            "2g", "cpu-quota": "50000"}`. The field `resources` takes precedence. A BuildKit that is
            too old ignores them. Changing it rebuilds nothing.
            """
        ),
    )
    reproducible = BoolOption(
        default=False,
        help=softwrap(
            """
            Whether builds of the same definition give the same image, bit by bit, for images that
            are pushed or written as layouts. The field `reproducible` overrides it, and its help
            explains the cost.
            """
        ),
    )
    run_args = ShellStrListOption(
        help=softwrap(
            """
            Options for every `docker run` of the `run` goal, before those of the field
            `extra_run_args`. `--rm` and `--interactive` are always passed, and `--tty` in a
            terminal.
            """
        ),
    )
    progress = EnumOption(
        default=ShownProgress.AUTO,
        help=softwrap(
            """
            What to show of a running build (`--progress`). A failed build always shows the failing
            step with its output.

            - `auto`: in a terminal, the start and end of steps that take longer than a second, and
            every few seconds the latest output; elsewhere, as in CI, the start and end of steps
            that take longer than five seconds. At the end, the warnings of BuildKit.

            - `quiet`: one line at the start of a build and one at its end.

            - `plain`: every step and all of its output, and the warnings.
            """
        ),
    )
    require_built = BoolOption(
        default=False,
        help=softwrap(
            """
            Whether to fail instead of building an image that is in no cache of Pants. For
            deployment jobs and machines without a builder.
            """
        ),
    )
    check_layers = BoolOption(
        default=False,
        help=softwrap(
            """
            Whether to ask registries for the layers of images, and not only for the manifest: once
            a day for each layer. An image that lost a layer is rebuilt.
            """
        ),
        advanced=True,
    )
    registry_timeout = IntOption(
        default=30,
        help="Seconds to wait for each response of a registry.",
        advanced=True,
    )
    tailor = BoolOption(
        default=True,
        help="Whether `tailor` adds `docker_buildkit_image` targets for Dockerfiles.",
        advanced=True,
    )

    @property
    def attests(self) -> bool:
        """Whether anything is said of an image beside it."""
        return bool(self.provenance or self.sbom_command)


class SignaturesSubsystem(Subsystem):
    options_scope = "docker-buildkit-signatures"
    help = "Sign what `publish` publishes, and verify signatures. Changing this rebuilds nothing."

    key = StrOption(
        default=None,
        help=softwrap(
            """
            The private key with which cosign signs each image that `publish` tags: `env=NAME`,
            `file=PATH` or `command=COMMAND`, which is read when it is needed, or a key in a key
            store as cosign names it, such as `awskms://…`. Empty by default: nothing is signed.
            """
        ),
    )
    password = StrOption(
        default=None,
        help=softwrap(
            """
            The password of `key`: `env=NAME`, `file=PATH` or `command=COMMAND`. Defaults to the
            environment variable `COSIGN_PASSWORD`, if it is set.
            """
        ),
    )
    signer = ShellStrListOption(
        help=softwrap(
            """
            A command that signs instead of cosign and `key`, with the protocol of rules_img's
            signers: it is run as `PROGRAM sign-oci-artifact ARGUMENT…`, gets the descriptor of an
            image in JSON, and prints an OCI image layout with the signature as a tar. It has the
            environment of Pants.
            """
        ),
    )
    sign_platforms = BoolOption(
        default=False,
        help=softwrap(
            """
            Whether to sign the image of each platform in addition to the image index (`cosign sign
            --recursive`).
            """
        ),
    )
    cosign = StrOption(
        default="cosign",
        help=softwrap(
            """
            The cosign program, 3.0.5 or later: a name to search for on
            `[docker-buildkit].executable_search_paths`, or a path relative to the build root.
            """
        ),
        advanced=True,
    )
    verify = DictOption[Any](
        help=softwrap(
            """
            Which signatures images must have: a table from a pattern of image names, such as
            `ghcr.io/org/*` or `python:3.*`, to what is accepted, as one table or as a list of
            alternatives. The longest matching pattern is used.

            ```
                [docker-buildkit-signatures.verify."registry.example/*"]
                key = "keys/platform.pub"

                [docker-buildkit-signatures.verify."cgr.dev/*"]
                identity = "https://github.com/chainguard-images/images/.github/workflows/release.yaml@refs/heads/main"
                issuer = "https://token.actions.githubusercontent.com"
            ```

            - `key`: a file with a public key, or a key in a key store.

            - `identity` or `identity_regexp`, and `issuer` or `issuer_regexp`: the subject and the
            issuer of a certificate.

            - `trusted_root`: a file with trusted certificates and logs, instead of the public
            Sigstore instance, for which cosign needs a network.

            - `transparency_log`: whether the signature must be in a transparency log. Defaults to
            true for identities, and to false for keys.

            - `unsigned = true`: no signature is needed. Cannot be combined with other settings.

            Base images are verified when `generate-lockfiles` writes their lock. For images of this
            repository, see `require_signed`.
            """
        ),
        fromfile=True,
    )
    require_signed = BoolOption(
        default=False,
        help=softwrap(
            """
            Whether images of this repository that are in a registry must be signed, as `verify`
            says for their names, before `run` starts them and before their references are written
            to manifests and files of references. An image that matches no pattern is an error.
            """
        ),
    )


class BuildReportSubsystem(Subsystem):
    options_scope = "docker-buildkit-report"
    help = "Report what a run built, step by step. Changing this rebuilds nothing."

    file = StrOption(
        default=None,
        metavar="<path>",
        help=softwrap(
            """
            Where to write the report of a run: a page (`.html`), trace events for
            https://ui.perfetto.dev (`.json`), or a summary (`.md`). The path is relative to the
            build root.
            """
        ),
    )
