"""`pants list-images`: which images there are, where, by which tags, and how large."""

from __future__ import annotations

from enum import Enum

from pants.engine.console import Console
from pants.engine.goal import Goal, GoalSubsystem, Outputting
from pants.engine.rules import goal_rule
from pants.engine.target import FilteredTargets
from pants.option.option_types import EnumOption
from pants.util.strutil import softwrap

from pants_docker_buildkit.compat import concurrently, implicitly
from pants_docker_buildkit.goals.printed_output import print_output
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet, is_image
from pants_docker_buildkit.plans.listing import ListedImage, listing_to_json, listing_to_text
from pants_docker_buildkit.util_rules.image_layers import read_image_layers
from pants_docker_buildkit.util_rules.image_plans import plan_with_tags
from pants_docker_buildkit.util_rules.session import running_session


class ListingFormat(Enum):
    """How a listing is printed."""

    TEXT = "text"
    JSON = "json"


class ListImagesSubsystem(Outputting, GoalSubsystem):
    """The options of the goal."""

    name = "list-images"
    help = softwrap(
        """
        List images with their references, digests, tags and sizes, from records and registries.
        Nothing is built: images without a record are listed as such.
        """
    )
    format = EnumOption(
        default=ListingFormat.TEXT,
        help="`text` for people, `json` for programs.",
    )


class ListImages(Goal):
    """What the goal did."""

    subsystem_cls = ListImagesSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


@goal_rule
async def list_all_images(
    console: Console, subsystem: ListImagesSubsystem, targets: FilteredTargets
) -> ListImages:
    running = await running_session()
    images = tuple(target for target in targets if is_image(target))
    addresses = {target.address.spec for target in images}
    with running.planning():
        planned = await plan_with_tags(images)
        plans = {each.target: each for each in planned if each.target in addresses}
        there = [each for each in images if plans[each.address.spec].is_there]
        found = await concurrently(
            read_image_layers(BuildKitImageFieldSet.create(each), **implicitly()) for each in there
        )
    layers = {target.address.spec: each for target, each in zip(there, found)}
    listed = [
        ListedImage(plan, layers[name].platforms, layers[name].problem)
        if name in layers
        else ListedImage(plan)
        for name, plan in plans.items()
    ]
    render = listing_to_json if subsystem.format is ListingFormat.JSON else listing_to_text
    print_output(subsystem, console, render(listed), subsystem.name)
    return ListImages(exit_code=0 if all(each.is_known for each in listed) else 1)
