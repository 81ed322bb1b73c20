from __future__ import annotations

import pytest

from pants_docker_buildkit.solver.cloud_caches import check_cloud_caches
from pants_docker_buildkit.solver.errors import CacheOutOfReachError

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
def test_a_cache_that_can_be_reached_is_used(cache: str, environment: dict[str, str]) -> None:
    check_cloud_caches([cache], environment)


@pytest.mark.parametrize(
    ("cache", "environment", "variable"),
    [
        ("type=gha", {}, "ACTIONS_RUNTIME_TOKEN"),
        ("type=gha", {"ACTIONS_RESULTS_URL": "https://results"}, "ACTIONS_RUNTIME_TOKEN"),
        ("type=gha,token=s3cret", {}, "ACTIONS_RESULTS_URL"),
    ],
)
def test_a_cache_that_buildx_would_drop_is_refused(
    cache: str, environment: dict[str, str], variable: str
) -> None:
    with pytest.raises(CacheOutOfReachError, match=f"but {variable} is not set") as raised:
        check_cloud_caches(["type=inline", cache], environment)
    assert "s3cret" not in str(raised.value)
