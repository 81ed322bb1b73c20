"""Which proxies do `RUN` steps get? As BuildKit's predefined arguments, which are in no image.

https://docs.docker.com/reference/dockerfile/#predefined-args

An `ARG` that declares such an argument puts its value into the history of the image, whether it is
in the Dockerfile, in a trigger of a base image, or what a frontend makes of another language. So no
Dockerfile is searched for them: the arguments have names that BuildKit takes for the predefined
ones, whose case it ignores, and that no `ARG` declares. Nor does buildx, which finds the values in
its environment, take them for its own proxies. See `docs/decisions/0030-names-of-proxies.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pants_docker_buildkit.registry.origin import InvalidUrlError
from pants_docker_buildkit.registry.proxies import Proxy
from pants_docker_buildkit.solver.definition import BuildDefinition
from pants_docker_buildkit.solver.engine_search import read_docker_config

_HOST_NETWORK = "host"

# What a Docker configuration calls them:
# https://docs.docker.com/engine/cli/proxy/#configure-the-docker-client
_SETTINGS = {
    "HTTP_PROXY": "httpProxy",
    "HTTPS_PROXY": "httpsProxy",
    "FTP_PROXY": "ftpProxy",
    "NO_PROXY": "noProxy",
    "ALL_PROXY": "allProxy",
}


def proxy_build_args(
    environment: Mapping[str, str], definition: BuildDefinition
) -> tuple[tuple[str, str], ...]:
    """The arguments with their values, sorted.

    From the proxies of the user's Docker configuration, or else from the user's `environment`. An
    argument that the build sets itself, in whatever case, stays as it is.
    """
    proxies = read_docker_config(environment).get("proxies")
    configured = _configured(proxies, environment.get("DOCKER_HOST"))
    given = {name.upper() for name, _ in definition.build_args}
    found = {}
    for name, setting in _SETTINGS.items():
        value = configured.get(setting) or environment.get(name) or environment.get(name.lower())
        if name in given or not isinstance(value, str) or not value:
            continue
        if name == "NO_PROXY" or _is_reachable(value, definition.network):
            found[undeclared_name(name)] = value
    return tuple(sorted(found.items()))


def undeclared_name(name: str) -> str:
    """What no `ARG` calls a predefined argument, and BuildKit takes for it: `hTTP_PROXY`."""
    return name[0].lower() + name[1:]


def _configured(proxies: Any, docker_host: str | None) -> Mapping[str, Any]:
    if not isinstance(proxies, dict):
        return {}
    chosen = proxies.get(docker_host) or proxies.get("default")
    return chosen if isinstance(chosen, dict) else {}


def _is_reachable(proxy: str, network: str | None) -> bool:
    """A proxy on this machine's loopback is somewhere else for a step with a network of its own."""
    try:
        return network == _HOST_NETWORK or not Proxy.parse(proxy).origin.is_loopback
    except InvalidUrlError:
        # Such as a SOCKS proxy, which is BuildKit's to understand.
        return True
