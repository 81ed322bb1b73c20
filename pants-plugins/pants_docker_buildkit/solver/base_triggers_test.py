from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pants_docker_buildkit.oci.json_object import InvalidJsonError
from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.registry.testing.access import BasicAccess
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.session.testing.fake_session import FakeSession
from pants_docker_buildkit.solver.base_triggers import (
    parse_triggers,
    read_base_triggers,
    render_triggers,
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
    assert read_base_triggers(session, reference, "linux/amd64") == ("COPY a /",)


def test_a_registry_that_does_not_let_us_in_is_named(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    reference = f"{registry.address}/base@{push(registry)}"
    session = FakeSession(tmp_path / "s").client
    with pytest.raises(UnreadableBaseError, match=rf"of {reference} are not known"):
        read_base_triggers(session, reference, "linux/amd64")


def test_what_was_cached_is_read_back() -> None:
    triggers = ("COPY a /", 'RUN echo "b"')
    assert parse_triggers(render_triggers(triggers).encode()) == triggers


def test_what_another_put_into_the_cache_is_refused() -> None:
    with pytest.raises(InvalidJsonError):
        parse_triggers(b'{"triggers": [1]}')
