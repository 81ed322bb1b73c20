"""What an image's configuration says of the containers that are made of it.

https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from pants_docker_buildkit.oci.json_object import JsonObject

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The `PATH` of steps of an image that has none (BuildKit's `util/system/path.go`)."""


@dataclass(frozen=True)
class ImageConfig:
    """The defaults of a container.

    `variables` are as written, `NAME=value`, and so are ports, such as `8080/tcp`.
    """

    variables: tuple[str, ...]
    labels: Mapping[str, str]
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    ports: tuple[str, ...]
    volumes: tuple[str, ...]
    workdir: str
    user: str
    triggers: tuple[str, ...]

    @classmethod
    def parse(cls, content: bytes) -> ImageConfig:
        """Read a configuration. Raises `InvalidJsonError`."""
        document = JsonObject.parse(content)
        members = document.member("config") if "config" in document else JsonObject({}, "config")
        return cls(
            variables=members.texts("Env"),
            labels=dict(members.text_pairs("Labels")),
            entrypoint=members.texts("Entrypoint"),
            cmd=members.texts("Cmd"),
            ports=_names(members, "ExposedPorts"),
            volumes=_names(members, "Volumes"),
            workdir=members.optional_text("WorkingDir") or "",
            user=members.optional_text("User") or "",
            triggers=members.texts("OnBuild"),
        )

    @cached_property
    def env(self) -> Mapping[str, str]:
        """The variables by name."""
        return dict(map(_pair, self.variables))


def _names(members: JsonObject, key: str) -> tuple[str, ...]:
    return tuple(members.member(key)) if key in members else ()


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value
