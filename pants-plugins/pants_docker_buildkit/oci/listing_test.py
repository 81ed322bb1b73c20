from __future__ import annotations

import pytest

from pants_docker_buildkit.oci.listing import list_few


@pytest.mark.parametrize(
    ("texts", "listed"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a, b"),
        (["a", "b", "c"], "a, b and 1 more"),
        (["a", "b", "c", "d"], "a, b and 2 more"),
    ],
)
def test_a_few_are_listed(texts: list[str], listed: str) -> None:
    assert list_few(texts, 2) == listed
