"""Are the inputs what they have to be, before anything is built?"""

from __future__ import annotations

import pytest

from tests.conformance.staleness.inputs import INPUTS, SLICE

pytestmark = pytest.mark.network_free


def test_each_input_has_a_name_of_its_own() -> None:
    names = [each.name for each in INPUTS]
    assert len(set(names)) == len(names) > 50


def test_the_slice_has_all_that_its_images_stand_on() -> None:
    bases = {name for each in INPUTS if each.name in SLICE for name in each.before.on.values()}
    assert {each.name for each in INPUTS} >= SLICE >= bases


def test_no_definition_is_another_one_s_before_or_after_its_change() -> None:
    labels = [each.before.fields["image_labels"]["tree"] for each in INPUTS]
    assert len(set(labels)) == len(INPUTS)
