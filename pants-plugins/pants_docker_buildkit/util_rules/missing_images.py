"""Which images would have to be built, in a run that may build none?"""

from __future__ import annotations

from collections.abc import Mapping

from pants_docker_buildkit.compat import implicitly
from pants_docker_buildkit.session.missing_images import MissingImages
from pants_docker_buildkit.session.running import RunningSession
from pants_docker_buildkit.util_rules.needed_targets import (
    NeededTargetsRequest,
    find_needed_targets,
)
from pants_docker_buildkit.util_rules.session import wait_for


async def find_all_missing(missing: MissingImages, running: RunningSession) -> Mapping[str, str]:
    """All images that this run misses, with their reasons, once no other can be found."""
    while (found := missing.all()) is None:
        pause = missing.pause()
        await wait_for(running, [pause], blocks=False)
        pause.result()
        for each in missing.undecided():
            needed = await find_needed_targets(NeededTargetsRequest(each), **implicitly())
            missing.decide(each, [image.spec for image in needed.images])
    return found
