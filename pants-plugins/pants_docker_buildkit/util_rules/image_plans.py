"""What would `package` and `publish` do for images, without a builder being asked?

An image that depends on one that would be built is not defined at all, since that would have to be
built for it. Whatever depends on an image in a way that is not seen here ends in an error that
names that image, because a session that plans builds none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pants.engine.addresses import Address, Addresses
from pants.engine.engine_aware import EngineAwareReturnType
from pants.engine.target import AllTargets, Target

from pants_docker_buildkit.compat import concurrently, implicitly, resolve_address_targets, rule
from pants_docker_buildkit.errors import BuilderNotAskedError, ImageCycleError, ImageNotBuiltError
from pants_docker_buildkit.fields.naming import BuildKitImageSkipPushField, RunOutput
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet, has_build
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.plans.build_history import History
from pants_docker_buildkit.plans.image_plan import ImagePlan, PlanOutcome, TagOutcome, TagPlan
from pants_docker_buildkit.plans.reasons import Reason, ReasonKind
from pants_docker_buildkit.registry.client import Purpose
from pants_docker_buildkit.registry.confirmation import Confirmation, Missing, Present, Unknown
from pants_docker_buildkit.session.running import SessionKeeper
from pants_docker_buildkit.session.tag_plans import describe_conflict
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.build import (
    BuildImageRequest,
    ImageOutcome,
    find_image,
    image_history,
)
from pants_docker_buildkit.util_rules.build_settings import BuildOptions
from pants_docker_buildkit.util_rules.caught_errors import MayHaveFailed, describe
from pants_docker_buildkit.util_rules.generations import Unsolved
from pants_docker_buildkit.util_rules.image_cycle import find_cycle, needed_by
from pants_docker_buildkit.util_rules.published_names import (
    PublishedRepository,
    name_published_image,
)
from pants_docker_buildkit.util_rules.session import (
    Session,
    keep_session,
    running_session,
    wait_for,
)
from pants_docker_buildkit.util_rules.upstream_images import as_upstream
from pants_docker_buildkit.util_rules.upstream_targets import find_upstream_targets


@dataclass(frozen=True)
class ImageBases(MayHaveFailed):
    """The image targets; none where that cannot be told, which the image's own plan then says."""

    targets: tuple[Target, ...] = ()
    problem: str = ""


@rule(desc="Find images that an image refers to")
async def find_image_bases(field_set: BuildKitImageFieldSet) -> ImageBases:
    try:
        upstream = await find_upstream_targets(field_set, **implicitly())
    except Exception as e:
        # Whatever it is, planning the image raises it again.
        return ImageBases(problem=describe(e))
    targets = await resolve_address_targets(**implicitly(Addresses(upstream.addresses)))
    return ImageBases(tuple(filter(has_build, targets)))


@dataclass(frozen=True)
class ImagePlanRequest:
    """Asks what `package` would do.

    `waits_for` are images it refers to that are not there, and `broken` those whose plans are
    errors.
    """

    field_set: BuildKitImageFieldSet
    waits_for: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()


async def _plan_alone(
    field_set: BuildKitImageFieldSet, plan: ImagePlan, options: BuildOptions, keeper: SessionKeeper
) -> ImagePlan:
    """The plan of an image all of whose bases are there."""
    try:
        found = await find_image(BuildImageRequest(field_set), options, keeper)
    except ImageNotBuiltError as e:
        return _depending(plan, (e.address.spec,))
    except BuilderNotAskedError as e:
        if e.address != field_set.address:
            return _depending(plan, (e.address.spec,))
        reason = Reason(ReasonKind.BUILDER_PLATFORM, "the platform of its builder is not known")
        return replace(plan, outcome=PlanOutcome.DEPENDS, reasons=(reason,))
    except Exception as e:
        return replace(plan, problem=describe(e))
    plan = replace(plan, context_digest=found.definition.context_digest, inputs=found.inputs())
    solved = found.solved
    if isinstance(solved, Unsolved):
        return replace(plan, outcome=PlanOutcome.BUILD, reasons=solved.reasons)
    is_restored = found.outcome(solved) is ImageOutcome.RESTORED
    record = solved.record
    return replace(
        plan,
        outcome=PlanOutcome.RESTORED if is_restored else PlanOutcome.UNCHANGED,
        digest="" if record is None else str(record.image_digest),
        references=() if record is None else record.references,
    )


@dataclass(frozen=True)
class PlannedImage(EngineAwareReturnType):
    """The plan of an image, without tags."""

    plan: ImagePlan

    def cacheable(self) -> bool:
        """Whether a later session takes it over: that an image is unchanged, as `package` does.

        Everything else is found out anew: what is in no cache now may be in one by then.
        """
        return self.plan.outcome is PlanOutcome.UNCHANGED


@rule(desc="Plan image")
async def plan_image(
    request: ImagePlanRequest, options: BuildOptions, session: Session, keeper: SessionKeeper
) -> PlannedImage:
    field_set = request.field_set
    history = image_history(session.directory, field_set, options.subsystem)
    past = keeper.files.read(history, History).past
    plan = ImagePlan(
        field_set.address.spec,
        PlanOutcome.ERROR,
        last_build_seconds=None if past is None else past.seconds,
    )
    if request.broken:
        problem = f"It needs {', '.join(request.broken)}, whose plan is an error."
        plan = replace(plan, problem=problem, depends_on=request.broken)
    elif request.waits_for:
        plan = _depending(plan, request.waits_for)
    else:
        plan = await _plan_alone(field_set, plan, options, keeper)
    return PlannedImage(plan)


def _depending(plan: ImagePlan, images: tuple[str, ...]) -> ImagePlan:
    reasons = tuple(Reason(ReasonKind.DEPENDENCY, f"depends on {each}", each) for each in images)
    return replace(plan, outcome=PlanOutcome.DEPENDS, reasons=reasons, depends_on=images)


@dataclass(frozen=True)
class ImagePlansRequest:
    """Asks for the plans of image targets, and of the images that they refer to."""

    targets: tuple[Target, ...]


@dataclass(frozen=True)
class ImagePlans:
    """The plans of images by address, each after those of the images that it refers to."""

    all: tuple[tuple[Address, ImagePlan], ...]


_Bases = dict[BuildKitImageFieldSet, tuple[BuildKitImageFieldSet, ...]]
"""Images, and for each those that it refers to. Some are two: what is asked for, and a base."""


async def _find_bases(targets: Iterable[Target], option: RunOutput | None) -> _Bases:
    """Those of these targets, and of the images that they refer to."""
    all_bases: _Bases = {}
    new = [BuildKitImageFieldSet.create(each) for each in targets]
    while new:
        found = await concurrently(find_image_bases(each, **implicitly()) for each in new)
        for each, images in zip(new, found):
            bases = (BuildKitImageFieldSet.create(target) for target in images.targets)
            all_bases[each] = tuple(as_upstream(base, option) for base in bases)
        bases_of_new = (base for each in new for base in all_bases[each])
        new = list(dict.fromkeys(base for base in bases_of_new if base not in all_bases))
    return all_bases


@rule(desc="Plan images")
async def plan_images(request: ImagePlansRequest, subsystem: DockerBuildKitSubsystem) -> ImagePlans:
    left = await _find_bases(request.targets, subsystem.output)
    plans: dict[BuildKitImageFieldSet, ImagePlan] = {}
    while left:
        ready = [each for each, bases in left.items() if plans.keys() >= set(bases)]
        if not ready:
            plans.update(_plans_of_cycle(left))
            break
        found = await concurrently(
            plan_image(_request(each, [plans[base] for base in left[each]]), **implicitly())
            for each in ready
        )
        plans.update((each, planned.plan) for each, planned in zip(ready, found))
        for each in ready:
            del left[each]
    return ImagePlans(tuple(_by_address(plans).items()))


def _request(field_set: BuildKitImageFieldSet, bases: Iterable[ImagePlan]) -> ImagePlanRequest:
    missing = [each for each in bases if not each.is_there]
    broken = [each.target for each in missing if each.outcome is PlanOutcome.ERROR]
    return ImagePlanRequest(field_set, tuple(each.target for each in missing), tuple(broken))


def _plans_of_cycle(left: _Bases) -> dict[BuildKitImageFieldSet, ImagePlan]:
    """Of images that need each other, or one that does."""
    needs = {each.address: [base.address for base in bases] for each, bases in left.items()}
    plans = {}
    for each in left:
        cycle = find_cycle(needed_by(each.address, needs), needs)
        problem = str(ImageCycleError(cycle))
        plans[each] = ImagePlan(each.address.spec, PlanOutcome.ERROR, problem=problem)
    return plans


def _by_address(plans: Mapping[BuildKitImageFieldSet, ImagePlan]) -> dict[Address, ImagePlan]:
    """One plan for each target. Where it is two images, the one that is not there yet counts."""
    found: dict[Address, ImagePlan] = {}
    for field_set, plan in plans.items():
        known = found.get(field_set.address)
        if known is None or (known.is_there and not (plan.is_there and field_set.is_upstream)):
            found[field_set.address] = plan
    return found


@dataclass(frozen=True)
class ImageTags(MayHaveFailed):
    """The tags of an image in all repositories where it is published, or why they are not known."""

    tags: tuple[ImageReference, ...] = ()
    problem: str = ""


@rule(desc="Find tags of image")
async def find_image_tags(field_set: BuildKitImageFieldSet) -> ImageTags:
    try:
        names = await name_published_image(field_set, **implicitly())
    except (ImageNotBuiltError, BuilderNotAskedError):
        # A name that depends on what would have to be built for it.
        return ImageTags()
    except Exception as e:
        # The image can be built all the same.
        return ImageTags(problem=describe(e))
    return ImageTags(tuple(_references(names.repositories)))


def _references(repositories: Iterable[PublishedRepository]) -> Iterable[ImageReference]:
    for each in repositories:
        if not each.skipped_by:
            for tag in each.tags:
                yield each.reference.with_tag(tag)


async def plan_with_tags(targets: tuple[Target, ...]) -> tuple[ImagePlan, ...]:
    """The plans, sorted by address, with what `publish` would do for the tags of these targets.

    Those of images that were not asked for have no tags. For goals, which run in each session.
    """
    named = [
        BuildKitImageFieldSet.create(target)
        for target in targets
        if not target.get(BuildKitImageSkipPushField).value
    ]
    found = await concurrently(find_image_tags(each, **implicitly()) for each in named)
    running, keeper = await running_session(), await keep_session(**implicitly())
    # Registries answer while the images are planned. As `publish` will: a tag that HEAD does not
    # find is not asked for once more.
    asked = {
        tag: running.confirmations.submit(tag, Purpose.MOVE) for each in found for tag in each.tags
    }
    planned = dict((await plan_images(ImagePlansRequest(targets), **implicitly())).all)
    await wait_for(running, tuple(asked.values()))
    answers = {tag: future.result() for tag, future in asked.items()}
    for tag, answer in answers.items():
        if isinstance(answer, Present):
            keeper.confirmed.note_tag(tag, answer.descriptor.digest)
    tags_of = {field_set.address.spec: tags for field_set, tags in zip(named, found)}
    return tuple(_with_tags([planned[each] for each in sorted(planned)], tags_of, answers))


def _with_tags(
    plans: Sequence[ImagePlan],
    tags_of: Mapping[str, ImageTags],
    answers: Mapping[ImageReference, Confirmation],
) -> Iterator[ImagePlan]:
    """The plans with what becomes of the tags of their targets. One that is an error has none."""
    tagged = {
        plan.target: tags_of[plan.target]
        for plan in plans
        if plan.target in tags_of and plan.outcome is not PlanOutcome.ERROR
    }
    sharing = defaultdict[ImageReference, list[ImagePlan]](list)
    for plan in plans:
        for tag in tagged.get(plan.target, ImageTags()).tags:
            sharing[tag].append(plan)
    for plan in plans:
        tags = tagged.get(plan.target)
        yield (
            plan
            if tags is None
            else replace(
                plan,
                tags=tuple(_plan_tag(tag, answers[tag], plan, sharing[tag]) for tag in tags.tags),
                problem=tags.problem,
            )
        )


def _plan_tag(
    tag: ImageReference, answer: Confirmation, plan: ImagePlan, sharing: Sequence[ImagePlan]
) -> TagPlan:
    name, digest = str(tag), plan.digest
    if isinstance(answer, Unknown):
        return TagPlan(name, TagOutcome.UNKNOWN, after=digest, problem=str(answer.error))
    before = "" if isinstance(answer, Missing) else str(answer.descriptor.digest)
    if len(set(map(_what_is_tagged, sharing))) > 1:
        problem = describe_conflict(name, (each.target for each in sharing))
        return TagPlan(name, TagOutcome.REFUSED, before, digest, problem)
    if not before:
        return TagPlan(name, TagOutcome.CREATE, after=digest)
    if plan.outcome is PlanOutcome.DEPENDS:
        return TagPlan(name, TagOutcome.DEPENDS, before)
    outcome = TagOutcome.NONE if before == digest else TagOutcome.MOVE
    return TagPlan(name, outcome, before, digest)


def _what_is_tagged(plan: ImagePlan) -> str:
    """The image, as far as it is known which one that will be."""
    return plan.digest or (plan.inputs.build_digest if plan.inputs else plan.target)


@dataclass(frozen=True)
class GoneTargetsRequest:
    """Asks which of these are no targets that are built any more."""

    targets: tuple[str, ...]


@dataclass(frozen=True)
class GoneTargets:
    """Those that are not, in their order."""

    targets: tuple[str, ...]


@rule(desc="Find targets that are gone")
async def find_gone_targets(request: GoneTargetsRequest, all_targets: AllTargets) -> GoneTargets:
    there = {each.address.spec for each in all_targets if has_build(each)}
    return GoneTargets(tuple(each for each in request.targets if each not in there))
