from __future__ import annotations

from typing import Union

import pytest
from pants.engine.addresses import Address
from pants.engine.target import InvalidFieldException

from pants_docker_buildkit.fields.cache import (
    BuildKitImageCacheFromField,
    BuildKitImageCacheToField,
)

ADDRESS = Address("app", target_name="image")


@pytest.mark.parametrize("field", [BuildKitImageCacheFromField, BuildKitImageCacheToField])
def test_a_map_is_refused_and_not_taken_for_a_list_of_its_keys(
    field: Union[type[BuildKitImageCacheFromField], type[BuildKitImageCacheToField]],
) -> None:
    assert field(["type=gha"], ADDRESS).value == ("type=gha",)
    with pytest.raises(InvalidFieldException, match=r"app:image must be a list of texts"):
        field({"type": "gha"}, ADDRESS)
