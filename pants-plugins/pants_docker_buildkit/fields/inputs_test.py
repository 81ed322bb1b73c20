from __future__ import annotations

import pytest
from pants.engine.addresses import Address
from pants.engine.target import InvalidFieldException

from pants_docker_buildkit.fields.inputs import BuildKitImageBuildArgsField

ADDRESS = Address("app", target_name="image")


def test_a_map_of_build_arguments_is_not_taken_for_a_list_of_its_keys() -> None:
    assert BuildKitImageBuildArgsField(["A=1", "HOME"], ADDRESS).value == ("A=1", "HOME")
    with pytest.raises(InvalidFieldException) as raised:
        BuildKitImageBuildArgsField({"HOME": "/app"}, ADDRESS)
    assert str(raised.value) == (
        "The `extra_build_args` field in target app:image must be a list, as ['NAME=value'], but"
        " was {'HOME': '/app'}."
    )
