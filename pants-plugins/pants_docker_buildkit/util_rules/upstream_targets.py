"""Which targets does an image refer to, in its Dockerfile and in `build_contexts`?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.rules import Rule, collect_rules

from pants_docker_buildkit.compat import (
    concurrently,
    implicitly,
    resolve_unparsed_address_inputs,
    rule,
)
from pants_docker_buildkit.dockerfile.named_contexts import is_image_reference
from pants_docker_buildkit.errors import InvalidDockerfileError, InvalidImageFieldError
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.oci.reference import ImageReference, InvalidImageReferenceError
from pants_docker_buildkit.util_rules.dockerfile import (
    ImageDockerfileRequest,
    read_image_dockerfile,
)

_DOCKER_IMAGE = "docker-image://"
_GIT_URL = re.compile(r"(?:https?|git|ssh)://|git@")
_FULL_COMMIT = re.compile(r"#(?:[0-9a-f]{40}|[0-9a-f]{64})(?::|$)")


@dataclass(frozen=True)
class UpstreamTargetsRequest:
    """Asks what an image target refers to."""

    field_set: BuildKitImageFieldSet


@dataclass(frozen=True)
class UpstreamTargets:
    """The targets that an image refers to, and the images and repositories that it names itself.

    `arguments` are from the name of a global `ARG` to a target, `contexts` from the name of a build
    context to a target, `images` and `git` from the name of a build context to a pinned reference
    or a Git URL.
    """

    arguments: tuple[tuple[str, Address], ...]
    contexts: tuple[tuple[str, Address], ...]
    images: tuple[tuple[str, str], ...]
    git: tuple[tuple[str, str], ...]

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All targets, each once."""
        pairs = (*self.arguments, *self.contexts)
        return tuple(dict.fromkeys(address for _, address in pairs))


@rule(desc="Find targets that an image refers to")
async def find_upstream_targets(request: UpstreamTargetsRequest) -> UpstreamTargets:
    field_set = request.field_set
    dockerfile = await read_image_dockerfile(ImageDockerfileRequest(field_set), **implicitly())
    images, git, wanted = _sort_contexts(field_set)
    values = {
        argument.name: (argument.value, argument.line)
        for analysis in dockerfile.analyses
        for argument in analysis.image_arguments
        if argument.value
    }
    found_in_arguments = await concurrently(
        resolve_unparsed_address_inputs(
            UnparsedAddressInputs(
                (value,),
                owning_address=field_set.address,
                description_of_origin=f"an ARG of {dockerfile.name} of {field_set.address}",
                skip_invalid_addresses=True,
            ),
            **implicitly(),
        )
        for value, _ in values.values()
    )
    found_in_contexts = await concurrently(
        resolve_unparsed_address_inputs(
            UnparsedAddressInputs(
                (value,),
                owning_address=field_set.address,
                description_of_origin=(
                    f"the `{field_set.build_contexts.alias}` field of {field_set.address}"
                ),
            ),
            **implicitly(),
        )
        for _, value in wanted
    )
    for (name, (value, line)), addresses in zip(values.items(), found_in_arguments):
        if not addresses and value and not is_image_reference(value):
            raise InvalidDockerfileError(
                field_set.source.alias,
                field_set.address,
                dockerfile.name,
                f"line {line} gives ARG {name} the value {value!r}, which is neither an image"
                " reference nor the address of a target that exists",
            )
    return UpstreamTargets(
        arguments=tuple(
            (name, address)
            for name, addresses in zip(values, found_in_arguments)
            for address in addresses
        ),
        contexts=tuple(
            (name, address)
            for (name, _), addresses in zip(wanted, found_in_contexts)
            for address in addresses
        ),
        images=images,
        git=git,
    )


def _sort_contexts(
    field_set: BuildKitImageFieldSet,
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """The images, Git repositories and addresses of `build_contexts`; what may move is refused."""
    images, git, addresses = [], [], []
    for name, value in sorted((field_set.build_contexts.value or {}).items()):
        if value.startswith(_DOCKER_IMAGE):
            images.append((name, _pinned(field_set, name, value[len(_DOCKER_IMAGE) :])))
        elif _GIT_URL.match(value):
            if not _FULL_COMMIT.search(value):
                raise _movable(field_set, name, value, "end in '#' and a full commit")
            git.append((name, value))
        else:
            addresses.append((name, value))
    return tuple(images), tuple(git), tuple(addresses)


def _pinned(field_set: BuildKitImageFieldSet, name: str, text: str) -> str:
    try:
        reference = ImageReference.parse_familiar(text)
    except InvalidImageReferenceError as e:
        raise _movable(field_set, name, text, e.requirement) from e
    if not reference.is_pinned:
        raise _movable(field_set, name, text, "be pinned by '@sha256:…'")
    return str(reference)


def _movable(
    field_set: BuildKitImageFieldSet, name: str, value: str, requirement: str
) -> InvalidImageFieldError:
    return InvalidImageFieldError(
        field_set.build_contexts.alias,
        field_set.address,
        "name contexts that cannot change unnoticed",
        f"the one of {name!r} must {requirement}, and is {value!r}",
    )


def rules() -> Iterable[Rule]:
    return collect_rules()
