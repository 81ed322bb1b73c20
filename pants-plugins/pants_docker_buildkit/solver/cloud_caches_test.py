from __future__ import annotations

from pathlib import Path

import pytest

from pants_docker_buildkit.session.directory import PROGRESS_FILE
from pants_docker_buildkit.solver.cloud_caches import warn_of_dropped_caches

TOKEN = {"ACTIONS_RUNTIME_TOKEN": "s3cret"}


@pytest.mark.parametrize(
    ("cache", "environment"),
    [
        ("type=gha", {**TOKEN, "ACTIONS_RESULTS_URL": "https://results"}),
        ("type=gha,mode=max", {**TOKEN, "ACTIONS_CACHE_URL": "https://cache"}),
        ("type=gha,url_v2=https://own", TOKEN),
        ("type=gha,token=own,url=https://own", {}),
        ("type=s3,region=eu,bucket=b", {}),
        ("type=registry,ref=a.example/cache", {}),
        ("nonsense,type", {}),
    ],
)
def test_a_cache_that_can_be_reached_is_used(
    tmp_path: Path, cache: str, environment: dict[str, str]
) -> None:
    warn_of_dropped_caches(tmp_path, [cache], environment)
    assert not (tmp_path / PROGRESS_FILE).exists()


@pytest.mark.parametrize(
    ("cache", "environment", "variable"),
    [
        ("type=gha", {}, "ACTIONS_RUNTIME_TOKEN"),
        ("type=gha", {"ACTIONS_RESULTS_URL": "https://results"}, "ACTIONS_RUNTIME_TOKEN"),
        ("type=gha,token=s3cret", {}, "ACTIONS_RESULTS_URL"),
    ],
)
def test_a_warning_says_once_which_caches_buildx_drops(
    tmp_path: Path, cache: str, environment: dict[str, str], variable: str
) -> None:
    warn_of_dropped_caches(tmp_path, ["type=inline", cache, cache], environment)
    (line,) = (tmp_path / PROGRESS_FILE).read_text().splitlines()
    assert "Caches of `type=gha` are left out." in line
    assert f"and {variable} is not set" in line
    assert "s3cret" not in line
