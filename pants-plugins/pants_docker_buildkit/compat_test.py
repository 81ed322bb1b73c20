from __future__ import annotations

from pants.engine.addresses import Address, Addresses
from pants.engine.fs import CreateDigest, FileContent

import pants_docker_buildkit.compat  # noqa: F401  # mends what this tests


def test_collections_with_other_elements_have_other_hashes() -> None:
    files = {hash(CreateDigest((FileContent(f"{number}", b""),))) for number in range(1000)}
    assert len(files) == 1000
    addresses = {hash(Addresses((Address("src", target_name=f"{n}"),))) for n in range(1000)}
    assert len(addresses) == 1000


def test_equal_collections_have_equal_hashes() -> None:
    first, second = (CreateDigest((FileContent("a", b"b"),)) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
