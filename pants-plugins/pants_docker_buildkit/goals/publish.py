"""`pants publish`: point every tag of an image, in each of its registries, at its digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

from pants.core.goals.publish import (
    PublishFieldSet,
    PublishOutputData,
    PublishPackages,
    PublishProcesses,
    PublishRequest,
)
from pants.engine.addresses import Addresses
from pants.engine.process import InteractiveProcess

from pants_docker_buildkit.built_image import BuiltBuildKitImage
from pants_docker_buildkit.compat import implicitly, resolve_address_targets, rule
from pants_docker_buildkit.fields.naming import ImageOutput
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.provenance import PREDICATE_TYPE
from pants_docker_buildkit.session.directory import PROCESS_PATH, PROGRAM
from pants_docker_buildkit.session.running import RunningSession, SessionKeeper
from pants_docker_buildkit.session.tag_plans import PlannedTag, TagPlans
from pants_docker_buildkit.signatures.statement import Statement
from pants_docker_buildkit.solver.main import MOVE_COMMAND
from pants_docker_buildkit.util_rules.publication import (
    MissingSignature,
    Publication,
    PublicationRequest,
    TagChange,
    TagPublication,
    plan_publication,
)
from pants_docker_buildkit.util_rules.published_names import (
    PublishedNames,
    PublishedRepository,
    name_published_image,
)
from pants_docker_buildkit.util_rules.session import Session, mark_session

_ALL_TAGS = "image tags"
"""What the goal calls that which its one process moves."""

_PACKAGED_FIELDS = tuple(field.name for field in fields(BuildKitImageFieldSet))


class PublishImageRequest(PublishRequest["PublishImageFieldSet"]):
    """Asks to publish what was packaged for one target."""


@dataclass(frozen=True)
class PublishImageFieldSet(PublishFieldSet[PublishImageRequest], BuildKitImageFieldSet):
    """A `docker_buildkit_image` target that `publish` was asked for."""

    publish_request_type = PublishImageRequest
    required_fields = BuildKitImageFieldSet.required_fields

    # A data class of its own would get the hash of all fields again.
    __hash__ = BuildKitImageFieldSet.__hash__

    def packaged(self) -> BuildKitImageFieldSet:
        """What `package` was asked for: rules must not think that it is another target."""
        return BuildKitImageFieldSet(**{name: getattr(self, name) for name in _PACKAGED_FIELDS})

    def get_output_data(self) -> PublishOutputData:
        """What all entries of a target have in `--publish-output`."""
        return PublishOutputData(
            {
                "publisher": "docker-buildkit",
                "registries": self.registries.value or (),
                **super().get_output_data(),
            }
        )


@dataclass(frozen=True)
class PlannedPackages(PublishPackages):
    """The entry of a tag that the session moves.

    The goal has nothing to run and no line to write for it, unless its target leads: then `process`
    moves all tags of all targets, and says what became of each.
    """

    plans: TagPlans | None = None
    ticket: str = ""
    tag: PlannedTag | None = None

    def get_output_data(self, **extra_data: Any) -> PublishOutputData:
        """What became of the tag, whether the goal has come to the process or not."""
        assert self.plans is not None
        assert self.tag is not None
        moved = self.plans.outcome(self.ticket, self.tag)
        is_moved = moved.problem is None
        outcome = {
            "names": (moved.name,),
            "exit_code": 0 if is_moved else 1,
            "published": is_moved,
            "status": moved.status,
        }
        problem = {} if is_moved else {"problem": moved.problem}
        return PublishOutputData({**self.data, **outcome, **problem})


def _results(
    publication: Publication, image: BuiltBuildKitImage, running: RunningSession, ticket: str
) -> Iterable[PublishPackages]:
    """The entries of all tags and signatures.

    The first one that is planned has the process, if there is one.
    """
    digest = image.image_digest
    assert digest is not None
    process = _move_process(running) if publication.leads else None
    entries: Iterable[MissingSignature | TagPublication]
    entries = (*publication.signatures, *publication.tags)
    for each in entries:
        data: dict[str, Any] = {**_where(each.repository, image)}
        if isinstance(each, MissingSignature):
            data["signature"], planned = True, each.planned
        else:
            before = each.before if each.change is TagChange.MOVED else None
            data.update(tag=each.tag, change=each.change.value, moved_from=before)
            planned = each.planned(digest)
            if not each.is_planned:
                said = each.describe(digest)
                yield PublishPackages((each.name,), None, said, PublishOutputData(data))
                continue
        yield PlannedPackages(
            names=() if process is None else (_ALL_TAGS,),
            process=process,
            data=PublishOutputData(data),
            plans=running.plans,
            ticket=ticket,
            tag=planned,
        )
        process = None
    if process is not None:
        # Files changed, so that there is nothing left to do for the target that leads the others.
        yield PublishPackages(names=(_ALL_TAGS,), process=process)


def _move_process(running: RunningSession) -> InteractiveProcess:
    return InteractiveProcess(
        (str(running.directory / PROGRAM), MOVE_COMMAND, running.plans.key),
        env={"PATH": PROCESS_PATH},
        # It needs no sandbox.
        run_in_workspace=True,
    )


def _skipped(
    repository: PublishedRepository, image: BuiltBuildKitImage, reason: str
) -> PublishPackages:
    return PublishPackages(
        names=tuple(f"{repository.name}:{tag}" for tag in repository.tags) or (repository.name,),
        description=f"({reason})",
        data=PublishOutputData({**_where(repository, image), "tags": repository.tags}),
    )


def _where(repository: PublishedRepository, image: BuiltBuildKitImage) -> Mapping[str, str | None]:
    return {
        "registry": repository.registry,
        "repository": repository.repository,
        "digest": image.image_digest,
        "reference": f"{repository.name}@{image.image_digest}",
    }


def _without_registry(field_set: PublishImageFieldSet, names: PublishedNames) -> PublishPackages:
    field = field_set.output
    artifacts = field_set.artifacts_field
    is_own = field.value == names.output.value
    name = field.alias if is_own else f"[docker-buildkit].{field.alias}"
    if artifacts is not None:
        reason = f"(`{artifacts.alias}` leaves files, and no image)"
    elif names.output is ImageOutput.DOCKER:
        reason = f'(`{name}="{names.output.value}"` leaves it in the local engine)'
    else:
        reason = "(it has no registry)"
    return PublishPackages(names=(field_set.address.spec,), description=reason)


def _reason_to_skip(field_set: PublishImageFieldSet, repository: PublishedRepository) -> str | None:
    if field_set.skip_push.value:
        return f"by `{field_set.skip_push.alias}` on {field_set.address}"
    if repository.skipped_by:
        return f"by {repository.skipped_by}"
    return None if repository.tags else f"it has no `{field_set.image_tags.alias}`"


@rule(desc="Publish image")
async def publish_image(
    request: PublishImageRequest, _session: Session, keeper: SessionKeeper
) -> PublishProcesses:
    field_set = request.field_set
    packaged, address = field_set.packaged(), field_set.address.spec
    # What is planned is for this session only.
    await mark_session(**implicitly())
    (target,) = await resolve_address_targets(**implicitly(Addresses((field_set.address,))))
    keeper.packaged.see(address, BuildKitImageFieldSet.create(target))
    names = await name_published_image(packaged, **implicitly())
    if not names.repositories:
        return PublishProcesses((_without_registry(field_set, names),))
    (image,) = (
        artifact
        for package in request.packages
        for artifact in package.artifacts
        if isinstance(artifact, BuiltBuildKitImage)
    )
    assert image.image_digest is not None
    running = keeper.running
    is_last = partial(keeper.packaged.is_last, address, packaged, image.image_digest)
    ticket = running.plans.begin(address, is_last)
    reasons = {each: _reason_to_skip(field_set, each) for each in names.repositories}
    layout = image.layout if names.output is ImageOutput.OCI else None
    said = () if image.provenance is None else (image.provenance,)
    publication = await plan_publication(
        PublicationRequest(
            address=field_set.address,
            ticket=ticket,
            digest=image.image_digest,
            repositories=tuple(each for each, reason in reasons.items() if reason is None),
            references=image.references,
            layout=layout,
            platforms=tuple(each.manifest_digest for each in image.platforms),
            statements=tuple(
                Statement(each.document, PREDICATE_TYPE, is_exact=True) for each in said
            ),
            # `package` has left a layout in no registry.
            referrers=said if layout is not None else (),
        ),
        **implicitly(),
    )
    skipped = [_skipped(each, image, reason) for each, reason in reasons.items() if reason]
    return PublishProcesses((*_results(publication, image, running, ticket), *skipped))
