from __future__ import annotations

import os

import pytest
from pants.testutil.option_util import create_subsystem

from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.solver.progress import ShownProgress
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.testutil import ImageRunner
from pants_docker_buildkit.util_rules.build_settings import (
    BuildOptions,
    _context_name,
    build_settings,
)
from pants_docker_buildkit.util_rules.builders import DescribedBuilders


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    return ImageRunner()


def settings(
    runner: ImageRunner,
    fields: str,
    *,
    cache_from: str = "",
    cache_to: str = "",
    build_timeout: int | None = None,
    max_builds: int | None = None,
    resources: dict[str, str] | None = None,
) -> BuildSettings:
    subsystem = create_subsystem(
        DockerBuildKitSubsystem,
        builder=None,
        cache_from=[cache_from] if cache_from else [],
        cache_to=[cache_to] if cache_to else [],
        inline_cache_tag="buildcache",
        build_timeout=build_timeout,
        max_builds=max_builds,
        resources=resources or {},
        progress=next(iter(ShownProgress)),
        pass_proxies=True,
        mirrors={},
    )
    runner.write({"app/BUILD": f"docker_buildkit_image(name='image', {fields})"})
    field_set = runner.field_set("app:image")
    options = BuildOptions(subsystem, DescribedBuilders(()), "/home/me", reads_remote_cache=False)
    return build_settings(field_set, options)


def test_paths_of_caches_and_keys_are_relative_to_the_build_root(runner: ImageRunner) -> None:
    root = os.path.realpath(runner.runner.build_root)
    found = settings(
        runner,
        "cache_from=['a.example/x,b.example/y', 'type=local,src=./in'],"
        "cache_to=['type=local,dest=out,mode=max', 'type=gha'], ssh=['default', 'k=~/k,keys/k']",
        cache_from="type=local,src=shared",
    )
    assert [each.replace(root, "ROOT") for each in found.cache_from] == [
        "type=local,src=ROOT/shared",
        "a.example/x",
        "b.example/y",
        "type=local,src=ROOT/app/in",
    ]
    assert [each.replace(root, "ROOT") for each in found.cache_to] == [
        "type=local,dest=ROOT/out,mode=max",
        "type=gha",
    ]
    assert [each.replace(root, "ROOT") for each in found.ssh] == [
        "default",
        "k=/home/me/k,ROOT/keys/k",
    ]


def test_whether_a_cache_is_in_the_image_is_not_for_exports_to_say(runner: ImageRunner) -> None:
    """It would change the image, and with `inline_cache` BuildKit refuses two of that type."""
    found = settings(runner, "cache_to=[{'type': 'inline'}, 'type=gha']", cache_to="TYPE=inline")
    assert found.cache_to == ("type=gha",)


def test_the_time_limit_is_that_of_the_target_or_else_of_the_option(runner: ImageRunner) -> None:
    assert settings(runner, "").build_timeout is None
    assert settings(runner, "", build_timeout=60).build_timeout == 60
    assert settings(runner, "build_timeout=5", build_timeout=60).build_timeout == 5
    with pytest.raises(Exception, match="must be a number of seconds above zero, but it is 0"):
        settings(runner, "", build_timeout=0)


def test_the_limit_of_builds_is_above_zero(runner: ImageRunner) -> None:
    assert settings(runner, "", max_builds=3).max_builds == 3
    with pytest.raises(Exception, match="must be a number above zero, but it is 0"):
        settings(runner, "", max_builds=0)


def test_an_option_that_is_no_cache_is_named(runner: ImageRunner) -> None:
    with pytest.raises(Exception, match="must") as raised:
        settings(runner, "", cache_to="ref=a,x=y")
    assert str(raised.value) == (
        "The option `[docker-buildkit].cache_to` must name caches, each of which must have a type,"
        " as in 'type=registry,ref=ghcr.io/org/cache', but 'ref=a,x=y' is not valid."
    )


def test_no_two_images_have_contexts_of_one_name_not_even_in_two_checkouts() -> None:
    def names(checkout: ImageRunner) -> list[str]:
        checkout.write({"two/BUILD": "".join(f"docker_buildkit_image(name='{n}')\n" for n in "ab")})
        return [_context_name(checkout.field_set(f"two:{name}")) for name in "ab"]

    runner = ImageRunner()
    first = names(runner)
    assert names(runner) == first
    # Pants knows one build root at a time: that of the newest engine.
    assert len({*first, *names(ImageRunner())}) == 4


def test_limits_of_a_target_count_more_than_those_of_the_option(runner: ImageRunner) -> None:
    option = {"memory": "1g", "cpu-shares": "2"}
    found = settings(runner, "resources={'memory': '4g'}", resources=option)
    assert found.resources == (("cpu-shares", "2"), ("memory", "4g"))
