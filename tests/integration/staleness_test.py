"""Does a change build an image exactly when plain buildx makes another image of it?

Of some kinds of input; `tests/conformance/staleness/differential.py` changes all.
"""

from __future__ import annotations

from pathlib import Path

from tests.conformance.staleness.differential import run
from tests.conformance.staleness.inputs import INPUTS, SLICE


def test_a_change_builds_exactly_when_it_gives_another_image(tmp_path: Path) -> None:
    wrong = run([each for each in INPUTS if each.name in SLICE], tmp_path)
    assert not wrong, "\n".join(f"{name}: {problems}" for name, problems in wrong.items())
