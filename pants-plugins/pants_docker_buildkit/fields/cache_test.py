from __future__ import annotations

from typing import Union

import pytest
from pants.engine.addresses import Address
from pants.engine.target import InvalidFieldException

from pants_docker_buildkit.fields.cache import (
    BuildKitImageBuildTimeoutField,
    BuildKitImageCacheFromField,
    BuildKitImageCacheToField,
)
from pants_docker_buildkit.fields.layers import BuildKitImageCompressionLevelField

ADDRESS = Address("app", target_name="image")


@pytest.mark.parametrize("field", [BuildKitImageCacheFromField, BuildKitImageCacheToField])
def test_a_map_is_the_text_that_it_means(
    field: Union[type[BuildKitImageCacheFromField], type[BuildKitImageCacheToField]],
) -> None:
    assert field(["type=gha"], ADDRESS).value == ("type=gha",)
    assert field({"type": "gha", "mode": "max"}, ADDRESS).value == ("type=gha,mode=max",)
    several = field([{"type": "s3", "name": "a,b"}, "type=inline"], ADDRESS)
    assert several.value == ('type=s3,"name=a,b"', "type=inline")
    assert field(None, ADDRESS).value == ()
    with pytest.raises(InvalidFieldException, match=r"app:image must have texts in its maps"):
        field({"type": 1}, ADDRESS)
    with pytest.raises(InvalidFieldException, match="app:image"):
        field("type=gha", ADDRESS)
    with pytest.raises(InvalidFieldException, match=r"must hold texts or maps, .* but one is 3\."):
        field([3], ADDRESS)


def test_true_is_no_number() -> None:
    for field in (BuildKitImageBuildTimeoutField, BuildKitImageCompressionLevelField):
        assert field(1, ADDRESS).value == 1
        with pytest.raises(InvalidFieldException, match=r"app:image must be an integer.*`True`"):
            field(True, ADDRESS)
