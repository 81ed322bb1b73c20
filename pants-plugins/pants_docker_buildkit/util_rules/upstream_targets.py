"""Which targets does an image refer to, in its Dockerfile and in `build_contexts`?"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pants.engine.addresses import Address, Addresses
from pants.engine.target import Target

from pants_docker_buildkit.compat import concurrently, implicitly, resolve_address_targets, rule
from pants_docker_buildkit.dockerfile.analysis import DockerfileAnalysis, OriginKind
from pants_docker_buildkit.dockerfile.git_source import parse_git_source
from pants_docker_buildkit.dockerfile.named_contexts import is_image_reference, same_names
from pants_docker_buildkit.dockerfile.remote_sources import remote_kind
from pants_docker_buildkit.errors import ImageCycleError, InvalidImageFieldError
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet, has_build
from pants_docker_buildkit.oci.reference import ImageReference, InvalidImageReferenceError
from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.util_rules.dockerfile import ImageDockerfile, read_image_dockerfile
from pants_docker_buildkit.util_rules.written_addresses import (
    KnownAddresses,
    WrittenAddresses,
    WrittenAddressesRequest,
    known_addresses_in,
    resolve_written_addresses,
)

logger = logging.getLogger(__name__)

_DOCKER_IMAGE = "docker-image://"
_NAMES_A_VERSION = re.compile(r":(v?[0-9][^/]*|latest)\Z|@")
"""A tag as those of public images, which no target is called, or a digest."""

_PASSWORD = re.compile(r"[a-z]+://[^/?#]*:[^/?#]*@|https?://[^/?#]*@")


@dataclass(frozen=True)
class UpstreamTargets:
    """The targets that an image refers to, and the images and repositories that it names itself.

    `contexts` are those that its build reaches as far as its Dockerfile says. `others` it may reach
    by what its bases trigger: they cannot change the image unless it does.
    `arguments` are from the name of a global `ARG` to a target, `contexts` from the name of a build
    context to a target, `images` and `remote` from the name of a build context to a reference, with
    a tag or a digest, or to a URL.
    `copied` are from the name of an `ARG` to a target whose package a `COPY` takes by it.
    """

    arguments: tuple[tuple[str, Address], ...]
    contexts: tuple[tuple[str, Address], ...]
    images: tuple[tuple[str, str], ...]
    remote: tuple[tuple[str, str], ...]
    copied: tuple[tuple[str, Address], ...] = ()
    others: tuple[tuple[str, Address], ...] = ()

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All targets that stand for images or contexts which the build needs, each once."""
        pairs = (*self.arguments, *self.contexts)
        return tuple(dict.fromkeys(address for _, address in pairs))

    def reaching(self, analyses: Iterable[DockerfileAnalysis]) -> UpstreamTargets:
        """The same for a build that does all of this: what bases trigger is known by now."""
        names = reached_contexts(dict(self.others), analyses) if self.others else set[str]()
        if not names:
            return self
        reached = tuple(each for each in self.others if each[0] in names)
        others = tuple(each for each in self.others if each[0] not in names)
        return replace(self, contexts=tuple(sorted((*self.contexts, *reached))), others=others)


def _literal_images(dockerfile: ImageDockerfile, arguments: Iterable[str]) -> dict[str, int]:
    """The images that `FROM`, `COPY --from` and mounts name without an `ARG`, with their lines."""
    by_argument = set(arguments)
    return {
        origin.text: origin.line
        for analysis in dockerfile.analyses
        for origin in analysis.origins
        if origin.kind is OriginKind.IMAGE and origin.text not in by_argument
    }


def _meant_directory(field_set: BuildKitImageFieldSet, text: str) -> str:
    """Where a target would be, if the name of an image were its address."""
    path, colon, _ = text.partition(":")
    if not path and colon:
        return field_set.address.spec_path
    return path[2:] if path.startswith("//") else path


def _check_literal_images(
    field_set: BuildKitImageFieldSet,
    dockerfile: ImageDockerfile,
    literals: Mapping[str, int],
    known: KnownAddresses,
) -> None:
    """Notice where an image of this repository seems to be meant, and Docker Hub would be asked.

    An address means a target in an `ARG` only, as for `docker_image`: in a `FROM`, BuildKit would
    trust whoever owns that name.
    """
    for text, line in literals.items():
        path, colon, name = text.partition(":")
        directory = _meant_directory(field_set, text)
        images = known.images.get(directory, ())
        if not images or (not path and not colon):
            continue
        meant = ""
        if is_image_reference(text):
            meant = f" If an image is meant, write {str(ImageReference.parse_familiar(text))!r}."
        if (name or directory.rpartition("/")[2]) in images:
            reason = (
                f"line {line} names the image {text!r}, which is the address of a target, and"
                " addresses mean targets in an ARG only"
            )
            advice = f"Write 'ARG BASE={text}' before the first FROM, and '$BASE' in its place"
            other = f', or set `build_contexts={{"base": "{text}"}}` and write \'base\'.'
            raise dockerfile.error(field_set, reason, f"{advice}{other}{meant}")
        if not _NAMES_A_VERSION.search(text) and colon:
            logger.warning(
                f"Line {line} of {dockerfile.name} of {field_set.address} names {text!r}, which is"
                f" looked up at Docker Hub, not in this repository."
                f" {known.neighbours([Address(directory)])}{meant}"
            )


async def _refuse_literal_targets(
    field_set: BuildKitImageFieldSet, dockerfile: ImageDockerfile, arguments: Iterable[str]
) -> None:
    literals = _literal_images(dockerfile, arguments)
    if literals:
        known = await known_addresses_in(_meant_directory(field_set, each) for each in literals)
        _check_literal_images(field_set, dockerfile, literals, known)


@rule(desc="Find targets that an image refers to")
async def find_upstream_targets(field_set: BuildKitImageFieldSet) -> UpstreamTargets:
    dockerfile = await read_image_dockerfile(field_set, **implicitly())
    images, remote, wanted = _sort_contexts(field_set)
    arguments = {
        argument.name: (argument.value, argument.line)
        for analysis in dockerfile.analyses
        for argument in analysis.image_arguments
        if argument.value
    }
    values = [value for value, _ in arguments.values()]
    await _refuse_literal_targets(field_set, dockerfile, values)
    copied = _copied_arguments(dockerfile)
    if not (arguments or wanted or copied):
        return UpstreamTargets((), (), images, remote)
    texts = (*values, *copied.values(), *(value for _, value in wanted))
    written = await resolve_written_addresses(
        WrittenAddressesRequest(field_set.address, texts), **implicitly()
    )
    found_arguments = _argument_targets(field_set, dockerfile, arguments, written)
    contexts = []
    for name, value in wanted:
        target = written.existing(value)
        if target is None:
            raise field_set.error(
                field_set.build_contexts,
                "name targets that exist",
                f"for {name!r} it names {value!r}",
                written.known.neighbours(written.by_text[value])
                or "Write the address of a target, 'docker-image://' with a reference, or a URL.",
            )
        several = written.known.why_not_one(target)
        if several:
            finding = f"for {name!r} it names {value!r}, which {several}"
            raise field_set.error(field_set.build_contexts, "name one image", finding)
        contexts.append((name, target))
    found_copied = ((name, written.existing(value)) for name, value in copied.items())
    unknown = UpstreamTargets(
        tuple(found_arguments),
        (),
        images,
        remote,
        copied=tuple((name, target) for name, target in found_copied if target is not None),
        others=tuple(contexts),
    )
    upstream = unknown.reaching(dockerfile.analyses)
    if field_set.address in upstream.addresses:
        raise ImageCycleError((field_set.address, field_set.address))
    return upstream


def _copied_arguments(dockerfile: ImageDockerfile) -> dict[str, str]:
    """The values of `ARG`s that a `COPY` or mount takes from the context, if they may be addresses.

    As for `docker_image`, such an address stands for the path of what `package` writes.
    """
    stages = (stage for analysis in dockerfile.analyses for stage in analysis.reachable_stages)
    return {
        argument.name: argument.value
        for stage in stages
        for argument in stage.arguments
        if argument.value
        and ":" in argument.value
        and any(argument.value.lstrip("/") == each.path for each in stage.context_paths)
    }


def _argument_targets(
    field_set: BuildKitImageFieldSet,
    dockerfile: ImageDockerfile,
    arguments: Mapping[str, tuple[str, int]],
    written: WrittenAddresses,
) -> list[tuple[str, Address]]:
    """The targets that values of `ARG`s are, by the name of the `ARG`."""
    found = []
    for name, (value, line) in arguments.items():
        target = written.existing(value)
        if target is not None:
            several = written.known.why_not_one(target)
            if several:
                reason = f"line {line} gives ARG {name} the value {value!r}, which {several}"
                raise dockerfile.error(field_set, reason)
            found.append((name, target))
            continue
        neighbours = written.known.neighbours(written.by_text[value])
        if not is_image_reference(value):
            reason = (
                f"line {line} gives ARG {name} the value {value!r}, which is neither an image"
                " reference nor the address of a target that exists"
            )
            raise dockerfile.error(field_set, reason, neighbours)
        if neighbours and not _NAMES_A_VERSION.search(value):
            # Whoever owns that name at Docker Hub would be trusted with the build.
            reason = (
                f"line {line} gives ARG {name} the value {value!r}, which looks like the address of"
                " a target that does not exist"
            )
            hub = ImageReference.parse_familiar(value)
            next_step = f"{neighbours} If an image is meant, write {str(hub)!r}."
            raise dockerfile.error(field_set, reason, next_step)
    return found


def reached_contexts(contexts: Iterable[str], analyses: Iterable[DockerfileAnalysis]) -> set[str]:
    """The names of those of `contexts` that the build uses, on any platform."""
    names = set(contexts)
    reached = set[str]()
    for analysis in analyses:
        used = analysis.named_contexts
        if used is None:
            return names
        reached |= used
        if analysis.frontend_context is not None:
            reached.add(analysis.frontend_context)
    return names & reached


def _check_context_names(field_set: BuildKitImageFieldSet, names: Sequence[str]) -> None:
    """Refuse what buildx takes for no name. BuildKit would look for an image in its place."""
    for name in names:
        try:
            ImageReference.parse_familiar(name)
        except InvalidImageReferenceError as e:
            lower = name.lower()
            raise field_set.error(
                field_set.build_contexts,
                f"name contexts like images, each of which must {e.requirement}",
                f"{name!r} is one of them",
                f"Write {lower!r}." if is_image_reference(lower) else "",
            ) from e
    same = same_names(names)
    if same is not None:
        finding = f"{same[0]!r} and {same[1]!r} mean the same"
        raise field_set.error(field_set.build_contexts, "have each name once", finding)


def _sort_contexts(
    field_set: BuildKitImageFieldSet,
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """The images, URLs and addresses of `build_contexts`. What may move is pinned later."""
    images, remote, addresses = [], [], []
    contexts = sorted((field_set.build_contexts.value or {}).items())
    _check_context_names(field_set, [name for name, _ in contexts])
    for name, value in contexts:
        if value.startswith(_DOCKER_IMAGE):
            images.append((name, _spelled_out(field_set, name, value)))
        elif remote_kind(value) is not None:
            if _PASSWORD.match(value):
                raise _bad_context(
                    field_set,
                    "have no password in Git URLs, which caches would show to others (give BuildKit"
                    " a secret with the ID 'GIT_AUTH_TOKEN')"
                    if parse_git_source(value) is not None
                    else "have no password in URLs, which caches would show to others",
                    name,
                    value,
                )
            remote.append((name, value))
        else:
            addresses.append((name, value))
    return tuple(images), tuple(remote), tuple(addresses)


def _spelled_out(field_set: BuildKitImageFieldSet, name: str, value: str) -> str:
    try:
        return str(ImageReference.parse_familiar(value[len(_DOCKER_IMAGE) :]))
    except InvalidImageReferenceError as e:
        requirement = f"name images by references, each of which must {e.requirement}"
        raise _bad_context(field_set, requirement, name, value) from e


def _bad_context(
    field_set: BuildKitImageFieldSet, requirement: str, name: str, value: str
) -> InvalidImageFieldError:
    finding = f"{name!r} is {redact(value)!r}"
    return field_set.error(field_set.build_contexts, requirement, finding)


async def targets_at(addresses: Iterable[Address]) -> dict[Address, tuple[Target, ...]]:
    """What is behind each address: one target, or those that it generates."""
    wanted = tuple(addresses)
    found = await concurrently(
        resolve_address_targets(**implicitly(Addresses([address]))) for address in wanted
    )
    return {address: tuple(each) for address, each in zip(wanted, found)}


async def read_upstream_dockerfiles(targets: UpstreamTargets) -> Mapping[Address, ImageDockerfile]:
    """The Dockerfiles of the images of the repository that an image refers to."""
    images = {
        address: BuildKitImageFieldSet.create(found[0])
        for address, found in (await targets_at(targets.addresses)).items()
        if len(found) == 1 and has_build(found[0])
    }
    dockerfiles = await concurrently(
        read_image_dockerfile(each, **implicitly()) for each in images.values()
    )
    return dict(zip(images, dockerfiles))
