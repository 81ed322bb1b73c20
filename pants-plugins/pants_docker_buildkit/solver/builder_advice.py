"""Where does somebody look for why a builder was lost?"""

from __future__ import annotations

import shlex

from pants_docker_buildkit.buildx.builder import Builder
from pants_docker_buildkit.registry.redaction import redact


def advise_on_loss(builder: Builder, buildx_config: str | None) -> str:
    """A sentence for a message. `buildx_config` is set for the plugin's own builders."""
    config = "" if buildx_config is None else f"BUILDX_CONFIG={shlex.quote(buildx_config)} "
    inspect = f"'{config}docker buildx inspect --bootstrap {builder.name}'"
    if builder.driver == "docker":
        return "Look at the Docker Engine's log, as with 'journalctl --unit docker'."
    if builder.driver == "docker-container":
        return f"Look at 'docker logs buildx_buildkit_{builder.name}0' and {inspect}."
    if builder.driver == "kubernetes":
        return f"Look at 'kubectl logs deployment/{builder.name}0' and {inspect}."
    return f"Look at the log of the BuildKit at {redact(builder.endpoint)} and {inspect}."
