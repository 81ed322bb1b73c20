"""What does a base image say to builds that are based on it?"""

from __future__ import annotations

import json

from pants_docker_buildkit.oci.content import InvalidContentError
from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.json_object import JsonObject
from pants_docker_buildkit.oci.manifest import InvalidManifestError, read_platform
from pants_docker_buildkit.oci.media_types import is_manifest
from pants_docker_buildkit.oci.platform_image import BaseConfig, read_base_config
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.errors import RegistryError
from pants_docker_buildkit.session.questions import SessionClient
from pants_docker_buildkit.solver.errors import UnreadableBaseError
from pants_docker_buildkit.solver.session_registries import session_client


def ask_base_config(session: SessionClient, reference: str, platform: str) -> BaseConfig:
    """What a pinned image says, asked of its registry. Raises `UnreadableBaseError`."""
    name = ImageReference.parse(reference)
    with session_client(session, name) as client:

        def read(descriptor: Descriptor) -> bytes:
            if is_manifest(descriptor.media_type):
                return client.get_manifest(name.repository, descriptor.digest)[1]
            return client.read_blob(name.repository, descriptor)

        try:
            root, _ = client.get_manifest(name.repository, name.digest or "")
            return read_base_config(root, ImagePlatform.parse(platform), read)
        except (RegistryError, InvalidManifestError, InvalidContentError) as e:
            raise UnreadableBaseError(reference, str(e)) from e


def render_base_config(config: BaseConfig) -> str:
    """What the process prints that asks for it."""
    own = config.platform
    # In the terms of the config itself: it may name what no `ImagePlatform.parse` knows.
    platform = own and {"os": own.os, "architecture": own.architecture, "variant": own.variant}
    return json.dumps({"triggers": list(config.triggers), "platform": platform})


def parse_base_config(text: bytes) -> BaseConfig:
    """What `render_base_config` wrote. Raises `ValueError` for anything else caches may hold."""
    document = JsonObject.parse(text)
    platform = read_platform(document.member("platform")) if "platform" in document else None
    return BaseConfig(document.texts("triggers"), platform)
