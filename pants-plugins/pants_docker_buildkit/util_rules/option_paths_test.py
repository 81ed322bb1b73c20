from __future__ import annotations

from pathlib import Path

import pytest
from pants.base.build_root import BuildRoot

from pants_docker_buildkit.util_rules.option_paths import option_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param("certs/ca.pem", "ROOT/certs/ca.pem", id="in the repository"),
        pytest.param("../ca.pem", "PARENT/ca.pem", id="beside the repository"),
        pytest.param("/etc/ca.pem", "/etc/ca.pem", id="absolute"),
        pytest.param("~/ca.pem", "/home/me/ca.pem", id="at home"),
        pytest.param("~", "/home/me", id="home"),
        pytest.param("~you/ca.pem", "ROOT/~you/ca.pem", id="somebody else's home"),
    ],
)
def test_a_path_leads_to_one_place_wherever_pants_runs(
    tmp_path: Path, text: str, path: str
) -> None:
    with BuildRoot().temporary(str(tmp_path)):
        found = option_path(text, "/home/me")
    assert found == path.replace("ROOT", str(tmp_path)).replace("PARENT", str(tmp_path.parent))
