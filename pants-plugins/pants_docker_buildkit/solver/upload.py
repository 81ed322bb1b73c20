"""Upload the image of an OCI image layout to registries, under its digest and no tag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pants_docker_buildkit.oci.layout import ImageLayout, InvalidLayoutError
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.errors import RegistryError
from pants_docker_buildkit.registry.image_copy import copy_image
from pants_docker_buildkit.session.questions import SessionClient
from pants_docker_buildkit.solver.session_registries import session_client


def upload_layout(
    layout: Path, repositories: Iterable[str], session: SessionClient
) -> Mapping[str, str]:
    """Why some of the repositories, each `registry/repository`, did not get the image."""
    problems = {}
    for repository in repositories:
        try:
            _upload(layout, ImageReference.parse(repository), session)
        except (RegistryError, InvalidLayoutError) as e:
            problems[repository] = str(e)
    return problems


def _upload(layout: Path, name: ImageReference, session: SessionClient) -> None:
    content = ImageLayout.open(layout)
    with session_client(session, name) as client:
        copy_image(content, client, name.repository)
