from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.json_object import InvalidJsonError
from pants_docker_buildkit.oci.platform_image import BaseConfig
from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.registry.testing.access import BasicAccess
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.session.testing.fake_session import FakeSession
from pants_docker_buildkit.solver.base_config import (
    ask_base_config,
    parse_base_config,
    render_base_config,
)
from pants_docker_buildkit.solver.errors import UnreadableBaseError


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """A registry that only somebody with a password may read."""
    with FakeRegistry(access=BasicAccess("me", "s3cret")).running() as registry:
        yield registry


def push(registry: FakeRegistry, *triggers: str) -> str:
    return SmallImage.create(triggers=triggers).store(registry.repository("base"))


def test_triggers_are_read_as_the_session(registry: FakeRegistry, tmp_path: Path) -> None:
    reference = f"{registry.address}/base@{push(registry, 'COPY a /')}"
    session = FakeSession(tmp_path / "s", lambda *_: Credentials("me", "s3cret")).client
    assert ask_base_config(session, reference, "linux/amd64").triggers == ("COPY a /",)


def test_a_registry_that_does_not_let_us_in_is_named(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    reference = f"{registry.address}/base@{push(registry)}"
    session = FakeSession(tmp_path / "s").client
    with pytest.raises(UnreadableBaseError, match=rf"What {reference} triggers .* is not known"):
        ask_base_config(session, reference, "linux/amd64")


@pytest.mark.parametrize(
    "platform",
    [None, ImagePlatform("linux", "arm", "v7"), ImagePlatform("plan10", "pdp11")],
    ids=str,
)
def test_what_was_cached_is_read_back(platform: ImagePlatform | None) -> None:
    config = BaseConfig(("COPY a /", 'RUN echo "b"'), platform)
    assert parse_base_config(render_base_config(config).encode()) == config


@pytest.mark.parametrize("text", [b'{"triggers": [1]}', b'{"platform": 1}', b'{"platform": {}}'])
def test_what_another_put_into_the_cache_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidJsonError):
        parse_base_config(text)
