from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from pants.testutil.rule_runner import GoalRuleResult

from pants_docker_buildkit.goals.plan_images import PlanImages
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.testutil import ImageRunner

LOCK = "3rdparty/docker/images.lock.dockerfile"
OLD, NEW = SmallImage.create("old"), SmallImage.create("new")
GONE = "127.0.0.1:1/gone:1"


@pytest.fixture(scope="module")
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        for name in ("moved", "still", "added"):
            OLD.store(registry.repository(name), "1")
        NEW.store(registry.repository("moved"), "1")
        yield registry


@pytest.fixture(scope="module")
def shared_runner() -> Iterator[ImageRunner]:
    runner = ImageRunner()
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


def planned(runner: ImageRunner, *options: str, base_images: str = "locked") -> GoalRuleResult:
    return runner.runner.run_goal_rule(
        PlanImages,
        args=[*options, "::"],
        global_args=[f"--docker-buildkit-base-images={base_images}"],
        env_inherit={"PATH"},
    )


@pytest.mark.parametrize("base_images", ["follow", "locked", "frozen"])
def test_what_moved_since_it_was_locked_is_said(
    runner: ImageRunner, registry: FakeRegistry, base_images: str
) -> None:
    def moved() -> list[dict[str, object]]:
        done = planned(runner, "--drift", "--format=json", base_images=base_images)
        found: list[dict[str, object]] = json.loads(done.stdout)["drift"]["moved"]
        return found

    assert moved() == []
    host = registry.address
    names = (f"{host}/moved:1", f"{host}/still:1")
    runner.write({LOCK: "".join(f"FROM {each}@{OLD.digest}\n" for each in names)})
    (found,) = moved()
    assert found == {
        "name": f"{host}/moved:1",
        "lock": LOCK,
        "from": OLD.digest,
        "to": NEW.digest,
        "targets": ["app:app"],
        "command": "pants generate-lockfiles --resolve=docker-images",
    }


def test_the_plan_goal_tells_when_it_is_asked_to(
    runner: ImageRunner, registry: FakeRegistry
) -> None:
    name = f"{registry.address}/moved:1"
    runner.write({LOCK: f"FROM {name}@{OLD.digest}\n"})
    assert "moved" not in planned(runner).stdout.replace("moved:1", "")
    assert "drift" not in json.loads(planned(runner, "--format=json").stdout)
    done = planned(runner, "--drift")
    said = f"  {LOCK} has {OLD.digest}, and it is {NEW.digest} now\n  read by app:app\n"
    assert f"moved     {name}\n{said}" in done.stdout
    assert done.stdout.endswith("; 1 moved since locked\n")
    assert done.exit_code == 0
    done = planned(runner, "--drift", "--format=json", "--detailed-exit-code")
    (found,) = json.loads(done.stdout)["drift"]["moved"]
    assert (found["from"], found["to"]) == (OLD.digest, NEW.digest)
    assert done.exit_code == 2
    assert f"- **moved** `{name}`\n" in planned(runner, "--drift", "--format=markdown").stdout


def test_what_cannot_be_looked_up_is_said_beside_the_rest(
    runner: ImageRunner, registry: FakeRegistry
) -> None:
    runner.write(
        {
            LOCK: f"FROM {registry.address}/moved:1@{OLD.digest}\nFROM {GONE}@{OLD.digest}\n",
            "gone/BUILD": "docker_buildkit_image(platforms=['linux/amd64'])",
            "gone/Dockerfile": f"FROM {GONE}\n",
            "broken/BUILD": "docker_buildkit_image(resolve='none')",
            "broken/Dockerfile": "FROM scratch\n",
        }
    )
    done = planned(runner, "--drift", "--format=json")
    found = json.loads(done.stdout)["drift"]
    assert [each["name"] for each in found["moved"]] == [f"{registry.address}/moved:1"]
    (unknown,) = found["unknown"]
    assert unknown["target"] == "gone:gone"
    assert GONE in unknown["problem"]
    assert done.exit_code == 1
