"""Several BuildKits behind one name: the engine's, behind several sockets, really built with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.solver.build_slots import SLOTS_DIRECTORY, take_slot
from tests.integration.described_builders_test import User
from tests.integration.workbench.builder import BuildKitSocket
from tests.integration.workbench.recorded_docker import is_build
from tests.integration.workbench.registry import Registry


class Pool:
    """BuildKits, and a user whose image says which number it is."""

    def __init__(self, directory: Path, user: User, repository: str, busybox: str) -> None:
        self.user = user
        self._directory = directory
        self._dockerfile = f"FROM {busybox}\nRUN echo {repository} > /app\n"
        self._number = 0
        self.buildkits = {name: self._start(name) for name in ("a", "b")}

    def _start(self, name: str) -> BuildKitSocket:
        return BuildKitSocket(self._directory / f"{name}.sock")

    def stop(self, name: str) -> None:
        self.buildkits.pop(name).close()
        (self._directory / f"{name}.sock").unlink()

    def start(self, name: str) -> None:
        self.buildkits[name] = self._start(name)

    def close(self) -> None:
        for each in self.buildkits.values():
            each.close()

    def configure(self, **settings: Any) -> None:
        endpoints = [each.url for each in self.buildkits.values()]
        self.user.builds_with({"driver": "remote", "endpoints": endpoints, **settings})

    def build(self) -> str:
        """Build something new, and say where that ran: the name of a BuildKit."""
        self._number += 1
        self.user.writes(f"{self._dockerfile}LABEL number={self._number}\n")
        line, calls = self.user.package()
        assert line.startswith("  built (")
        instance = builder_of(calls)
        found = self.user.named_caches / "docker_buildkit/buildx/instances" / instance
        (node,) = json.loads(found.read_text())["Nodes"]
        return Path(node["Endpoint"]).stem


def builder_of(calls: Iterable[tuple[str, ...]]) -> str:
    """What the builder of the only build is called."""
    (build,) = filter(is_build, calls)
    return build[build.index("--builder") + 1]


@pytest.fixture
def pool(tmp_path: Path, registry: Registry, repository: str, busybox: str) -> Iterator[Pool]:
    pool = Pool(tmp_path, User(tmp_path, registry, repository), repository, busybox)
    yield pool
    pool.close()


def test_an_image_stays_on_its_builder_while_that_answers_and_has_room(
    pool: Pool, repository: str, busybox: str
) -> None:
    pool.configure()

    # The builder whose platform a Dockerfile sees is the one that builds.
    names = ("one", "two", "three", "four")
    fields = "platforms=['linux/arm64', 'linux/amd64'], inline_cache=False"
    targets = (
        f"docker_buildkit_image(name={each!r}, {fields}, image_labels={{'name': {each!r}}})"
        for each in names
    )
    dockerfile = f"FROM {busybox}\nARG BUILDARCH\nLABEL {repository}=$BUILDARCH\n"
    pool.user.runner.write({"seen/Dockerfile": dockerfile, "seen/BUILD": "\n".join(targets)})
    asked = set[str]()
    for name in names:
        _, calls = pool.user.package(f"seen:{name}")
        inspected = {call[2] for call in calls if call[1:2] == ("inspect",)}
        assert inspected <= {builder_of(calls)}
        asked |= inspected
    assert asked

    home = pool.build()
    assert pool.build() == home
    (other,) = {"a", "b"} - {home}

    # Another way to the same builders builds nothing.
    pool.user.builds_with({"driver": "remote", "endpoint": pool.buildkits[other].url})
    line, calls = pool.user.package()
    assert line.startswith("  unchanged: ")
    assert calls == []

    # Full.
    pool.configure(max_builds=1)
    slots = pool.user.session.resolve().parent / SLOTS_DIRECTORY
    taken = take_slot(slots, json.dumps(["remote", [pool.buildkits[home].url]]), 1)
    assert taken is not None
    with taken:
        assert pool.build() == other
    assert pool.build() == home

    # Gone, and back.
    url = pool.buildkits[home].url
    endpoints = [url, pool.buildkits[other].url]
    pool.stop(home)
    pool.configure(endpoints=endpoints, boot_timeout=1)
    assert pool.build() == other
    pool.start(home)
    pool.configure(endpoints=endpoints)
    assert pool.build() == home


def test_a_program_hands_out_builders(pool: Pool, tmp_path: Path) -> None:
    log = tmp_path / "leases"
    script = tmp_path / "lease"
    script.write_text(
        f'#!/bin/sh\necho "$@ $PANTS_DOCKER_BUILDKIT_IMAGE" >>{log}\n'
        f'[ "$1" = new ] && echo \'{{"endpoint": "{pool.buildkits["b"].url}"}}\'\nexit 0\n'
    )
    script.chmod(0o755)
    pool.user.builds_with(
        {
            "driver": "remote",
            "acquire": [str(script), "new"],
            "release": [str(script), "end"],
        }
    )
    assert pool.build() == "b"
    new, end = log.read_text().splitlines()
    assert new.startswith("new app:image linux/")
    assert end == f"end {pool.buildkits['b'].url} {new.removeprefix('new ')}"
