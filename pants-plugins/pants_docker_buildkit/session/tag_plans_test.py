"""A plan that is out of date does not happen, in whatever order the rules that plan end."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.tag_move import RepositoryMoves, TagMove
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.session import tag_plans
from pants_docker_buildkit.session.packaged_images import PackagedImages
from pants_docker_buildkit.session.tag_plans import MoveReport, PlannedTag, TagPlans
from pants_docker_buildkit.testing.processes import SOON

OLD, NEW = SmallImage.create("old"), SmallImage.create("new")


class Scene:
    """A registry with two images, and what one session plans for it."""

    def __init__(self, registry: FakeRegistry, clients: RegistryClients) -> None:
        self.registry = registry
        for image in (OLD, NEW):
            image.push(clients.client(registry.address), "app")
        self.clients = clients
        self.plans = TagPlans(clients.client)

    def tag(self, name: str) -> PlannedTag:
        return PlannedTag(f"{self.registry.address}/app:{name}", "there")

    def plan(
        self, ticket: str, image: SmallImage, *tags: str, plans: TagPlans | None = None
    ) -> None:
        plans = plans or self.plans
        planned = [self.tag(each) for each in tags]
        plans.claim(ticket, image.digest, [each.name for each in planned])
        moves = tuple(TagMove(each, None) for each in tags)
        wanted = RepositoryMoves(self.registry.address, "app", image.digest, moves)
        plans.plan(ticket, planned, wanted, ())


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as the moves take, unless a test says otherwise."""
    monkeypatch.setattr(tag_plans, "_SECONDS_BETWEEN_LINES", SOON)


@pytest.fixture
def scene() -> Iterator[Scene]:
    clients = RegistryClients()
    with FakeRegistry().running() as registry:
        yield Scene(registry, clients)
        clients.close()


def test_a_rule_that_was_given_up_begins_in_vain(scene: Scene) -> None:
    now = scene.plans.begin("app")
    given_up = [scene.plans.begin("app")]
    scene.plan(now, NEW, "latest")
    given_up.append(scene.plans.begin("app"))
    report = scene.plans.move()
    assert report.tags is not None
    assert [each.name for each in report.tags] == [scene.tag("latest").name]
    assert scene.registry.repository("app").tags == {"latest": NEW.digest}
    assert scene.plans.outcome(now, scene.tag("latest")).problem is None
    for ticket in given_up:
        assert scene.plans.outcome(ticket, scene.tag("latest")).problem is not None


@pytest.mark.parametrize("begins_last", ["the one of the image before", "the one of this image"])
def test_a_plan_for_an_image_that_the_target_had_before_does_not_happen(
    scene: Scene, begins_last: str
) -> None:
    packaged = PackagedImages()
    images = [OLD, NEW] if begins_last == "the one of this image" else [NEW, OLD]
    tickets = {}
    for image in images:
        is_last = partial(packaged.is_last, "app", "fields", image.digest)
        ticket = scene.plans.begin("app", is_last)
        scene.plan(ticket, image, "latest" if image is NEW else "commit")
        tickets[image.digest] = ticket
    packaged.add("app", "fields", OLD.digest)
    packaged.add("app", "fields", NEW.digest)
    packaged.add("other", "fields", OLD.digest)
    scene.plans.move()
    assert scene.registry.repository("app").tags == {"latest": NEW.digest}
    assert scene.plans.outcome(tickets[NEW.digest], scene.tag("latest")).problem is None
    assert scene.plans.outcome(tickets[OLD.digest], scene.tag("commit")).problem is not None


def test_a_plan_for_fields_that_the_target_had_before_does_not_happen(scene: Scene) -> None:
    packaged = PackagedImages()
    for fields, tag in (("new", "2.0"), ("old", "1.0")):
        is_last = partial(packaged.is_last, "app", fields, NEW.digest)
        scene.plan(scene.plans.begin("app", is_last), NEW, tag)
    packaged.add("app", "new", NEW.digest)
    packaged.add("app", "old", NEW.digest)
    for fields in ("old", "new"):
        packaged.see("app", fields)
    scene.plans.move()
    assert scene.registry.repository("app").tags == {"2.0": NEW.digest}


def test_of_two_plans_for_the_same_image_each_tells_what_became_of_it(scene: Scene) -> None:
    tickets = [scene.plans.begin("app") for _ in range(2)]
    for ticket in tickets:
        scene.plan(ticket, NEW, "latest")
    scene.plans.move()
    assert scene.registry.repository("app").tags == {"latest": NEW.digest}
    for ticket in tickets:
        assert scene.plans.outcome(ticket, scene.tag("latest")).problem is None


@pytest.mark.parametrize("ends_last", ["the rule that ran before", "the one that runs again"])
def test_only_the_plan_that_began_last_happens(scene: Scene, ends_last: str) -> None:
    before, now = scene.plans.begin("app"), scene.plans.begin("app")
    if ends_last == "the one that runs again":
        scene.plan(before, OLD, "stale")
    scene.plan(now, NEW, "latest")
    if ends_last == "the rule that ran before":
        scene.plan(before, OLD, "stale")
    report = scene.plans.move()
    assert report.tags is not None
    assert [each.problem for each in report.tags] == [None]
    assert scene.registry.repository("app").tags == {"latest": NEW.digest}
    assert scene.plans.outcome(now, scene.tag("latest")).problem is None
    assert scene.plans.outcome(before, scene.tag("stale")).problem is not None


def test_who_plans_nothing_does_not_lead(scene: Scene) -> None:
    nothing, first, second = (scene.plans.begin(each) for each in ("nothing", "first", "second"))
    assert not scene.plans.leads(nothing)
    for ticket in (first, second):
        scene.plan(ticket, NEW, "latest")
    assert [scene.plans.leads(each) for each in (first, second, nothing)] == [True, False, False]
    assert scene.plans.leads(scene.plans.begin("first"))


def test_where_nothing_is_planned_there_is_nothing_to_wait_for(scene: Scene) -> None:
    assert scene.plans.move() == MoveReport(0, 0, ())


def test_many_may_ask_for_the_moves_at_once(scene: Scene) -> None:
    tags = [f"tag-{number}" for number in range(20)]
    for tag in tags:
        scene.plan(scene.plans.begin(tag), NEW, tag)
    reports: list[MoveReport] = []
    threads = [
        threading.Thread(target=lambda: reports.append(scene.plans.move())) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(reports)) == 1
    assert reports[0].tags is not None
    assert len(reports[0].tags) == reports[0].total == 20
    assert scene.registry.count("PUT", "/manifests/tag-") == 20


def test_the_outcome_of_a_tag_takes_no_longer_among_many(scene: Scene) -> None:
    steps = []
    for number in (1, 100):
        plans = TagPlans(scene.clients.client)
        ticket = plans.begin("app")
        scene.plan(ticket, NEW, *map(str, range(number)), plans=plans)
        plans.move()
        steps.append(_count_steps(partial(plans.outcome, ticket, scene.tag("0"))))
    assert steps[0] == steps[1]


def _count_steps(action: Callable[[], object]) -> int:
    """How many functions an action calls, however long they take."""
    steps = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal steps
        steps += event in ("call", "c_call")

    # Or what a collection calls would count.
    gc.disable()
    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(None)
        gc.enable()
    return steps


def test_of_many_targets_that_share_a_tag_by_mistake_a_few_are_named() -> None:
    said = tag_plans.describe_conflict("app:1", (f"src/{number}:image" for number in range(300)))
    assert "src/0:image, src/100:image, src/101:image, src/102:image, src/103:image and" in said
    assert " and 295 more. It stays where it is." in said
    assert len(said) < 300


def test_a_session_that_ends_moves_no_more_tags(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tag_plans, "_SECONDS_BETWEEN_LINES", 0.1)
    ticket = scene.plans.begin("app")
    scene.plan(ticket, NEW, "1", "2")
    has_ended = threading.Event()
    scene.registry.plan(faults.held(has_ended.is_set), "/manifests/1$", method="PUT")
    assert scene.plans.move().tags is None
    scene.plans.close()
    has_ended.set()
    assert str(scene.plans.outcome(ticket, scene.tag("2")).problem).endswith("(the session ended).")
    assert "2" not in scene.registry.repository("app").tags


def test_no_target_has_a_tag_move_to_an_image_that_another_one_could_not_sign(
    scene: Scene,
) -> None:
    signed = []

    def fail_to_sign(*_: object) -> None:
        signed.append(scene.registry.repository("app").tags)
        # So long other threads have for tags of the other target.
        time.sleep(0.3)
        raise RuntimeError("no key")

    names = {}
    for target in ("one", "two"):
        ticket, tag = scene.plans.begin(target), scene.tag(target)
        moves = (TagMove(target, None),)
        wanted = RepositoryMoves(scene.registry.address, "app", NEW.digest, moves)
        signature = PlannedTag.of_signature(wanted.image_name)
        scene.plans.claim(ticket, NEW.digest, [tag.name])
        scene.plans.plan(ticket, (tag, signature), wanted, (), fail_to_sign)
        names[ticket] = (tag, signature)
    scene.plans.move()
    for ticket, planned in names.items():
        for each in planned:
            assert "sign" in str(scene.plans.outcome(ticket, each).problem)
    assert signed == [{}]
    assert scene.registry.repository("app").tags == {}
