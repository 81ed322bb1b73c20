"""A plan that is out of date does not happen, in whatever order the rules that plan end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pants.engine.addresses import Address

from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.tag_move import RepositoryMoves, TagMove
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.registry.workers import Workers
from pants_docker_buildkit.testutil import run_in_foreground
from pants_docker_buildkit.util_rules.tag_moves import PlannedMove, TagMoves

APP = Address("app", target_name="image")
OLD, NEW = SmallImage.create("old"), SmallImage.create("new")


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


@pytest.mark.parametrize("ends_last", ["the rule that ran before", "the one that runs again"])
def test_only_the_plan_that_began_last_happens(
    registry: FakeRegistry, tmp_path: Path, ends_last: str
) -> None:
    clients = RegistryClients()
    for image in (OLD, NEW):
        image.push(clients.client(registry.address), "app")
    moves = TagMoves(clients.client, Workers("test"))

    def plan(ticket: str, image: SmallImage, tag: str) -> PlannedMove:
        name = f"{registry.address}/app:{tag}"
        moves.claim(ticket, image.digest, [name])
        wanted = RepositoryMoves(registry.address, "app", image.digest, (TagMove(tag, None),))
        (move,) = moves.plan(ticket, wanted, (), tmp_path, {tag: name})
        return move

    before, now = moves.begin_plan(APP), moves.begin_plan(APP)
    if ends_last == "the one that runs again":
        plan(before, OLD, "stale")
    move = plan(now, NEW, "latest")
    if ends_last == "the rule that ran before":
        plan(before, OLD, "stale")
    done = run_in_foreground(move.process)
    assert (done.returncode, done.stderr) == (0, "")
    assert registry.repository("app").tags == {"latest": NEW.digest}
    clients.close()
