"""Does a 404 say that a registry does not have something, or that there is no registry now?

A load balancer or a proxy whose registry is away may answer so, as may any web server: an image
that is believed to be gone is built again.
"""

from __future__ import annotations

from pants_docker_buildkit.registry.authentication import Scopes
from pants_docker_buildkit.registry.channel import Call, Channel
from pants_docker_buildkit.registry.errors import Inquiry, UnexpectedResponseError
from pants_docker_buildkit.registry.refusals import read_refusal
from pants_docker_buildkit.registry.transport import Response

_ROOT = "/v2/"
_VERSION = "Docker-Distribution-Api-Version"
"""What most registries say of themselves in all answers."""


def check_absence(channel: Channel, inquiry: Inquiry, response: Response, scopes: Scopes) -> None:
    """Raise a `RegistryError` unless a registry sent this 404, whose body is read.

    One that does not tell itself is asked for what each registry has, and no other server.

    https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints
    """
    if response.header(_VERSION) is not None or _is_json(response):
        response.discard()
        return
    if read_refusal(response).code is not None:
        return
    # Somebody who may not see it is told so by a registry.
    root = channel.ask(Call(inquiry, "GET", _ROOT, scopes, accepted=(200, 401, 403)))
    root.discard()
    if is_for_people(root):
        raise UnexpectedResponseError(inquiry, f"HTTP 404, and its {_ROOT} is a page for people")


def is_for_people(response: Response) -> bool:
    """Whether it is a page, with which some servers answer all that they do not know."""
    return (response.header("Content-Type") or "").lower().startswith("text/html")


def _is_json(response: Response) -> bool:
    kind = (response.header("Content-Type") or "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")
