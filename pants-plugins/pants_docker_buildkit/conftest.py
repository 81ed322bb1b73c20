"""What all unit tests have: an interrupt that is heard, and pairs of keys for signatures."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from pants_docker_buildkit.signatures.testing.real_cosign import KeyPair


@pytest.fixture(scope="session", autouse=True)
def interrupts() -> Iterator[None]:
    """What a shell starts in the background ignores `^C`, and so do the programs that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    """Our keys, with a password. cosign takes a while to make them."""
    return KeyPair.create(tmp_path_factory.mktemp("keys"), password="pass phrase")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    """Keys of somebody else, without one."""
    return KeyPair.create(tmp_path_factory.mktemp("stranger"))
