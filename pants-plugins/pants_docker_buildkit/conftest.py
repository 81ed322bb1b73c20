"""Pairs of keys for signatures, of which cosign takes a while to make one."""

from __future__ import annotations

import pytest

from pants_docker_buildkit.signatures.testing.real_cosign import KeyPair


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    """Our keys, with a password."""
    return KeyPair.create(tmp_path_factory.mktemp("keys"), password="pass phrase")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    """Keys of somebody else, without one."""
    return KeyPair.create(tmp_path_factory.mktemp("stranger"))
