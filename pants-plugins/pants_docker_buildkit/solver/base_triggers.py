"""What does a base image have builds do that are based on it?"""

from __future__ import annotations

import json

from pants_docker_buildkit.oci.content import InvalidContentError
from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.json_object import JsonObject
from pants_docker_buildkit.oci.manifest import InvalidManifestError
from pants_docker_buildkit.oci.media_types import is_manifest
from pants_docker_buildkit.oci.platform_image import read_image_triggers
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.errors import RegistryError
from pants_docker_buildkit.session.questions import SessionClient
from pants_docker_buildkit.solver.errors import UnreadableBaseError
from pants_docker_buildkit.solver.session_registries import session_client


def read_base_triggers(session: SessionClient, reference: str, platform: str) -> tuple[str, ...]:
    """The triggers of a pinned image, asked of its registry. Raises `UnreadableBaseError`."""
    name = ImageReference.parse(reference)
    with session_client(session, name) as client:

        def read(descriptor: Descriptor) -> bytes:
            if is_manifest(descriptor.media_type):
                return client.get_manifest(name.repository, descriptor.digest)[1]
            return client.read_blob(name.repository, descriptor)

        try:
            root, _ = client.get_manifest(name.repository, name.digest or "")
            return read_image_triggers(root, ImagePlatform.parse(platform), read)
        except (RegistryError, InvalidManifestError, InvalidContentError) as e:
            raise UnreadableBaseError(reference, str(e)) from e


def render_triggers(triggers: tuple[str, ...]) -> str:
    """What the process prints that asks for them."""
    return json.dumps({"triggers": list(triggers)})


def parse_triggers(text: bytes) -> tuple[str, ...]:
    """What `render_triggers` wrote. Raises `ValueError` for anything else, as caches may hold."""
    return JsonObject.parse(text).texts("triggers")
