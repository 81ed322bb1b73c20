"""Is every image that is believed asked for in this session, and only what must be asked for?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.session.confirmed_images import shard_of
from pants_docker_buildkit.testing.processes import wait_until
from pants_docker_buildkit.testutil import ImageRunner
from pants_docker_buildkit.util_rules.confirmation import ImageConfirmation

IMAGE = SmallImage.create()
PRESENT = ImageConfirmation()


class Scene:
    """A registry with images, and a Pants process that has sessions."""

    def __init__(self, registry: FakeRegistry, clients: RegistryClients) -> None:
        self.registry = registry
        self.client = clients.client(registry.address)
        self._runner = ImageRunner()

    def push(self, repository: str, tag: str | None = None) -> None:
        IMAGE.push(self.client, repository, tag)

    def note_tag(self, repository: str, tag: str) -> None:
        """This session asked for a tag, as plans do, and it is at the image."""
        named = ImageReference(self.registry.address, repository, tag=tag)
        self._runner.keeper().confirmed.note_tag(named, IMAGE.digest)

    def delete(self, repository: str) -> None:
        del self.registry.repository(repository).manifests[IMAGE.digest]

    def reference(self, repository: str) -> ImageReference:
        return ImageReference(self.registry.address, repository, digest=IMAGE.digest)

    def missing(self, repository: str) -> ImageConfirmation:
        return ImageConfirmation((str(self.reference(repository)),))

    def session(self, *repositories: str, option: str = "builder=x") -> list[ImageConfirmation]:
        """What a session that needs these images hears of each. The option makes a command."""
        self.begin(option)
        return [self.again(each) for each in repositories]

    def begin(self, option: str = "builder=x") -> None:
        """Begin a session that has not needed anything yet."""
        self._runner.set_options(option, env={"HOME": "/nonexistent"})
        self._runner.begin_session()

    def await_asked(self, repository: str, times: int) -> None:
        """Wait until the registry was asked so often."""
        wait_until(lambda: self.asked(repository) >= times)

    def again(self, repository: str, *, was_pushed: bool = False) -> ImageConfirmation:
        """What the same session hears."""
        return self._runner.confirm(str(self.reference(repository)), was_pushed=was_pushed)

    def asked(self, repository: str) -> int:
        return self.registry.count("HEAD", f"/v2/{repository}/")


@pytest.fixture
def scene() -> Iterator[Scene]:
    clients = RegistryClients()
    with FakeRegistry().running() as registry:
        yield Scene(registry, clients)
        clients.close()


def test_an_image_is_asked_for_once_in_every_session(scene: Scene) -> None:
    scene.push("app")
    for session in range(1, 5):
        assert scene.session("app", "app") == [PRESENT, PRESENT]
        assert scene.asked("app") == session


def test_an_image_that_was_lost_is_missing_in_the_next_session(scene: Scene) -> None:
    scene.push("app")
    for _ in range(3):
        assert scene.session("app") == [PRESENT]
    scene.delete("app")
    for _ in range(3):
        assert scene.session("app") == [scene.missing("app")]
    scene.push("app")
    assert scene.session("app") == [PRESENT]


def test_an_image_that_is_lost_again_and_again_is_never_believed(scene: Scene) -> None:
    for _ in range(3):
        scene.push("app")
        assert scene.session("app") == [PRESENT]
        scene.delete("app")
        assert scene.session("app") == [scene.missing("app")]
        scene.push("app")
        assert scene.again("app", was_pushed=True) == PRESENT
        scene.delete("app")
        assert scene.session("app") == [scene.missing("app")]


def test_a_registry_that_is_down_for_one_session_is_asked_in_the_next(scene: Scene) -> None:
    scene.push("app")
    assert scene.session("app") == [PRESENT]
    scene.registry.plan(faults.status(403), times=2)
    (confirmation,) = scene.session("app")
    assert "HTTP 403" in confirmation.problem
    assert scene.session("app") == [PRESENT]


def test_an_image_that_nobody_needs_in_this_session_is_not_asked_for(scene: Scene) -> None:
    other = next(
        name
        for name in (f"other-{number}" for number in range(100))
        if shard_of([scene.reference(name)]) != shard_of([scene.reference("app")])
    )
    scene.push("app")
    scene.push(other)
    scene.session("app", other)
    scene.session("app", option="builder=y")
    assert (scene.asked("app"), scene.asked(other)) == (2, 1)


def one_shard(scene: Scene, count: int) -> list[str]:
    """Repositories whose images are asked for together."""
    shard = shard_of([scene.reference("app-0")])
    names = (f"app-{number}" for number in itertools.count())
    found = (name for name in names if shard_of([scene.reference(name)]) == shard)
    return list(itertools.islice(found, count))


def test_what_nobody_needs_any_more_is_asked_for_no_longer(scene: Scene) -> None:
    kept, *replaced = one_shard(scene, 15)
    old, last = replaced[:8], replaced[-1]
    for name in (kept, *replaced):
        scene.push(name)
    for name in replaced:
        assert scene.session(kept, name) == [PRESENT, PRESENT]
    for _ in range(10):
        assert scene.session(kept, last) == [PRESENT, PRESENT]
    asked = sum(map(scene.asked, old))
    assert scene.session(kept, last) == [PRESENT, PRESENT]
    assert sum(map(scene.asked, old)) == asked
    assert scene.asked(kept) == len(replaced) + 11

    scene.delete(old[0])
    assert scene.session(kept, *old[:2]) == [PRESENT, scene.missing(old[0]), PRESENT]


def test_what_some_commands_need_is_kept_though_others_do_not(scene: Scene) -> None:
    names = one_shard(scene, 15)
    for name in names:
        scene.push(name)
        scene.session(name)
    for _ in range(10):
        assert scene.session(*names) == [PRESENT] * len(names)
        assert scene.session(names[0]) == [PRESENT]
    assert scene.asked(names[-1]) == 21


def test_one_lost_image_leaves_the_others_of_its_shard_where_they_are(scene: Scene) -> None:
    first, second = one_shard(scene, 2)
    scene.push(first)
    scene.push(second)
    for _ in range(2):
        assert scene.session(first, second) == [PRESENT, PRESENT]
    scene.delete(first)
    assert scene.session(first, second) == [scene.missing(first), PRESENT]
    assert scene.asked(second) == 3


def test_an_image_that_this_session_pushed_is_asked_for_again(scene: Scene) -> None:
    assert scene.session("app") == [scene.missing("app")]
    scene.push("app")
    assert scene.again("app") == scene.missing("app")
    assert scene.again("app", was_pushed=True) == PRESENT


def test_a_slow_registry_is_waited_for(scene: Scene) -> None:
    scene.push("app")
    for _ in range(2):
        scene.registry.plan(faults.slow(0.3), times=1)
        assert scene.session("app") == [PRESENT]


def test_a_command_that_ran_before_asks_before_anybody_needs_the_answers(scene: Scene) -> None:
    scene.push("app")
    scene.session("app")
    scene.begin()
    scene.await_asked("app", 2)
    assert scene.again("app") == PRESENT
    assert scene.asked("app") == 2
    # What it did not need that time, it does not ask for the next time.
    scene.begin()
    scene.await_asked("app", 3)
    scene.begin()
    scene.session("app", option="builder=y")
    assert scene.asked("app") == 4


def test_what_was_lost_since_is_missing_though_it_is_asked_for_early(scene: Scene) -> None:
    scene.push("app")
    scene.session("app")
    scene.delete("app")
    scene.begin()
    scene.await_asked("app", 2)
    assert scene.again("app") == scene.missing("app")


def test_a_command_that_asked_for_tags_asks_for_images_by_them(scene: Scene) -> None:
    scene.push("app", "latest")
    scene.push("app")
    scene.session("app")
    scene.note_tag("app", "latest")
    scene.begin()
    assert scene.again("app") == PRESENT
    assert scene.asked("app") == 2
    assert scene.registry.count("HEAD", "/manifests/latest") == 1


def test_an_image_is_not_believed_to_be_there_because_its_tag_is(scene: Scene) -> None:
    scene.push("app", "latest")
    scene.push("app")
    scene.session("app")
    scene.note_tag("app", "latest")
    scene.delete("app")
    SmallImage.create("another").push(scene.client, "app", "latest")
    scene.begin()
    assert scene.again("app") == scene.missing("app")


def test_another_command_asks_only_when_it_needs_the_answers(scene: Scene) -> None:
    scene.push("app")
    scene.session("app")
    scene.begin("builder=y")
    assert scene.again("app") == PRESENT
    assert scene.asked("app") == 2
