"""Every exception that a rule raises.

    BuildKitImageError
    ├── InvalidImageFieldError        a field of a target has a value that it may not have
    │   ├── InvalidDockerfileError    the Dockerfile breaks a rule
    │   ├── NoImageError              a target that leaves files is used as an image
    │   └── MissingArtifactsError     a build left no files that a path matches
    ├── InvalidOptionError            so has an option
    ├── UnreadableIgnoreFileError     an ignore file is one that BuildKit refuses
    ├── UnusableCacheError            a session cannot have its directory in `named_caches_dir`
    ├── MissingContextFileError       the Dockerfile copies a file that no dependency provides
    ├── UnresolvedBaseImageError      a base image's digest cannot be found out
    ├── InvalidImageLockError         a lock file is none
    ├── NotLockedError                a build reads what its lock lacks
    ├── InvalidUserPolicyFileError    a source policy of the user's cannot be obeyed
    ├── ImageCycleError               an image needs itself
    ├── DeniedSourceError             a source policy of the user's denies what a build reads
    ├── ImageNotBuiltError            an image is in no cache, and nothing may be built
    ├── BuilderNotAskedError          a plan would have to ask a builder for its platform
    ├── ImageBuildError               the build ran, and failed
    │   ├── UnwritableContextError    before that, because its files cannot be brought to it
    │   └── ImageSourceChangedError   because a URL gives something else since it was looked at
    ├── InvalidRecordError            a cached result is not that of its build
    ├── ImageCheckError               a registry or engine cannot say whether it has an image
    ├── SbomError                     an image is not scanned
    ├── InvalidStructureTestFileError the file of an image's tests is none
    ├── AttestationError              what is said of an image cannot be put beside it
    ├── UnsignedImageError            an image is not signed as an option wants it
    ├── UnknownSignerError            no option says by whom an image must be signed
    ├── TagConflictError              two images are to have one name
    ├── LocalTagError                 the local engine could not name an image
    ├── ImageNotKeptError             a registry or engine took an image, and does not have it
    └── ImageLostError                an image was lost again and again

The pure modules have errors of their own; the rule that called them adds target, field and next
step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pants.engine.addresses import Address
from pants.engine.process import ProcessResultMetadata
from pants.util.strutil import bullet_list

from pants_docker_buildkit.buildx.user_policy import POLICY_VARIABLE
from pants_docker_buildkit.dockerfile.missing_sources import MissingSource
from pants_docker_buildkit.oci.listing import list_few
from pants_docker_buildkit.plans.reasons import Reason, reason_line
from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.session.disk_advice import advise
from pants_docker_buildkit.session.tag_plans import describe_conflict

_FEW = 5


class BuildKitImageError(Exception):
    """An image cannot be built, or its reference cannot be trusted."""


class InvalidImageFieldError(BuildKitImageError):
    """A field must hold something else. `requirement` completes "must …"."""

    def __init__(
        self, alias: str, address: Address, requirement: str, finding: str, next_step: str = ""
    ) -> None:
        step = f" {next_step}" if next_step else ""
        super().__init__(
            f"The `{alias}` field in target {address} must {requirement}, but {finding}.{step}"
        )
        self.alias = alias
        self._words = (requirement, finding, next_step)

    def written_in(self, address: Address) -> InvalidImageFieldError:
        """The same of the target that the value was taken from."""
        return InvalidImageFieldError(self.alias, address, *self._words)


class InvalidDockerfileError(InvalidImageFieldError):
    """The Dockerfile of a target cannot be built by any BuildKit.

    `path` is `None` where the field is the Dockerfile.
    """

    def __init__(
        self, alias: str, address: Address, path: str | None, reason: str, next_step: str = ""
    ) -> None:
        verb, finding = ("name", f"{path} is not one") if path else ("be", "they are not")
        because = f"{reason[:1].lower()}{reason[1:].rstrip('.')}"
        super().__init__(
            alias,
            address,
            f"{verb} a Dockerfile that BuildKit can build",
            f"{finding}: {because}",
            next_step,
        )


class NoImageError(InvalidImageFieldError):
    """A target is used as an image, but it leaves files."""

    def __init__(self, alias: str, address: Address) -> None:
        super().__init__(
            alias,
            address,
            "be left out where an image is needed",
            "the target produces files and no image",
            "Use another target for the image, or depend on this one for its files.",
        )


class MissingArtifactsError(InvalidImageFieldError):
    """A build left nothing that `paths` match. `found` is what it left of what was named.

    `directories` are those that platforms have, where there are several.
    """

    def __init__(
        self,
        alias: str,
        address: Address,
        paths: Iterable[str],
        found: Iterable[str],
        mode: tuple[str, str],
        directories: Iterable[str] = (),
    ) -> None:
        names = ", ".join(repr(each) for each in paths)
        has = list_few(list(found), _FEW) or "none"
        places = ", ".join(f"'{each}/'" for each in directories)
        platforms = f", where each platform has a directory: {places}" if places else ""
        super().__init__(
            alias,
            address,
            f"name what the stage has (`{mode[0]}` is {mode[1]!r})",
            f"nothing there matches {names}. Of all that it names, these are there: {has}",
            f"Paths are relative to the root of the stage{platforms}. Files belong in"
            " `output_files`, directories in `output_directories`.",
        )


class InvalidOptionError(BuildKitImageError):
    """An option must hold something else. `requirement` completes "must …"."""

    def __init__(
        self, option: str, requirement: str, finding: str, scope: str = "docker-buildkit"
    ) -> None:
        super().__init__(f"The option `[{scope}].{option}` must {requirement}, but {finding}.")


class InvalidStructureTestFileError(InvalidImageFieldError):
    """The file of an image's tests breaks a rule of its schema. `place` is a field in it."""

    def __init__(
        self, alias: str, address: Address, path: str, line: int, place: str, reason: str
    ) -> None:
        where = f" in `{place}`" if place else ""
        super().__init__(
            alias,
            address,
            "name a file of structure tests (schema 2.0.0 or 1.0.0)",
            f"line {line} of {path} breaks its rules{where}: {reason}",
            "Correct that line.",
        )


class UnreadableIgnoreFileError(BuildKitImageError):
    """BuildKit would refuse an ignore file. The rule that knows the field names it."""

    def __init__(self, finding: str) -> None:
        self.finding = finding
        super().__init__(f"An ignore file must be one that BuildKit can read, but {finding}.")


class UnusableCacheError(BuildKitImageError):
    """A session cannot keep there what its processes need, or not safely."""


class MissingContextFileError(BuildKitImageError):
    """The Dockerfile takes something from the build context that is not in it."""

    def __init__(
        self,
        address: Address,
        dockerfile: str,
        missing: MissingSource,
        outside: Iterable[str],
        advice: str = "",
    ) -> None:
        hint = f" Did you mean {missing.suggestion!r}?" if missing.suggestion else ""
        beyond = tuple(outside)
        if advice:
            hint = f" {advice}"
        elif not hint and beyond:
            hint = (
                f" Some dependencies lie outside of `context_root`, such as {beyond[0]!r}: paths"
                " are relative to that directory."
            )
        super().__init__(
            f"Line {missing.line} of {dockerfile} copies {missing.path!r}, but no dependency of"
            f" {address} provides it, or an ignore file excludes it."
            f"{hint or ' Add a target that has it to `dependencies`.'}"
        )


class UnresolvedBaseImageError(BuildKitImageError):
    """The Dockerfile names an image by a tag, and its registry does not tell the tag's digest.

    `reason` is a sentence, or several.
    """

    def __init__(self, reference: str, address: Address, line: int | None, reason: str) -> None:
        where = "" if line is None else f" (line {line} of its Dockerfile)"
        super().__init__(
            f"The base image {reference} of {address}{where} must have a digest, but its registry"
            f" did not return one. {reason} To build without asking, pin it as"
            f" '{reference}@sha256:…'. If it is a target of this repository, give an `ARG` its"
            " address and use that in `FROM`. What only the local engine has cannot be a base: make"
            " it a target."
        )


class InvalidImageLockError(BuildKitImageError):
    """A file is no lock. `requirement` completes "must …"."""

    def __init__(self, path: str, line: int, requirement: str, finding: str) -> None:
        super().__init__(
            f"Line {line} of the lock {path} must {requirement}, but {finding}. Correct it, or"
            " remove the file and run 'generate-lockfiles'."
        )


class NotLockedError(BuildKitImageError):
    """A build reads something by a name that its lock does not have.

    `others` are entries of the same repository. `finding` is what was found, as a sentence.
    """

    def __init__(
        self,
        address: Address,
        name: str,
        line: int | None,
        path: str,
        others: Iterable[str],
        command: str,
    ) -> None:
        known = ", ".join(others)
        where = f" (line {line} of its Dockerfile)" if line else ""
        instead = f", which has {known}" if known else ""
        self.finding = f"{address} reads {name}{where}, which is not in the lock {path}{instead}."
        super().__init__(
            f"What an image reads from outside must be in its lock, but {self.finding} Run"
            f" '{command}', or name what the lock has."
        )


class InvalidUserPolicyFileError(BuildKitImageError):
    """The source policy that the environment names. `requirement` completes "must …"."""

    def __init__(self, file: str, requirement: str, finding: str) -> None:
        super().__init__(
            f"The source policy {file}, which {POLICY_VARIABLE} names, must {requirement}, but"
            f" {finding}. Change it, or unset the variable: without it, too, a build reads nothing"
            " that is not pinned in its key."
        )


class DeniedSourceError(BuildKitImageError):
    """A build would read what the user's source policy denies."""

    def __init__(self, address: Address, identifier: str, file: str, selector: str) -> None:
        super().__init__(
            f"{address} must read only what the source policy {file} allows, which"
            f" {POLICY_VARIABLE} names, but it reads {redact(identifier)}, which its rule for"
            f" {selector!r} denies. Have the Dockerfile name something else, or change the policy."
        )


class ImageCycleError(BuildKitImageError):
    """An image is built from itself, through others perhaps. `way` begins and ends with it."""

    def __init__(self, way: Sequence[Address]) -> None:
        arrows = " → ".join(str(each) for each in way)
        super().__init__(
            f"The image {way[0]} must not need itself, but each of these needs the next: {arrows}."
            " Build one of them on another image, or take what they share into an image, or a"
            " stage, of its own."
        )


class ImageNotBuiltError(BuildKitImageError):
    """An image is in no cache of Pants, and nothing may be built. `reasons` are why it would be.

    `missing` are the images of the session of which that is so, each with its reasons.
    """

    def __init__(
        self, address: Address, reasons: Iterable[Reason], missing: Mapping[str, str] | None = None
    ) -> None:
        self.address = address
        self.reasons = tuple(reasons)
        listed = missing or {address.spec: reason_line(self.reasons)}
        lines = bullet_list(f"{target} ({reason})" for target, reason in listed.items())
        super().__init__(
            "Images must be in a cache of Pants, because `[docker-buildkit].require_built` is set,"
            f" but these would have to be built:\n\n{lines}\n\nThose that need them were not looked"
            " at. Build them with `package` where the option is off, with a remote cache that this"
            " machine reads, or switch it off here. `plan-images` says more."
        )


class BuilderNotAskedError(BuildKitImageError):
    """What a build is depends on the platform of its builder, whom a plan does not ask."""

    def __init__(self, address: Address, builder: str | None) -> None:
        self.address = address
        super().__init__(
            f"{address} uses the platform of its builder, but a plan does not ask the builder"
            f" {builder or 'in use'} for it, and nobody has before. Run `package` once, or set"
            " `[docker-buildkit].build_platform`."
        )


class ImageBuildError(BuildKitImageError):
    """buildx failed. `reason` is what it said, `process` what Pants says of its process."""

    def __init__(
        self, address: Address, reason: str, process: ProcessResultMetadata | None = None
    ) -> None:
        self.process = process
        super().__init__(f"Building {address} failed:\n\n{reason.strip()}")


class UnwritableContextError(ImageBuildError):
    """The files of a context cannot be brought to where its build takes them from.

    `finding` is `None` where that directory is gone.
    """

    def __init__(self, address: Address, session: Path, finding: str | None) -> None:
        if finding is None:
            why = "it vanished. Run this again, and check whether something cleans"
        else:
            advice = advise(finding, "Make sure that you can write there")
            why = f"{finding.rstrip('.')}. {advice}, or choose another"
        super().__init__(
            address,
            f"The files of its context must be written to {session} before it is built, but:"
            f" {why} `[GLOBAL].named_caches_dir`.",
        )


class ImageSourceChangedError(ImageBuildError):
    """A URL gave BuildKit something else than what the key says."""


class InvalidRecordError(BuildKitImageError):
    """What the process cache returned cannot be the result of the build."""

    def __init__(self, address: Address, reason: str) -> None:
        super().__init__(
            f"The cached result of {address} must be that of its build, but: {reason.rstrip('.')}."
            " Delete the directory `[GLOBAL].local_store_dir`, and run once with"
            " --no-remote-cache-read, which replaces the entry in a remote cache, too, if this"
            " machine writes to it."
        )


class ImageCheckError(BuildKitImageError):
    """Nobody says whether an image that Pants has a record of is still there."""

    def __init__(self, address: Address, reason: str) -> None:
        super().__init__(
            f"The image {address} has a record, but it is not known whether it is still there, so"
            f" its reference cannot be trusted. {reason}"
        )


class ImageNotKeptError(BuildKitImageError):
    """A push went through without an error, and the image is not there."""

    def __init__(self, address: Address, reference: str) -> None:
        super().__init__(
            f"The image {address} was built and sent without an error, but {reference} is not"
            " there. Check whether a retention policy or a proxy in front of the registry drops it."
        )


class ImageLostError(BuildKitImageError):
    """The chain of builds that replace each other has become too long."""

    def __init__(self, address: Address, times: int) -> None:
        super().__init__(
            f"The image {address} was lost in its registry {times} times, and is not built again."
            " Keep the registry from dropping it, then change anything about the image, such as a"
            " label, to start anew."
        )


class SbomError(BuildKitImageError):
    """There is no SBOM of an image that should have one. `reason` is a sentence."""

    def __init__(self, address: Address, reason: str) -> None:
        super().__init__(
            f"{address} must have an SBOM. {reason} Correct the command, or set"
            " `[docker-buildkit].sbom_command` to [] to have none."
        )


class AttestationError(BuildKitImageError):
    """A registry has an image, and does not take what is said of it."""

    def __init__(self, address: Address, reason: str) -> None:
        super().__init__(
            f"What is said of {address} must be beside its image, but: {reason} Or switch"
            " `[docker-buildkit].provenance` and `sbom_command` off."
        )


class UnsignedImageError(BuildKitImageError):
    """An image is not signed as it must be, or that could not be found out.

    `who` is the image, and what it is for; `pattern` what made it be verified; `reason` sentences.
    """

    def __init__(self, who: str, pattern: str, reason: str) -> None:
        super().__init__(
            f"{who} must be signed as '[docker-buildkit-signatures].verify' says for {pattern!r}."
            f" {reason} Sign it, which `publish` does for images of this repository, correct the"
            " entry, or exempt the image with an entry of its own that has `unsigned = true`."
        )


class UnknownSignerError(BuildKitImageError):
    """An image must be signed, and no option says by whom."""

    def __init__(self, who: str, names: Iterable[str]) -> None:
        super().__init__(
            f"{who} must be signed, because '[docker-buildkit-signatures].require_signed' is set,"
            f" but no pattern of `verify` there matches {', '.join(names)}. Add one, or switch"
            " `require_signed` off."
        )


class TagConflictError(BuildKitImageError):
    """Several targets, given as addresses, have one tag for different images."""

    def __init__(self, name: str, targets: Iterable[str]) -> None:
        super().__init__(describe_conflict(name, targets))


class LocalTagError(BuildKitImageError):
    """An image is in the local engine, but not by a name that it should have there."""

    def __init__(self, address: Address, tag: str, finding: str) -> None:
        super().__init__(
            f"The image {address} is in the local Docker Engine, but could not be tagged {tag}"
            f" there: {finding.rstrip('.')}. Choose another repository or tag."
        )
