from __future__ import annotations

from collections.abc import Iterator

import pytest
from pants.engine.rules import QueryRule

from pants_docker_buildkit.goals.plan_images import PlanImages
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.testutil import ImageRunner, create_rule_runner
from pants_docker_buildkit.util_rules.lock_drift import LockDrift, LockDriftRequest

LOCK = "3rdparty/docker/images.lock.dockerfile"
OLD, NEW = SmallImage.create("old"), SmallImage.create("new")


@pytest.fixture(scope="module")
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        for name in ("moved", "still", "added"):
            OLD.store(registry.repository(name), "1")
        NEW.store(registry.repository("moved"), "1")
        yield registry


@pytest.fixture(scope="module")
def shared_runner() -> Iterator[ImageRunner]:
    runner = ImageRunner(create_rule_runner(rules=[QueryRule(LockDrift, (LockDriftRequest,))]))
    yield runner
    runner.close()


@pytest.fixture
def runner(shared_runner: ImageRunner, registry: FakeRegistry) -> ImageRunner:
    """With one image in its repository, and no lock."""
    shared_runner.clear()
    host = registry.address
    shared_runner.write(
        {
            "app/BUILD": "docker_buildkit_image(platforms=['linux/amd64'])",
            "app/Dockerfile": f"FROM {host}/moved:1\nCOPY --from={host}/still:1 / /a\n"
            f"COPY --from={host}/added:1 / /b\n",
        }
    )
    return shared_runner


def drift(runner: ImageRunner) -> tuple[str, ...]:
    request = LockDriftRequest((runner.target("app:app"),))
    return runner.runner.request(LockDrift, (request,)).lines


@pytest.mark.parametrize("base_images", ["follow", "locked", "frozen"])
def test_what_moved_since_it_was_locked_is_said(
    runner: ImageRunner, registry: FakeRegistry, base_images: str
) -> None:
    runner.set_options(f"base-images={base_images}")
    assert drift(runner) == ()
    host = registry.address
    names = (f"{host}/moved:1", f"{host}/still:1")
    runner.write({LOCK: "".join(f"FROM {each}@{OLD.digest}\n" for each in names)})
    (line,) = drift(runner)
    assert line == (
        f"{host}/moved:1 has moved: the lock {LOCK} has {OLD.digest}, and there it is"
        f" {NEW.digest} now. 'pants generate-lockfiles --resolve=docker-images' brings the lock up"
        " to date."
    )


def test_the_plan_goal_tells_when_it_is_asked_to(
    runner: ImageRunner, registry: FakeRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    runner.write({LOCK: f"FROM {registry.address}/moved:1@{OLD.digest}\n"})
    for options, moved in ([], False), (["--drift"], True):
        done = runner.runner.run_goal_rule(
            PlanImages,
            args=[*options, "app:app"],
            global_args=["--docker-buildkit-base-images=locked"],
            env_inherit={"PATH"},
        )
        assert "app:app" in done.stdout
        assert done.exit_code == 0
        assert (f"{registry.address}/moved:1 has moved" in caplog.text) == moved
