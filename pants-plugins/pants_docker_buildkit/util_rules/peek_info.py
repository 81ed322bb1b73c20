"""What `peek --include-additional-info` shows of an image, on Pants 2.21 and later."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.addresses import Addresses
from pants.engine.rules import Rule, collect_rules
from pants.engine.unions import UnionRule

from pants_docker_buildkit.compat import (
    AdditionalTargetData,
    HasAdditionalTargetDataFieldSet,
    implicitly,
    resolve_address_targets,
    uncacheable_rule,
)
from pants_docker_buildkit.fields.dockerfile import BuildKitImageSourceField
from pants_docker_buildkit.util_rules.image_plans import ImagePlansRequest, plan_images
from pants_docker_buildkit.util_rules.session import running_session

if HasAdditionalTargetDataFieldSet is None:  # Pants 2.17 to 2.20

    def rules() -> Iterable[Rule | UnionRule]:
        return ()

else:

    @dataclass(frozen=True)
    class PeekedImageFieldSet(HasAdditionalTargetDataFieldSet):
        """An image target that `peek` was asked for."""

        required_fields = (BuildKitImageSourceField,)

    # Of what is kept for the next session, Pants looks first at all that it was made of, and would
    # plan the image before this says that nothing may be built.
    @uncacheable_rule(desc="Look up image for peek")
    async def describe_peeked_image(field_set: PeekedImageFieldSet) -> AdditionalTargetData:
        running = await running_session()
        targets = await resolve_address_targets(**implicitly(Addresses((field_set.address,))))
        with running.planning():
            planned = await plan_images(ImagePlansRequest(tuple(targets)), **implicitly())
        plan = dict(planned.all)[field_set.address]
        shown = ("outcome", "digest", "references", "context_digest", "build_digest", "problem")
        document = plan.to_document()
        return AdditionalTargetData("docker_buildkit", {each: document[each] for each in shown})

    def rules() -> Iterable[Rule | UnionRule]:
        return (
            *collect_rules(),
            UnionRule(HasAdditionalTargetDataFieldSet, PeekedImageFieldSet),
        )
