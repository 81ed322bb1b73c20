"""A builder that needs no BuildKit: it gives images that a test prepared, and a registry has."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker

_BUILDER = "Name: far\nDriver: docker-container\n\nNodes:\nName: far0\nStatus: running\n"
_BUILD = """
while [ "$1" != --metadata-file ]; do shift; done
content=$(sed -n 's/^LABEL content=//p' dockerfile/Dockerfile)
cat {directory}/"$content".json >"$2" || exit 1
"""


class FakeBuilder:
    """A `docker` whose builds give the image that `LABEL content=…` of a Dockerfile names.

    So two Dockerfiles that differ in something else are two builds of one image.
    """

    def __init__(self, directory: Path, registry: FakeRegistry) -> None:
        self._directory = directory
        self._registry = registry
        self.docker = FakeDocker(directory).answer("buildx inspect", _BUILDER)
        self.docker.answer("buildx build", run=_BUILD.format(directory=shlex.quote(str(directory))))

    @property
    def path(self) -> str:
        """The `PATH` of somebody who builds with it."""
        return f"{self._directory}:/usr/bin:/bin"

    @property
    def builds(self) -> int:
        """How many builds there were."""
        return sum(call.startswith("buildx build") for call in self.docker.calls)

    def prepare(self, content: str, *repositories: str) -> str:
        """Have an image ready, in these repositories of the registry. Gives its digest."""
        image = SmallImage.create(content)
        for name in repositories:
            image.store(self._registry.repository(name))
        metadata = {
            "containerimage.descriptor": {
                "mediaType": MediaType.OCI_IMAGE_MANIFEST.value,
                "digest": image.digest,
                "size": len(image.manifest),
            },
            "containerimage.config.digest": sha256_digest(image.config),
        }
        self._directory.joinpath(f"{content}.json").write_text(json.dumps(metadata))
        return image.digest
