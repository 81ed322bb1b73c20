"""Which images do the references in a target's fields or files stand for?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.core.goals.package import EnvironmentAwarePackageRequest
from pants.engine.addresses import Address, Addresses
from pants.engine.target import Target

from pants_docker_buildkit.built_image import image_in
from pants_docker_buildkit.compat import (
    concurrently,
    environment_aware_package,
    implicitly,
    resolve_address_targets,
    rule,
)
from pants_docker_buildkit.errors import InvalidImageFieldError
from pants_docker_buildkit.fields.naming import ImageOutput, RunOutput
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet, artifacts_field, is_image
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.references.refs_file import PinnedImage
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem, SignaturesSubsystem
from pants_docker_buildkit.util_rules.image_names import Naming
from pants_docker_buildkit.util_rules.registries import read_configured_registries
from pants_docker_buildkit.util_rules.session import keep_session
from pants_docker_buildkit.util_rules.signatures import SignatureCheckRequest, check_signature
from pants_docker_buildkit.util_rules.written_addresses import (
    KnownAddresses,
    WrittenAddressesRequest,
    resolve_written_addresses,
)


@dataclass(frozen=True)
class ImageMention:
    """A place that should name an image target. `place` says where: `'APP'`, `line 3 of a.yaml`."""

    text: str
    place: str


@dataclass(frozen=True)
class MentionedTargetsRequest:
    """Asks which image targets are mentioned in a field of `owner`.

    `verb` is what the field does: it must "name" image targets, or "hold files that name" them.
    """

    owner: Address
    alias: str
    verb: str
    mentions: tuple[ImageMention, ...]


@dataclass(frozen=True)
class MentionedTargets:
    """The image targets that mentions stand for, by the text of the mention."""

    by_text: tuple[tuple[str, Target], ...]

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All targets, each once."""
        return tuple(dict.fromkeys(target.address for _, target in self.by_text))


@dataclass(frozen=True)
class PinnedImages:
    """Images that registries have, by the text of the mention."""

    by_text: tuple[tuple[str, PinnedImage], ...]


def _unknown(
    request: MentionedTargetsRequest,
    mention: ImageMention,
    candidates: Iterable[Address],
    known: KnownAddresses,
) -> InvalidImageFieldError:
    bare = {(each.spec_path, each.target_name) for each in candidates}
    parametrized = sorted(
        each.spec
        for each in known.all
        if each.is_parametrized and (each.spec_path, each.target_name) in bare
    )
    if parametrized:
        finding = f"which stands for several: {', '.join(parametrized)}"
        next_step = "Name one of them."
    else:
        finding, next_step = "which does not exist", known.neighbours(candidates)
    return _error(request, f"{mention.place} names {mention.text!r}, {finding}", next_step)


@rule(desc="Find images that are referred to")
async def find_mentioned_images(request: MentionedTargetsRequest) -> MentionedTargets:
    keeper = await keep_session(**implicitly())
    with keeper.missing.looking(request.owner.spec, needs=()):
        texts = tuple(dict.fromkeys(mention.text for mention in request.mentions))
        written = await resolve_written_addresses(
            WrittenAddressesRequest(request.owner, texts), **implicitly()
        )
        for mention in request.mentions:
            existing = written.existing(mention.text)
            if existing is None:
                raise _unknown(request, mention, written.by_text[mention.text], written.known)
            several = written.known.why_not_one(existing)
            if several:
                raise _error(
                    request, f"{mention.place} names {mention.text!r}, which {several}", ""
                )
        targets = await concurrently(
            resolve_address_targets(**implicitly(Addresses(written.by_text[text])))
            for text in texts
        )
    found = dict(zip(texts, targets))
    for mention in request.mentions:
        _check_image(request, mention, tuple(found[mention.text]))
    return MentionedTargets(tuple((text, found[text][0]) for text in texts))


def _check_image(
    request: MentionedTargetsRequest, mention: ImageMention, targets: tuple[Target, ...]
) -> None:
    if len(targets) == 1 and is_image(targets[0]):
        return
    kind = f", a `{targets[0].alias}` target" if len(targets) == 1 else ", which is none"
    artifacts = artifacts_field(targets[0]) if len(targets) == 1 else None
    if artifacts is not None:
        kind = f", which leaves files (`{artifacts.alias}`) and no image"
    finding = f"{mention.place} names {mention.text!r}{kind}"
    raise _error(request, finding, "Use the address of a `docker_buildkit_image` target.")


@rule(desc="Pin images that are referred to")
async def pin_images(
    request: MentionedTargetsRequest,
    subsystem: DockerBuildKitSubsystem,
    signatures: SignaturesSubsystem,
) -> PinnedImages:
    """The pinned references of what is mentioned. Images are built if need be."""
    mentioned = await find_mentioned_images(request, **implicitly())
    configured = await read_configured_registries(**implicitly())
    places = {mention.text: mention.place for mention in request.mentions}
    field_sets = {
        target.address: BuildKitImageFieldSet.create(target) for _, target in mentioned.by_text
    }
    for text, target in mentioned.by_text:
        field_set = field_sets[target.address]
        output = Naming.create(field_set, configured, subsystem).output
        # Who chose it for a run wants what runs in that engine.
        is_local = output is ImageOutput.DOCKER and subsystem.output is RunOutput.DOCKER
        if output is not ImageOutput.REGISTRY and not is_local:
            raise _not_pushed(request, places[text], target, output)
    packages = await concurrently(
        environment_aware_package(EnvironmentAwarePackageRequest(each))
        for each in field_sets.values()
    )
    built = {address: image_in(package) for address, package in zip(field_sets, packages)}
    pinned = []
    for text, target in mentioned.by_text:
        image = built[target.address]
        assert image.image_digest is not None
        pinned.append((text, PinnedImage(image.image_digest, image.references, image.platforms)))
    if signatures.require_signed:
        await concurrently(
            check_signature(
                SignatureCheckRequest(
                    f"The image {address}, which {request.owner} refers to,",
                    tuple(map(ImageReference.parse, image.references)),
                    is_needed=True,
                ),
                **implicitly(),
            )
            for address, image in built.items()
        )
    return PinnedImages(tuple(pinned))


def _not_pushed(
    request: MentionedTargetsRequest, place: str, target: Target, output: ImageOutput
) -> InvalidImageFieldError:
    where = (
        "only kept as an OCI image layout"
        if output is ImageOutput.OCI
        else "only loaded into the local Docker Engine"
    )
    return InvalidImageFieldError(
        request.alias,
        request.owner,
        f"{request.verb} images that are pushed, because a reference needs a registry",
        f"{place} names {target.address}, which is {where} (`output={output.value!r}`)",
        "Give that image `registries`, or configure '[docker-buildkit.registries]' with a default,"
        " and leave its `output` out.",
    )


def _error(
    request: MentionedTargetsRequest, finding: str, next_step: str
) -> InvalidImageFieldError:
    requirement = f"{request.verb} image targets"
    return InvalidImageFieldError(request.alias, request.owner, requirement, finding, next_step)
