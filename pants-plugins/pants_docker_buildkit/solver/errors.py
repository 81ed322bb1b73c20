"""What keeps a build process from building, in words for the user.

The process prints the text on its standard error and exits with `EXIT_FAILED`; the rule that ran it
adds the target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pants_docker_buildkit.session.directory import EXIT_CONTEXT_NEEDED

EXIT_FAILED = 1

EXIT_INTERRUPTED = 130
"""As shells say it of a program that SIGINT ended."""


EXIT_TESTS_FAILED = 3
"""Tests of an image were run, and some failed."""


EXIT_SOURCE_CHANGED = 76
"""A URL gave something else than when the build was defined (`EX_PROTOCOL`)."""


class SolverError(Exception):
    """A build cannot be run, or gave no image. The text ends with the next step.

    `exit_code` is that of the process.
    """

    exit_code = EXIT_FAILED


class OtherVersionError(SolverError):
    """The session says something that this version of the plugin does not say."""

    def __init__(self, finding: str) -> None:
        super().__init__(
            "Pants and the processes that it starts must run the same version of the plugin, but it"
            f" was changed while Pants ran (of what a process is told, {finding}). Run this again;"
            " if that does not help, end the process `pantsd`."
        )


class DockerNotFoundError(SolverError):
    """There is no `docker` to build with."""

    def __init__(self, search_path: str) -> None:
        self.search_path = search_path
        super().__init__(
            "Building needs the Docker CLI with buildx, but no executable 'docker' or"
            f" 'docker-buildx' is on the path {search_path!r}. Install Docker 23 or later, or set"
            " '[docker-buildkit].executable_search_paths'. An image that Pants has a record of"
            " needs no Docker."
        )


class ChosenDockerError(SolverError):
    """What `[docker-buildkit].docker` names cannot be run."""

    def __init__(self, chosen: str, search_path: str) -> None:
        where = "" if "/" in chosen else f" on the path {search_path!r}"
        super().__init__(
            "The option '[docker-buildkit].docker' must name an executable 'docker' or"
            f" 'docker-buildx', but {chosen!r} is not one{where}. Correct it, or leave it out to"
            " have one searched for. An image that Pants has a record of needs no Docker."
        )


class BuildxNotFoundError(SolverError):
    """The `docker` that was found has no buildx."""

    def __init__(self, docker: str) -> None:
        super().__init__(
            f"Building needs buildx, but '{docker} buildx' is not a command of this Docker CLI."
            " Install the docker-buildx-plugin package, or put 'docker-buildx' into"
            " ~/.docker/cli-plugins."
        )


class NulByteError(SolverError):
    """A field or option holds what no command can be told."""

    def __init__(self, argument: str) -> None:
        super().__init__(
            f"What buildx is told must have no NUL byte, but {argument!r} has one. Remove it from"
            " the field or option that says so."
        )


class ContextNeededError(SolverError):
    """Files of the contexts are missing. The rule that ran the process brings them."""

    exit_code = EXIT_CONTEXT_NEEDED

    def __init__(self) -> None:
        super().__init__("The contexts have to be brought up to date.")


class BuildxConfigError(SolverError):
    """buildx cannot keep its state, which is in the home directory by default."""

    def __init__(self, directory: str, finding: str) -> None:
        super().__init__(
            f"buildx needs to write to {directory}, but cannot: {_ended(finding)} Make that"
            " directory writable, or point BUILDX_CONFIG, or HOME, at another one."
        )


class EngineUnreachableError(SolverError):
    """No Docker Engine answers where one is needed."""

    def __init__(self, where: str, finding: str) -> None:
        super().__init__(
            f"Building needs BuildKit, but the Docker Engine at {where} does not answer:"
            f" {_ended(finding)} Start it, point DOCKER_HOST or 'docker context use' at another"
            " one, or name a builder in '[docker-buildkit].builder'. An image that Pants has a"
            " record of needs no engine."
        )


class TurnedAwayError(SolverError):
    """The SSH server of an engine takes no more connections now."""

    def __init__(self, where: str, finding: str) -> None:
        super().__init__(
            f"The SSH server of the Docker Engine at {where} turned the connection away, again and"
            f" again: {_ended(finding)} Raise 'MaxStartups' in its sshd_config, or have fewer"
            " images built at once with '[docker-buildkit].max_builds'."
        )


class PodmanEngineError(SolverError):
    """The only engine that could be meant is Podman's."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"Building needs BuildKit, but the engine at {where} is Podman's, which has none. Start"
            " a Docker Engine or a BuildKit: make the latter a builder with 'docker buildx create"
            " --driver remote --name NAME unix:///run/buildkit/buildkitd.sock', for example, and"
            " name it in '[docker-buildkit].builder'. An image that Pants has a record of needs no"
            " engine."
        )


class OtherBuildPlatformError(SolverError):
    """The nodes of a builder have other platforms than the build was defined for."""

    def __init__(
        self, builder: str, wanted: Sequence[tuple[str, str]], found: Sequence[str]
    ) -> None:
        pairs = ", ".join(f"{target} on {native}" for target, native in wanted)
        super().__init__(
            "The Dockerfile uses the platform of its builder, and no build argument can stand in"
            f" for it. It must be {pairs}, but the nodes of the builder {builder!r} are"
            f" {', '.join(found) or 'unknown'}. Choose another builder, or correct"
            " '[docker-buildkit].build_platform'."
        )


class OtherDefaultPlatformError(OtherBuildPlatformError):
    """A builder does not build for the platform that was taken for the default."""

    def __init__(self, builder: str, wanted: str, found: Sequence[str]) -> None:
        SolverError.__init__(
            self,
            "The target names no `platforms`, and its last stage is based on an image for another"
            f" platform than {wanted}. So the builder must be for {wanted}, but the builder"
            f" {builder!r} is for {', '.join(found) or 'an unknown one'}. Set `platforms`, or"
            " choose another builder.",
        )


class UnreadableBaseError(SolverError):
    """The configuration of a base image cannot be read."""

    def __init__(self, reference: str, finding: str) -> None:
        super().__init__(f"What {reference} triggers (ONBUILD) is not known: {finding}")


class ImageNotScannedError(SolverError):
    """There is no SBOM of an image."""

    def __init__(self, reference: str, finding: str) -> None:
        super().__init__(
            f"The SBOM of {reference} must be what '[docker-buildkit].sbom_command' prints, but:"
            f" {finding}"
        )


class UnknownBuilderError(SolverError):
    """No builder has the name that was asked for, or it does not answer or boot."""

    def __init__(self, name: str, finding: str) -> None:
        super().__init__(
            f"The builder {name!r} cannot be used: {_ended(finding)} List the builders there are"
            " with 'docker buildx ls', create one with 'docker buildx create' or describe one in"
            " '[docker-buildkit.builders]', or change what names it: the 'builder' field,"
            " '[docker-buildkit].builder' or BUILDX_BUILDER."
        )


class BuilderNotReadyError(SolverError):
    """A builder that the options describe cannot be used. `requirement` completes "must …"."""

    def __init__(self, name: str, requirement: str, finding: str, next_step: str = "") -> None:
        self.name = name
        self.finding = f"must {requirement}, but: {_ended(finding)}"
        self.next_step = next_step
        step = f" {next_step}" if next_step else ""
        super().__init__(f"The builder of '[docker-buildkit.builders.{name}]' {self.finding}{step}")


class BuilderNotBootedError(BuilderNotReadyError):
    """A builder that the options describe did not boot when it was told to."""


class PoolNotReadyError(BuilderNotReadyError):
    """No endpoint of a pool can be used. `lost` says of each why, `refused` of those that answer.

    At least one must be lost.
    """

    def __init__(
        self,
        lost: Mapping[str, BuilderNotReadyError],
        refused: Mapping[str, OtherBuildPlatformError],
    ) -> None:
        lines = [f"{endpoint} {each.finding}" for endpoint, each in lost.items()]
        lines += [f"{endpoint} answers, but: {each}" for endpoint, each in refused.items()]
        steps = dict.fromkeys(each.next_step for each in lost.values() if each.next_step)
        self.name = next(each.name for each in lost.values())
        self.finding, self.next_step = "; ".join(lines), " ".join(steps)
        SolverError.__init__(
            self,
            "\n".join(
                [
                    f"No endpoint of '[docker-buildkit.builders.{self.name}]' can build:",
                    *(f"  {line}" for line in lines),
                    *steps,
                ]
            ),
        )


class BuildTimeoutError(SolverError):
    """A build took longer than it may. `output` is what it did until then."""

    def __init__(self, seconds: int, output: str) -> None:
        super().__init__(
            f"The build was ended because it took more than {seconds} seconds, the"
            " `build_timeout`. Raise that in the target or in '[docker-buildkit]', or see what"
            f" it waited for:\n{output}"
        )


class TestsTimeoutError(SolverError):
    """The tests of an image took longer than they may. `output` is what they did until then."""

    __test__ = False

    def __init__(self, seconds: int, output: str) -> None:
        super().__init__(
            f"The tests were ended because they took more than {seconds} seconds, the `timeout`."
            f" Raise that in the target or in '[test]', or see what they waited for:\n{output}"
        )


class TestsNotRunError(SolverError):
    """The build that runs the tests of an image failed: no test is judged."""

    __test__ = False

    def __init__(self, failure: str) -> None:
        super().__init__(
            "The tests could not be run. Each command must be one that a container of the image"
            f" can start:\n{failure}"
        )


class HelperImageError(SolverError):
    """The builder has no access to the image whose programs look at what is tested."""

    def __init__(self, helper: str, failure: str) -> None:
        super().__init__(
            "The tests could not be run. `[docker-buildkit-tests].helper_image` must be an image"
            f" that the builder can pull, but {helper} is not. Push an image with a static"
            " /bin/busybox to a registry of your own, and name it there by digest:\n"
            f"{failure}"
        )


class UntestedImageError(SolverError):
    """An image that is to be tested cannot be read."""

    def __init__(self, image: str, finding: str) -> None:
        super().__init__(f"The tests need to read {image}, but cannot: {_ended(finding)}")


class BuilderLostError(SolverError):
    """The connection to a builder broke off while it built."""

    def __init__(self, name: str, finding: str, advice: str) -> None:
        self.name = name
        self.finding = finding
        self.advice = advice
        super().__init__(
            f"The builder {name!r} was lost while it built, and again when the build was repeated:"
            f" {_ended(finding)} {advice} A builder that is short of memory is killed: give it"
            " more, or let Pants run less at the same time."
        )


class LayerLostError(SolverError):
    """Neither the builder nor the registry of an image has a layer that the build needs."""

    def __init__(self, failure: str, layer: str) -> None:
        self.layer = layer
        super().__init__(
            f"{failure}\nNeither the builder nor the registry has the layer {layer}, though the"
            " manifest of its image is there. Run this with --docker-buildkit-check-layers, which"
            " builds again what is not whole of this repository. Push an image from elsewhere"
            " again."
        )


class TagMovedError(SolverError):
    """The builder's copy of a Git repository has a tag where it was before."""

    def __init__(self, failure: str, repository: str) -> None:
        self.repository = repository
        super().__init__(
            f"{failure}\nTags of several repositories moved, {repository} among them, which"
            " BuildKit before 0.26 refuses once for each. Run this again."
        )


class GitNameError(SolverError):
    """A branch or tag of Git is no more what it was pinned to, or the builder cannot say so.

    The text is of the build, which can still be had by the commit.
    """

    def __init__(self, failure: str, finding: str) -> None:
        self.finding = finding
        super().__init__(failure)


class BuilderGoneError(SolverError):
    """A builder was lost while it built, and did not come back."""

    def __init__(self, lost: BuilderLostError, reason: str) -> None:
        super().__init__(
            f"The builder {lost.name!r} was lost while it built: {_ended(lost.finding)} The build"
            f" could not be repeated, because it did not come back. {lost.advice}\n\n{reason}"
        )


class ContainerdStoreError(SolverError):
    """The engine keeps images in a store that cannot do what the output needs."""

    def __init__(self, output: str) -> None:
        super().__init__(
            f"The output {output!r} needs a Docker Engine with the containerd image store, but this"
            " one has the older store. Turn it on ('features': {'containerd-snapshotter': true} in"
            " the engine's daemon.json), or create a builder with 'docker buildx create"
            " --driver docker-container' and name it in '[docker-buildkit].builder'."
        )


class OldBuildxError(SolverError):
    """buildx would not hand on what a build may read."""

    def __init__(self, version: tuple[int, int], oldest: tuple[int, int]) -> None:
        super().__init__(
            f"Building needs buildx {_dotted(oldest)} or later, but this is {_dotted(version)}. An"
            " older one ignores the source policy that keeps a build from reading what is not in"
            " its key. Install the docker-buildx-plugin package, or put a newer 'docker-buildx'"
            " into ~/.docker/cli-plugins."
        )


class NoPoliciesError(SolverError):
    """buildx would ignore the policies in Rego that the image has."""

    def __init__(self, version: tuple[int, int] | None, oldest: tuple[int, int]) -> None:
        found = "one that does not say its version" if version is None else _dotted(version)
        super().__init__(
            "The image has a policy in Rego (a '.rego' file beside its Dockerfile, or one of"
            f" '[docker-buildkit].policies'), which buildx {_dotted(oldest)} or later obeys, but"
            f" this is {found}. An older one ignores it without a word. Put a newer 'docker-buildx'"
            " into ~/.docker/cli-plugins, or remove the policy."
        )


class NoResourcesError(SolverError):
    """buildx cannot limit what steps take."""

    def __init__(self, version: tuple[int, int], oldest: tuple[int, int]) -> None:
        super().__init__(
            "The field `resources` of the image, or '[docker-buildkit].resources', limits what"
            f" steps take, which buildx {_dotted(oldest)} or later can do, but this is"
            f" {_dotted(version)}. Put a newer 'docker-buildx' into ~/.docker/cli-plugins, or"
            " remove the limits."
        )


class OldBuildKitError(SolverError):
    """A builder would read what is not in the key of a build."""

    def __init__(self, builder: str, version: tuple[int, int], oldest: tuple[int, int]) -> None:
        super().__init__(
            f"The builder {builder!r} must run BuildKit {_dotted(oldest)} or later, but it runs"
            f" {_dotted(version)}, which ignores the source policy that keeps a build from reading"
            " what is not in its key. Update its Docker Engine or the image of its BuildKit, or"
            " name another builder in the 'builder' field or '[docker-buildkit].builder'."
        )


class SourceChangedError(SolverError):
    """A URL gave something else than when the build was defined. The text is of the build."""

    exit_code = EXIT_SOURCE_CHANGED


class BuildFailedError(SolverError):
    """BuildKit ran the build, and it failed."""


class UnusableArchiveError(SolverError):
    """A file that should hold an image does not hold a whole one. The text is a finding."""


class LayoutNotLoadedError(SolverError):
    """The engine did not take an image from its layout."""

    def __init__(self, finding: str) -> None:
        super().__init__(
            "Running the image needs it in the local Docker Engine, which did not load its layout:"
            f" {_ended(finding)} Docker 25 or later loads OCI image layouts; those of several"
            " platforms need its containerd image store."
        )


class ImageNotPulledError(SolverError):
    """The engine did not get an image that is to be run."""

    def __init__(self, reference: str, finding: str) -> None:
        super().__init__(
            f"Running the image needs {reference} in the Docker Engine, which did not pull it:"
            f" {_ended(finding)} Check that the engine reaches the registry, and that the"
            " credentials for it may pull."
        )


class DockerCliNeededError(SolverError):
    """Something needs `docker` itself, and there is none, or only a stand-alone buildx."""

    def __init__(self, what: str, search_path: str) -> None:
        super().__init__(
            f"{what} needs the Docker CLI, but no executable 'docker' is on the path"
            f" {search_path!r}. Install Docker 23 or later, or set '[docker-buildkit].docker' or"
            " '[docker-buildkit].executable_search_paths'."
        )


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def _ended(finding: str) -> str:
    """What a program said, with one mark at its end: some programs put one there, some do not."""
    text = finding.strip()
    return text if text.endswith((".", "?", "!")) else f"{text}."
