"""The options of tests of images, and what came of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from pants.engine.engine_aware import EngineAwareReturnType
from pants.engine.process import ProcessResultMetadata
from pants.option.option_types import SkipOption, StrOption
from pants.option.subsystem import Subsystem
from pants.util.strutil import softwrap

from pants_docker_buildkit.image_tests.outcome import TestRun


class ImageTestSubsystem(Subsystem):
    """The options of image tests."""

    options_scope = "docker-buildkit-tests"
    name = "tests of images"
    help = "How `docker_buildkit_test` targets test images."

    skip = SkipOption("test")
    helper_image = StrOption(
        default=(
            "docker.io/library/busybox:1.37.0-musl"
            "@sha256:5cec3fc171c87218698e85a52af7087de727372aae264a787b8112901a5b0092"
        ),
        help=softwrap(
            """
            The image with the tools that tests need and tested images may lack: a static
            `/bin/busybox` for the platforms of the images and of the builders. Name it by digest;
            changing it tests all images again. `[docker-buildkit].mirrors` applies to it.
            """
        ),
    )
    second_builder = StrOption(
        default=None,
        help=softwrap(
            """
            The builder for the second build of `reproducible` tests, as in
            `[docker-buildkit].builder`, ideally another version of BuildKit on another machine.
            Defaults to the builder of the first build. Another one makes the second build again.
            """
        ),
    )


@dataclass(frozen=True)
class ImageTested(EngineAwareReturnType):
    """What came of it, and what Pants says of its process, or of one of them, if there was one."""

    run: TestRun
    process: Optional[ProcessResultMetadata] = None

    def cacheable(self) -> bool:
        """Whether the next session takes it over, as with `MayHaveFailed`."""
        return not self.run.has_failed
