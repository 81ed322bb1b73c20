"""`pants plan-images`: what `package` and `publish` would do for images, without doing it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Optional

from pants.base.build_environment import get_buildroot
from pants.engine.console import Console
from pants.engine.goal import Goal, GoalSubsystem, Outputting
from pants.engine.rules import goal_rule
from pants.engine.target import FilteredTargets
from pants.option.option_types import BoolOption, EnumOption, StrOption
from pants.util.strutil import softwrap

from pants_docker_buildkit.compat import implicitly
from pants_docker_buildkit.errors import InvalidOptionError
from pants_docker_buildkit.goals.printed_output import print_output
from pants_docker_buildkit.image_field_set import has_build
from pants_docker_buildkit.plans.comparison import (
    InvalidPlanError,
    KnownImage,
    compare,
    read_known_images,
    removed,
)
from pants_docker_buildkit.plans.drift import LockDrift
from pants_docker_buildkit.plans.image_plan import ImagePlan, PlanOutcome, to_json
from pants_docker_buildkit.plans.rendering import to_markdown, to_text
from pants_docker_buildkit.util_rules.image_plans import (
    GoneTargetsRequest,
    find_gone_targets,
    plan_with_tags,
)
from pants_docker_buildkit.util_rules.lock_drift import find_lock_drift
from pants_docker_buildkit.util_rules.session import running_session

_NOTHING, _FAILED, _SOMETHING = 0, 1, 2


class PlanFormat(Enum):
    """How a plan is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


class PlanImagesSubsystem(Outputting, GoalSubsystem):
    """The options of the goal."""

    name = "plan-images"
    help = softwrap(
        """
        Show for each image whether `package` would build it and why, and which tags `publish` would
        move. Does not contact a builder, build or push.
        """
    )
    format = EnumOption(
        default=PlanFormat.TEXT,
        help=softwrap(
            """
            `text` for people, `json` for programs, `markdown` for a comment on a pull request.
            """
        ),
    )
    against = StrOption(
        default=None,
        metavar="<path>",
        help=softwrap(
            """
            A JSON plan, an image record, or a directory of image records, to compare with: the
            reasons are then the differences from it. A path that is not absolute is relative to the
            build root.
            """
        ),
    )
    detailed_exit_code = BoolOption(
        default=False,
        help=softwrap(
            """
            Exit with 2 if any image would be built, or depends on one that would; with `--against`,
            if any image differs. Otherwise exit with 0, or with 1 if any image has the outcome
            `error`.
            """
        ),
    )
    drift = BoolOption(
        default=False,
        help=softwrap(
            """
            Ask registries and servers to resolve the names in locks now, and show which have moved
            since they were locked. With `--detailed-exit-code`, exit with 2 also if any has. Exit
            with 1 if any of them cannot be resolved.
            """
        ),
    )


class PlanImages(Goal):
    """What the goal did."""

    subsystem_cls = PlanImagesSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


@goal_rule
async def plan_all_images(
    console: Console, subsystem: PlanImagesSubsystem, targets: FilteredTargets
) -> PlanImages:
    others = _read_others(subsystem)
    running = await running_session()
    images = tuple(target for target in targets if has_build(target))
    with running.planning():
        plans = await plan_with_tags(images)
        found = await find_lock_drift(images if subsystem.drift else ())
    # What makes the plan of an image an error need not be said twice.
    broken = frozenset(each.target for each in plans if each.outcome is PlanOutcome.ERROR)
    drift = found.without(broken) if subsystem.drift else None
    if others is not None:
        unplanned = others.keys() - {each.target for each in plans}
        gone = await find_gone_targets(GoneTargetsRequest(tuple(sorted(unplanned))), **implicitly())
        compared = (compare(each, others) for each in plans)
        plans = tuple(
            sorted((*compared, *map(removed, gone.targets)), key=lambda plan: plan.target)
        )
    print_output(subsystem, console, _FORMATS[subsystem.format](plans, drift), subsystem.name)
    return PlanImages(exit_code=_exit_code(subsystem, plans, drift))


_FORMATS = {
    PlanFormat.TEXT: to_text,
    PlanFormat.JSON: to_json,
    PlanFormat.MARKDOWN: to_markdown,
}


def _read_others(subsystem: PlanImagesSubsystem) -> Mapping[str, Optional[KnownImage]] | None:
    """The images of `--against`, before anything is planned."""
    if subsystem.against is None:
        return None
    try:
        return read_known_images(Path(get_buildroot(), subsystem.against))
    except InvalidPlanError as e:
        raise InvalidOptionError(
            "against",
            "name a plan in JSON, an image record, or a directory of records",
            f"of {e.path}, {e.finding}",
            scope="plan-images",
        ) from e


def _exit_code(
    subsystem: PlanImagesSubsystem, plans: Iterable[ImagePlan], drift: LockDrift | None
) -> int:
    if any(each.outcome is PlanOutcome.ERROR for each in plans) or (drift and drift.unknown):
        return _FAILED
    if subsystem.against is None:
        is_something = any(not each.is_there for each in plans)
    else:
        is_something = any(each.reasons for each in plans)
    is_something = is_something or bool(drift and drift.moved)
    return _SOMETHING if is_something and subsystem.detailed_exit_code else _NOTHING
