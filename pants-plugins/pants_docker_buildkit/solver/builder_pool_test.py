"""At the commands that are run; `tests/integration/builder_pool_test.py` has real BuildKits."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.buildx.builder_description import BuilderDescription, NodeDescription
from pants_docker_buildkit.session.directory import PROGRESS_FILE
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.solver.builder_pool import home_endpoint, rank_members, reserve_builder
from pants_docker_buildkit.solver.described_builder import ChosenBuilder
from pants_docker_buildkit.solver.errors import (
    BuilderLostError,
    BuilderNotReadyError,
    OtherBuildPlatformError,
)
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker
from pants_docker_buildkit.testing.processes import SOON, wait_until

NODES = tuple(NodeDescription(f"tcp://b{number}:1") for number in range(4))
POOL = BuilderDescription("pool", "remote", (), 1, pool=NODES)
IMAGES = [f"app{number}:image linux/amd64" for number in range(200)]
WAITS = "app:image waits for room on its builder (1 builds are running there)"
RUNNING = "Name: n\nDriver: remote\n\nNodes:\nName: n0\nEndpoint: x\nStatus: running\n"


def endpoints(description: BuilderDescription, image: str) -> list[str | None]:
    return [node.endpoint for each in rank_members(description, image) for node in each.nodes]


def test_images_are_spread_over_all_endpoints_and_stay_where_they_are() -> None:
    first = Counter(endpoints(POOL, image)[0] for image in IMAGES)
    assert set(first) == {node.endpoint for node in NODES}
    assert min(first.values()) > 25
    reordered = replace(POOL, pool=NODES[::-1], max_builds=3)
    assert [endpoints(POOL, each) for each in IMAGES] == [
        endpoints(reordered, each) for each in IMAGES
    ]


def test_an_endpoint_that_goes_moves_its_own_images_only_and_spreads_them() -> None:
    smaller = replace(POOL, pool=NODES[1:])
    for image in IMAGES:
        ranked = endpoints(POOL, image)
        ranked.remove(NODES[0].endpoint)
        assert endpoints(smaller, image) == ranked


def test_the_order_of_platforms_chooses_no_other_endpoint() -> None:
    platforms = ("linux/arm64", "linux/amd64")
    images = [BuildSettings(f"app{number}:image", described_builder=POOL) for number in range(20)]
    homes = [home_endpoint(each, platforms) for each in images]
    assert [home_endpoint(each, platforms[::-1]) for each in images] == homes
    ranked = [endpoints(POOL, f"{each.target} linux/amd64,linux/arm64")[0] for each in images]
    assert ranked == homes
    assert home_endpoint(BuildSettings("app:image"), platforms) is None


def test_a_builder_that_is_no_pool_is_its_only_member() -> None:
    alone = BuilderDescription("far", "remote", NODES[:1], 1)
    assert rank_members(alone, "image") == (alone,)


class Host:
    """A session, and BuildKits that all answer."""

    def __init__(self, directory: Path, inspection: str = RUNNING) -> None:
        self.session = directory / "docker_buildkit" / "host-1"
        self.session.mkdir(parents=True)
        self.docker = FakeDocker(directory / "bin")
        self.docker.answer("buildx create")
        self.docker.answer("buildx inspect", inspection)

    def reserve(
        self, check: Callable[[ChosenBuilder], None] = lambda _: None, **settings: Any
    ) -> AbstractContextManager[ChosenBuilder]:
        found = BuildSettings("app:image", **settings)
        return reserve_builder(self.docker.cli(), found, ("linux/amd64",), self.session, check)

    @property
    def told(self) -> str:
        path = self.session / PROGRESS_FILE
        return path.read_text() if path.exists() else ""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_builds_above_the_limit_go_to_the_next_endpoint(host: Host) -> None:
    pool = replace(POOL, pool=NODES[:2], max_builds=2)
    with ExitStack() as stack:
        names = [stack.enter_context(host.reserve(described_builder=pool)).name for _ in range(4)]
    assert names[0] == names[1] != names[2] == names[3]
    with host.reserve(described_builder=pool) as again:
        assert again.name == names[0]


def test_a_build_waits_for_a_full_endpoint_where_the_other_is_lost(host: Host) -> None:
    pool = replace(POOL, pool=NODES[:2], max_builds=1)
    with host.reserve(described_builder=pool) as chosen:
        home = chosen.name
    found: list[str | None] = []

    def check(chosen: ChosenBuilder) -> None:
        if chosen.name != home:
            raise BuilderNotReadyError("pool", "answer", "it was killed")

    def wait() -> None:
        with host.reserve(check, described_builder=pool) as chosen:
            found.append(chosen.name)

    waiting = threading.Thread(target=wait)
    with host.reserve(described_builder=pool):
        waiting.start()
        wait_until(lambda: WAITS in host.told)
        assert found == []
    waiting.join(SOON)
    assert found == [home]
    (warning,) = (line for line in host.told.splitlines() if line.startswith("w "))
    assert re.fullmatch(
        r"w tcp://b[01]:1, an endpoint of '\[docker-buildkit.builders.pool\]', must answer, but:"
        r" it was killed. Until then, other endpoints build its images.",
        warning,
    )
    # Where none is full, there is nothing to wait for.
    gone = replace(pool, pool=NODES[2:])
    with pytest.raises(BuilderNotReadyError), host.reserve(check, described_builder=gone):
        pass


def test_a_full_endpoint_is_not_replaced_by_one_that_does_not_suit(host: Host) -> None:
    pool = replace(POOL, max_builds=1)
    with ExitStack() as stack:
        ranked = [stack.enter_context(host.reserve(described_builder=pool)).name for _ in NODES]
    suiting = (ranked[0], ranked[3])

    def reserve() -> AbstractContextManager[ChosenBuilder]:
        return host.reserve(_refusing_all_but(*suiting), described_builder=pool)

    has_room = threading.Event()

    def wait() -> None:
        with reserve():
            has_room.set()

    with reserve() as first, reserve() as second:
        assert (first.name, second.name) == suiting
        waiting = threading.Thread(target=wait)
        waiting.start()
        wait_until(lambda: WAITS in host.told)
        assert not has_room.is_set()
    waiting.join(SOON)
    assert has_room.is_set()


def test_where_no_endpoint_suits_the_first_is_refused(host: Host) -> None:
    with host.reserve(described_builder=POOL) as home:
        pass
    refused = pytest.raises(OtherBuildPlatformError, match=re.escape(str(home.name)))
    with refused, host.reserve(_refusing_all_but(), described_builder=POOL):
        pass


def test_of_a_pool_it_is_said_what_is_wrong_with_each_endpoint(host: Host) -> None:
    with host.reserve(described_builder=POOL) as home:
        pass

    def check(chosen: ChosenBuilder) -> None:
        if chosen.name == home.name:
            wanted = (("linux/amd64", "linux/amd64"),)
            raise OtherBuildPlatformError("pool", wanted, ["linux/arm64"])
        raise BuilderNotReadyError("pool", "answer", "it was killed")

    with pytest.raises(BuilderNotReadyError) as caught, host.reserve(check, described_builder=POOL):
        pass
    text = str(caught.value)
    assert all(str(node.endpoint) in text for node in NODES)
    assert text.count("must answer, but: it was killed.") == 3
    assert text.count(" answers, but: The Dockerfile uses the platform of its builder") == 1


def _refusing_all_but(*names: str | None) -> Callable[[ChosenBuilder], None]:
    def check(chosen: ChosenBuilder) -> None:
        if chosen.name not in names:
            wanted = (("linux/amd64", "linux/amd64"),)
            raise OtherBuildPlatformError(str(chosen.name), wanted, ["linux/arm64"])

    return check


@pytest.mark.parametrize(
    "settings",
    [
        {"described_builder": replace(POOL, pool=NODES[:1], max_builds=1)},
        {"described_builder": POOL, "max_builds": 1},
        {"described_builder": BuilderDescription("far", "remote", NODES[:1], 1), "max_builds": 1},
        {"builder": "own", "max_builds": 1},
    ],
    ids=["pool", "option", "described", "own"],
)
def test_a_build_waits_while_all_are_full(host: Host, settings: dict[str, Any]) -> None:
    described = settings.get("described_builder")
    room = len(described.pool) or 1 if isinstance(described, BuilderDescription) else 1
    has_room = threading.Event()

    def wait() -> None:
        with host.reserve(**settings):
            has_room.set()

    with ExitStack() as stack:
        for _ in range(room):
            stack.enter_context(host.reserve(**settings))
        thread = threading.Thread(target=wait)
        thread.start()
        wait_until(lambda: WAITS in host.told)
        # It asks again.
        assert not has_room.wait(0.5)
    assert has_room.wait(SOON)
    thread.join()
    assert host.told.count(WAITS) == 1


def test_a_limit_of_a_builder_counts_more_than_that_of_the_option(host: Host) -> None:
    pool = replace(POOL, pool=NODES[:1], max_builds=3)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(host.reserve(described_builder=pool, max_builds=1))


def test_an_endpoint_that_was_lost_while_it_built_comes_last(host: Host) -> None:
    def name() -> str | None:
        with host.reserve(described_builder=POOL) as chosen:
            return chosen.name

    before = name()
    with pytest.raises(BuilderLostError), host.reserve(described_builder=POOL):
        raise BuilderLostError("b", "gone", "")
    assert name() != before
    # The clock was set back by a day since.
    (lost,) = host.session.glob("lost-*")
    os.utime(lost, (time.time() + 86_400,) * 2)
    assert name() == before


def test_one_that_does_not_answer_is_passed_over_and_none_is_an_error(tmp_path: Path) -> None:
    host = Host(tmp_path, RUNNING.replace("running", "inactive"))
    host.docker.answer("buildx du", stderr="ERROR: connection refused", exit_code=1)
    pool = replace(POOL, pool=NODES[:2])
    with pytest.raises(BuilderNotReadyError) as caught, host.reserve(described_builder=pool):
        pass
    title, *findings, step = str(caught.value).split("\n")
    assert title == "No endpoint of '[docker-buildkit.builders.pool]' can build:"
    assert sorted(findings) == [
        f"  tcp://b{number}:1 must accept a connection within 1 s, but: connection refused."
        for number in range(2)
    ]
    assert step.startswith("Check `endpoint`")
    inspected = {call for call in host.docker.calls if call.startswith("buildx inspect ")}
    assert len(inspected) == 2
