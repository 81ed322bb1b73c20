"""What does the option `mirrors` say?"""

from __future__ import annotations

from pants_docker_buildkit.errors import InvalidOptionError
from pants_docker_buildkit.oci.mirrors import ImageMirrors
from pants_docker_buildkit.oci.reference import InvalidNameError
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.option_values import text_entries


def image_mirrors(subsystem: DockerBuildKitSubsystem) -> ImageMirrors:
    """Where images are read in place of the registries that Dockerfiles name."""
    try:
        return ImageMirrors.parse(text_entries("mirrors", subsystem.mirrors))
    except InvalidNameError as e:
        requirement = (
            f"map registries, with a path or without, to such, each of which must {e.requirement}"
        )
        raise InvalidOptionError("mirrors", requirement, f"{e.text!r} is not valid") from e
