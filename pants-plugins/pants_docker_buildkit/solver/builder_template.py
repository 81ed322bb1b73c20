"""What does buildx write for a builder that is reached at a socket? Asked once for each buildx.

Every build has a socket of its own, and so a builder. To have buildx create it takes as long as
many a build. So what it wrote the first time is kept, and written again with another address.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from pants_docker_buildkit.buildx.builder_description import REMOTE
from pants_docker_buildkit.oci.json_object import JsonObject
from pants_docker_buildkit.session.directory import write_private
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.errors import UnknownBuilderError

_INSTANCES = "instances"
_ADDRESS = "unix:///of/each/build"


def template_path(directory: Path, buildx_version: str) -> Path:
    """Where it is kept what a buildx wrote that says this of its version."""
    return directory / f"builder-{hashlib.sha256(buildx_version.encode()).hexdigest()[:16]}.json"


def add_remote_builder(docker: DockerCli, name: str, address: str, template: Path) -> None:
    """Let the buildx configuration of `docker`, which is empty, have a builder at an address.

    Raises `UnknownBuilderError`, and `OSError`.
    """
    instance = Path(docker.environment["BUILDX_CONFIG"]) / _INSTANCES / name
    known = _read(template, name)
    if known is not None:
        instance.parent.mkdir(mode=0o700)
        instance.write_text(known.replace(json.dumps(_ADDRESS), json.dumps(address)))
        return
    created = docker.ask("buildx", "create", "--name", name, "--driver", REMOTE, address)
    if created.returncode != 0:
        raise UnknownBuilderError(name, created.stderr)
    with suppress(OSError):
        written = instance.read_text()
        if written.count(json.dumps(address)) == 1:
            kept = written.replace(json.dumps(address), json.dumps(_ADDRESS))
            write_private(template, kept.encode())


def _read(template: Path, name: str) -> str | None:
    """What is kept, if it is a builder of this name. Anything else has buildx asked again."""
    try:
        text = template.read_text()
        instance = JsonObject.parse(text.encode())
        (node,) = instance.objects("Nodes")
        known = instance.text("Name"), instance.text("Driver"), node.text("Endpoint")
    except (OSError, ValueError):
        return None
    is_whole = known == (name, REMOTE, _ADDRESS) and text.count(json.dumps(_ADDRESS)) == 1
    return text if is_whole else None
