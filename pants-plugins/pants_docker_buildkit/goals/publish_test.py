from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pants.core.goals.publish import PublishProcesses
from pants.engine.internals.scheduler import ExecutionError

from pants_docker_buildkit.goals.publish import PublishImageFieldSet
from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry import tag_move
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.referrers import list_referrers
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.certificates import TestCertificates
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import (
    SmallImage,
    several_platforms,
    write_layout,
)
from pants_docker_buildkit.session import tag_plans
from pants_docker_buildkit.session.confirmed_images import LikelyQuestion, shard_of
from pants_docker_buildkit.session.directory import EXIT_NO_SESSION
from pants_docker_buildkit.session.tag_plans import MoveReport, TagPlans
from pants_docker_buildkit.testutil import ImageRunner, run_in_foreground

SIGNS, ALL_TAGS = ("✓ ", "✕ ", "- "), "image tags"
OLD, NEW, THIRD = (SmallImage.create(each) for each in ("old", "new", "third"))
BUILD = """\
docker_buildkit_image(name="image", image_tags=["latest", "1.0"])
docker_buildkit_image(name="other")
docker_buildkit_image(name="skipped", skip_push=True)
docker_buildkit_image(name="untagged", image_tags=[])
docker_buildkit_image(name="unnamed", registries=[])
docker_buildkit_image(name="local", output="docker")
docker_buildkit_image(name="layout", output="oci")
docker_buildkit_image(name="everywhere", registries=["@dev", "@prod"])
docker_buildkit_image(name="layouts", output="oci", registries=["@dev", "@prod"])
docker_buildkit_image(name="git", image_tags=["{git_sha}", "short-{git_sha:.8}"])
"""


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    return make_runner()


def make_runner() -> ImageRunner:
    runner = ImageRunner()
    twins = [
        f"docker_buildkit_image(name={each!r}, repository='shared')" for each in ("one", "two")
    ]
    runner.write(
        {
            "app/BUILD": BUILD,
            "app/Dockerfile": "FROM scratch\n",
            "twins/BUILD": "\n".join(twins),
            "twins/Dockerfile": "FROM scratch\n",
        }
    )
    return runner


@pytest.fixture
def dev() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


@pytest.fixture
def prod() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


@pytest.fixture
def clients() -> Iterator[RegistryClients]:
    clients = RegistryClients()
    yield clients
    clients.close()


@pytest.fixture
def dev_client(clients: RegistryClients, dev: FakeRegistry) -> RegistryClient:
    return clients.client(dev.address)


@pytest.fixture(autouse=True)
def options(runner: ImageRunner, dev: FakeRegistry, prod: FakeRegistry) -> None:
    set_options(runner, dev, prod)


def set_options(runner: ImageRunner, dev: FakeRegistry, prod: FakeRegistry, more: str = "") -> None:
    """A new session with two registries; `more` are settings of the second."""
    registries = (
        f"{{'dev': {{'address': '{dev.address}', 'default': True}},"
        f" 'prod': {{'address': '{prod.address}', {more}}}}}"
    )
    names = "default-repository={name}"
    runner.set_options(f"registries={registries}", names)


def name(registry: FakeRegistry, target: str, tag: str) -> str:
    return f"{registry.address}/{target}:{tag}"


def reference(registry: FakeRegistry, target: str = "image") -> str:
    return f"{registry.address}/{target}@{NEW.digest}"


@dataclass(frozen=True)
class GoalRun:
    """What the goal has done with its processes: exit code, what they said, lines and entries."""

    exit_code: int
    said: str
    results: tuple[str, ...]
    entries: Mapping[str, Mapping[str, Any]]

    @property
    def lines(self) -> list[str]:
        """The lines about tags, whoever writes them, without their signs."""
        written = (*self.said.splitlines(), *self.results)
        return sorted(each[2:] for each in written if each[:2] in SIGNS and ALL_TAGS not in each)

    def failure(self, name: str) -> str:
        """Why a tag did not move, which is said as well."""
        entry = self.entries[name]
        assert (entry["published"], entry["exit_code"]) == (False, 1)
        assert f"{entry['problem']}\n" in self.said
        assert f"✕ {ALL_TAGS} failed." in self.results
        assert self.exit_code == 1
        return str(entry["problem"])

    @property
    def has_moved_all(self) -> bool:
        """Whether all that was planned has happened."""
        return self.exit_code == 0 and all(each["published"] for each in self.entries.values())


def run(*published: PublishProcesses, reads_first: bool = False) -> GoalRun:
    """Do as the goal of Pants 2.17; with `reads_first` as later ones, which run processes last."""
    # As the goal itself makes each into another one, with data of its target.
    every = [replace(each, data=each.data) for processes in published for each in processes]
    if reads_first:
        every.sort(key=lambda each: each.process is not None)
    exit_code, said = 0, ""
    results: list[str] = []
    entries: list[Mapping[str, Any]] = []
    for each in every:
        extra: dict[str, Any] = {"published": False, "status": "skipped"}
        if each.process is None:
            results += [f"- {name} skipped {each.description}." for name in each.names]
        else:
            done = run_in_foreground(each.process)
            said += done.stderr
            exit_code = done.returncode or exit_code
            sign, status = ("✕", "failed") if done.returncode else ("✓", "published")
            results += [f"{sign} {name} {status}." for name in each.names]
            extra = {"exit_code": done.returncode, "published": not done.returncode}
        entries.append(each.get_output_data(**extra))
    by_name = {name: entry for entry in entries for name in entry["names"]}
    return GoalRun(exit_code, said, tuple(results), by_name)


def test_published_fields_have_the_hash_of_packaged_ones(runner: ImageRunner) -> None:
    target = runner.target("app:image")

    fields = PublishImageFieldSet.create(target)

    assert hash(fields) == hash(fields.packaged()) == hash(target.address)
    assert fields.packaged() == runner.field_set("app:image")


def test_tags_are_created_moved_or_there_already(
    runner: ImageRunner, dev: FakeRegistry, prod: FakeRegistry, dev_client: RegistryClient
) -> None:
    OLD.push(dev_client, "image", "latest")
    NEW.push(dev_client, "image")
    dev.requests.clear()
    published = runner.publish("app:image", NEW.digest, reference(dev))
    assert dev.count("PUT") == 0
    assert run(published).lines == [
        f"{name(dev, 'image', '1.0')} published to {NEW.digest} (new tag).",
        f"{name(dev, 'image', 'latest')} published to {NEW.digest} (was at {OLD.digest}).",
    ]
    assert dev.repository("image").tags == {"latest": NEW.digest, "1.0": NEW.digest}
    set_options(runner, dev, prod)
    again = run(runner.publish("app:image", NEW.digest, reference(dev)))
    assert again.lines == [
        f"{name(dev, 'image', tag)} skipped (already at {NEW.digest})." for tag in ("1.0", "latest")
    ]
    assert again.said == ""
    assert dev.count("PUT") == dev.count("PUT", "/manifests/(latest|1.0)$") == 2
    assert dev.count("POST") == dev.count("GET", "/blobs/") == 0


def test_a_new_tag_costs_a_look_and_a_write(
    runner: ImageRunner, dev: FakeRegistry, prod: FakeRegistry, dev_client: RegistryClient
) -> None:
    # No other test has published it in this Pants process.
    unseen = SmallImage.create("unseen")
    unseen.push(dev_client, "image", "latest")
    dev.requests.clear()
    run(runner.publish("app:image", unseen.digest, reference(dev)))
    assert sorted((each.method, each.target.rpartition("/")[2]) for each in dev.requests) == [
        ("GET", unseen.digest),
        ("HEAD", "1.0"),
        ("HEAD", "latest"),
        ("HEAD", unseen.digest),
        ("PUT", "1.0"),
    ]
    del dev.repository("image").tags["1.0"]
    dev.requests.clear()
    set_options(runner, dev, prod)
    run(runner.publish("app:image", unseen.digest, reference(dev)))
    # In another session of the same Pants the manifest is known.
    assert dev.count("GET") == 0
    assert dev.count("PUT") == 1


def test_a_tag_that_stays_is_what_the_next_run_asks_for_in_place_of_its_image(
    runner: ImageRunner, dev: FakeRegistry, dev_client: RegistryClient
) -> None:
    NEW.push(dev_client, "image", "latest")
    runner.publish("app:image", NEW.digest, reference(dev))
    confirmed, image = runner.keeper().confirmed, ImageReference.parse(reference(dev))
    confirmed.add([image])
    confirmed.ask(shard_of([image]))
    (question,) = confirmed.begin_session(())
    assert question == LikelyQuestion(image, image.with_tag("latest"))


def test_no_tag_moves_before_the_goal_runs_its_only_process_and_then_all_do(
    runner: ImageRunner, dev: FakeRegistry, dev_client: RegistryClient
) -> None:
    for target in ("image", "other"):
        NEW.push(dev_client, target)
    first = runner.publish("app:image", NEW.digest, reference(dev))
    second = runner.publish("app:other", NEW.digest, reference(dev, "other"))
    assert dev.repository("image").tags == dev.repository("other").tags == {}
    leader, *others = (*first, *second)
    assert [(each.names, each.process) for each in others] == [((), None)] * 2
    assert leader.names == (ALL_TAGS,)
    assert leader.process is not None
    assert run_in_foreground(leader.process).returncode == 0
    assert dev.repository("image").tags == {"latest": NEW.digest, "1.0": NEW.digest}
    assert dev.repository("other").tags == {"latest": NEW.digest}


@pytest.mark.parametrize("reads_first", [False, True])
def test_the_one_process_says_what_became_of_all_tags(
    runner: ImageRunner, dev: FakeRegistry, dev_client: RegistryClient, *, reads_first: bool
) -> None:
    for target in ("image", "other"):
        NEW.push(dev_client, target)
    OLD.push(dev_client, "shared")
    dev.plan(faults.status(403), "/shared/manifests/latest", method="PUT", times=None)
    done = run(
        runner.publish("app:image", NEW.digest, reference(dev)),
        runner.publish("app:other", NEW.digest, reference(dev, "other")),
        runner.publish("twins:one", OLD.digest, f"{dev.address}/shared@{OLD.digest}"),
        reads_first=reads_first,
    )
    *_, problem, first, second, third, fourth = done.said.splitlines()
    assert problem.startswith(f"Could not write {name(dev, 'shared', 'latest')} (HTTP 403)")
    assert problem == done.failure(name(dev, "shared", "latest"))
    assert [first, second, third] == [
        f"✓ {name(dev, *each)} published to {NEW.digest} (new tag)."
        for each in (("image", "1.0"), ("image", "latest"), ("other", "latest"))
    ]
    assert fourth == f"✕ {name(dev, 'shared', 'latest')} failed for {OLD.digest} (new tag)."
    moved = done.entries[name(dev, "other", "latest")]
    assert (moved["published"], moved["exit_code"]) == (True, 0)
    assert moved["status"] == f"published to {NEW.digest} (new tag)"
    assert len(done.entries) == 4


def test_a_tag_whose_leader_is_gone_moves_when_it_is_read(
    runner: ImageRunner, dev: FakeRegistry, dev_client: RegistryClient
) -> None:
    for target in ("image", "other"):
        NEW.push(dev_client, target)
    runner.publish("app:image", NEW.digest, reference(dev))
    assert run(runner.publish("app:other", NEW.digest, reference(dev, "other"))).has_moved_all
    assert dev.repository("other").tags == {"latest": NEW.digest}


def test_the_target_that_leads_does_so_when_files_change_and_it_has_nothing_left_to_do(
    runner: ImageRunner, dev: FakeRegistry, dev_client: RegistryClient
) -> None:
    for image in (OLD, NEW):
        image.push(dev_client, "other", "latest")
    NEW.push(dev_client, "image")
    runner.publish("app:other", OLD.digest, reference(dev, "other"))
    second = runner.publish("app:image", NEW.digest, reference(dev))
    again = runner.publish("app:other", NEW.digest, reference(dev, "other"))
    assert [each.process for each in second] == [None, None]
    done = run(second, again)
    assert (done.exit_code, len(done.lines)) == (0, 3)
    assert dev.repository("image").tags == {"latest": NEW.digest, "1.0": NEW.digest}


def test_what_was_planned_for_files_that_changed_since_does_not_happen(
    runner: ImageRunner, dev: FakeRegistry, dev_client: RegistryClient
) -> None:
    for image in (OLD, NEW):
        image.push(dev_client, "other")
    runner.publish("app:other", OLD.digest, reference(dev, "other"))
    assert run(runner.publish("app:other", NEW.digest, reference(dev, "other"))).has_moved_all
    assert dev.repository("other").tags == {"latest": NEW.digest}
    assert dev.count("PUT", "/manifests/latest") == 1


def test_of_the_tags_of_an_earlier_session_nothing_is_asked(
    runner: ImageRunner, dev: FakeRegistry, prod: FakeRegistry, clients: RegistryClients
) -> None:
    NEW.push(clients.client(prod.address), "everywhere")
    for tag in ("earlier", "later"):
        set_options(runner, dev, prod, f"'extra_image_tags': ['{tag}']")
        prod.requests.clear()
        runner.publish("app:everywhere", NEW.digest, reference(prod, "everywhere"))
        assert prod.count("HEAD", f"/manifests/{tag}$") == 1
    assert prod.count("HEAD", "/manifests/earlier$") == 0


def test_a_tag_that_two_images_want_is_moved_to_neither(
    runner: ImageRunner, dev: FakeRegistry, dev_client: RegistryClient
) -> None:
    for image in (OLD, NEW):
        image.push(dev_client, "shared")
    done = run(
        runner.publish("twins:one", OLD.digest, f"{dev.address}/shared@{OLD.digest}"),
        runner.publish("twins:two", NEW.digest, f"{dev.address}/shared@{NEW.digest}"),
    )
    assert done.failure(name(dev, "shared", "latest")) == (
        f"The tag {dev.address}/shared:latest must stand for one image, but these targets are"
        " different ones and have it: twins:one, twins:two. It stays where it is. Give them"
        " repositories or tags of their own."
    )
    assert dev.repository("shared").tags == {}


def test_two_targets_may_publish_the_same_image(
    runner: ImageRunner, dev: FakeRegistry, dev_client: RegistryClient
) -> None:
    NEW.push(dev_client, "shared")
    targets = ("twins:one", "twins:two")
    done = run(*(runner.publish(each, NEW.digest, reference(dev, "shared")) for each in targets))
    assert done.has_moved_all
    assert dev.count("PUT", "/manifests/latest") == 1


def test_an_image_in_two_registries_gets_its_tags_in_both(
    runner: ImageRunner, dev: FakeRegistry, prod: FakeRegistry, clients: RegistryClients
) -> None:
    set_options(
        runner,
        dev,
        prod,
        "'repository': 'images/{target_repository}', 'extra_image_tags': ['stable', 'of-{name}']",
    )
    NEW.push(clients.client(dev.address), "everywhere")
    NEW.push(clients.client(prod.address), "images/everywhere")
    references = (reference(dev, "everywhere"), reference(prod, "images/everywhere"))
    assert run(runner.publish("app:everywhere", NEW.digest, *references)).has_moved_all
    assert set(dev.repository("everywhere").tags) == {"latest"}
    assert set(prod.repository("images/everywhere").tags) == {"latest", "stable", "of-everywhere"}


def test_of_two_registries_one_that_refuses_does_not_keep_the_other_from_its_tag(
    runner: ImageRunner, dev: FakeRegistry, prod: FakeRegistry, clients: RegistryClients
) -> None:
    for registry in (dev, prod):
        NEW.push(clients.client(registry.address), "everywhere")
    prod.plan(faults.oci_error(403, "DENIED", "quota exceeded"), method="PUT", times=None)
    references = (reference(dev, "everywhere"), reference(prod, "everywhere"))
    done = run(runner.publish("app:everywhere", NEW.digest, *references))
    assert done.failure(name(prod, "everywhere", "latest")) == (
        f"Could not write {prod.address}/everywhere:latest (HTTP 403 DENIED: quota exceeded)."
        " There is no room left, whoever asks: delete images that nobody needs any more, or have"
        " the limit raised."
    )
    assert set(done.lines) == {
        f"{name(dev, 'everywhere', 'latest')} published to {NEW.digest} (new tag).",
        f"{name(prod, 'everywhere', 'latest')} failed for {NEW.digest} (new tag).",
    }
    assert dev.repository("everywhere").tags == {"latest": NEW.digest}
    assert prod.repository("everywhere").tags == {}


def test_an_image_that_one_of_its_registries_lost_meanwhile_is_copied_from_the_other(
    runner: ImageRunner, dev: FakeRegistry, prod: FakeRegistry, dev_client: RegistryClient
) -> None:
    NEW.push(dev_client, "everywhere")
    references = (reference(dev, "everywhere"), reference(prod, "everywhere"))
    assert run(runner.publish("app:everywhere", NEW.digest, *references)).has_moved_all
    assert prod.repository("everywhere").tags == {"latest": NEW.digest}


@pytest.mark.parametrize(
    ("target", "line"),
    [
        pytest.param(
            "skipped",
            "DEV/skipped:latest skipped (by `skip_push` on app:skipped).",
            id="skip_push",
        ),
        pytest.param("untagged", "DEV/untagged skipped (it has no `image_tags`).", id="no-tags"),
        pytest.param("unnamed", "app:unnamed skipped (it has no registry).", id="no-registry"),
        pytest.param(
            "local",
            'app:local skipped (`output="docker"` leaves it in the local engine).',
            id="local-engine",
        ),
    ],
)
def test_what_is_left_out_is_told_with_the_reason(
    runner: ImageRunner, dev: FakeRegistry, target: str, line: str
) -> None:
    done = run(runner.publish(f"app:{target}", NEW.digest, reference(dev, target)))
    assert [each.replace(dev.address, "DEV") for each in done.lines] == [line]
    assert dev.requests == []


def test_a_registry_with_skip_push_is_left_out(
    runner: ImageRunner, dev: FakeRegistry, prod: FakeRegistry, dev_client: RegistryClient
) -> None:
    set_options(runner, dev, prod, "'skip_push': True, 'extra_image_tags': ['stable']")
    NEW.push(dev_client, "everywhere")
    references = (reference(dev, "everywhere"), reference(prod, "everywhere"))
    published = runner.publish("app:everywhere", NEW.digest, *references)
    assert set(run(published).lines) == {
        f"{name(dev, 'everywhere', 'latest')} published to {NEW.digest} (new tag).",
        f"{name(prod, 'everywhere', 'latest')} skipped (by `skip_push` on registry @prod).",
        f"{name(prod, 'everywhere', 'stable')} skipped (by `skip_push` on registry @prod).",
    }
    assert published[1].data["tags"] == ("latest", "stable")
    assert {"tag", "change"}.isdisjoint(published[1].data)
    assert prod.requests == []


def layout(tmp_path: Path) -> dict[str, bytes]:
    write_layout(tmp_path, several_platforms(NEW, OLD), NEW, OLD)
    paths = [path for path in tmp_path.rglob("*") if path.is_file()]
    return {str(path.relative_to(tmp_path)): path.read_bytes() for path in paths}


INDEX_DIGEST = sha256_digest(several_platforms(NEW, OLD))


def test_a_layout_is_uploaded_once_and_then_tagged(
    runner: ImageRunner, dev: FakeRegistry, prod: FakeRegistry, tmp_path: Path
) -> None:
    files = layout(tmp_path)
    published = runner.publish("app:layouts", INDEX_DIGEST, layout=files)
    assert INDEX_DIGEST in dev.repository("layouts").manifests
    assert dev.repository("layouts").tags == {}
    assert run(published).has_moved_all
    for registry in (dev, prod):
        assert registry.repository("layouts").tags == {"latest": INDEX_DIGEST}
        registry.requests.clear()
    set_options(runner, dev, prod)
    again = runner.publish("app:layouts", INDEX_DIGEST, layout=files)
    assert all("skipped (already at" in each for each in run(again).lines)
    for registry in (dev, prod):
        assert {each.method for each in registry.requests} == {"HEAD"}
    # What is said of it is beside it, also where that is switched on later.
    for _ in range(2):
        set_options(runner, dev, prod)
        told = runner.publish("app:layouts", INDEX_DIGEST, layout=files, provenance=b"{}")
        assert all("skipped (already at" in each for each in run(told).lines)
    for registry in (dev, prod):
        clients = RegistryClients()
        found = list_referrers(clients.client(registry.address), "layouts", INDEX_DIGEST).entries
        assert [each.artifact_type for each in found] == ["application/vnd.in-toto+json"]
        clients.close()
    set_options(runner, dev, prod)
    prod.plan(faults.oci_error(403, "DENIED"), "/referrers/", times=None)
    told = runner.publish("app:layouts", INDEX_DIGEST, layout=files, provenance=b"{}")
    assert "What is said of" in run(told).failure(name(prod, "layouts", "latest"))


def test_a_layout_for_a_repository_that_has_to_be_created_first_is_told_so(
    runner: ImageRunner, dev: FakeRegistry, prod: FakeRegistry, tmp_path: Path
) -> None:
    unknown = faults.oci_error(404, "NAME_UNKNOWN", "no such repository")
    prod.plan(unknown, "/blobs/uploads/", method="POST", times=None)
    done = run(runner.publish("app:layouts", INDEX_DIGEST, layout=layout(tmp_path)))
    assert done.entries[name(dev, "layouts", "latest")]["published"]
    text = done.failure(name(prod, "layouts", "latest"))
    assert text.startswith(f"Could not upload the blob {prod.address}/layouts@sha256:")
    assert text.endswith(
        "(HTTP 404 NAME_UNKNOWN: no such repository). Check the name of the repository, or create"
        " it if the registry needs that."
    )
    assert prod.repository("layouts").tags == {}


def test_a_layout_that_a_registry_has_no_room_for_gets_no_tag_there(
    runner: ImageRunner, dev: FakeRegistry, prod: FakeRegistry, tmp_path: Path
) -> None:
    full = faults.oci_error(413, "SIZE_INVALID", "quota exceeded")
    prod.plan(full, "/blobs/uploads/", method="PUT", times=None)
    done = run(runner.publish("app:layouts", INDEX_DIGEST, layout=layout(tmp_path)))
    assert done.entries[name(dev, "layouts", "latest")]["published"]
    text = done.failure(name(prod, "layouts", "latest"))
    assert text.startswith(f"Could not upload the blob {prod.address}/layouts@sha256:")
    assert "(HTTP 413 SIZE_INVALID: quota exceeded)" in text
    assert prod.repository("layouts").manifests == {}


def test_an_upload_that_broke_off_goes_on_with_what_is_missing(
    runner: ImageRunner, dev: FakeRegistry, prod: FakeRegistry, tmp_path: Path
) -> None:
    files = layout(tmp_path)
    dev.plan(faults.oci_error(400, "BROKEN"), "/manifests/", method="PUT", times=None)
    runner.publish("app:layout", INDEX_DIGEST, layout=files)
    sent = dev.count("PUT", "/blobs/")
    assert sent
    dev.behave()
    set_options(runner, dev, prod)
    assert run(runner.publish("app:layout", INDEX_DIGEST, layout=files)).has_moved_all
    assert dev.count("PUT", "/blobs/") == 4
    assert dev.repository("layout").tags == {"latest": INDEX_DIGEST}


def test_a_damaged_layout_is_not_published(
    runner: ImageRunner, dev: FakeRegistry, tmp_path: Path
) -> None:
    files = layout(tmp_path)
    blob = f"blobs/sha256/{NEW.layer_blob.digest.partition(':')[2]}"
    done = run(runner.publish("app:layout", INDEX_DIGEST, layout={**files, blob: b"other"}))
    assert "must be an OCI image layout, but" in done.failure(name(dev, "layout", "latest"))
    assert dev.repository("layout").tags == {}


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        pytest.param(
            faults.status(401),
            "Could not look up DEV/image:latest (HTTP 401). No credentials for DEV were found: log"
            " in with 'docker login DEV'.",
            id="401",
        ),
        pytest.param(
            faults.status(403),
            "Could not look up DEV/image:latest (HTTP 403). Grant anonymous users access to the"
            " repository, or log in as somebody else with 'docker login DEV'.",
            id="403",
        ),
        pytest.param(
            faults.hang_up,
            "Could not look up DEV/image:latest (the connection was closed). Check that DEV is up"
            " and reachable from here, then run again.",
            id="no-answer",
        ),
    ],
)
def test_a_tag_that_cannot_be_looked_up_is_a_failure_of_that_tag(
    runner: ImageRunner,
    dev: FakeRegistry,
    dev_client: RegistryClient,
    fault: faults.Fault,
    text: str,
) -> None:
    NEW.push(dev_client, "image")
    dev.plan(fault, "/manifests/latest", times=None)
    done = run(runner.publish("app:image", NEW.digest, reference(dev)))
    latest = name(dev, "image", "latest")
    assert done.failure(latest) == text.replace("DEV", dev.address)
    assert f"{latest} failed for {NEW.digest}." in done.lines
    assert done.entries[name(dev, "image", "1.0")]["published"]


def test_a_registry_that_nobody_trusts_is_a_failure_of_its_tags(
    runner: ImageRunner, tmp_path: Path
) -> None:
    certificates = TestCertificates.write(tmp_path)
    with FakeRegistry(certificates=certificates).running() as secure:
        settings = f"'address': '{secure.address}', 'default': True, 'insecure': False"
        runner.set_options(f"registries={{'dev': {{{settings}}}}}")
        done = run(runner.publish("app:other", NEW.digest, reference(secure, "app/other")))
        text = done.failure(name(secure, "app/other", "latest"))
    assert text.startswith(f"Could not look up {secure.address}/app/other:latest (")
    assert "configure that authority's CA file" in text


def test_a_tag_that_somebody_else_moves_while_images_are_built_is_left_alone(
    runner: ImageRunner,
    dev: FakeRegistry,
    dev_client: RegistryClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As if the builds took longer than a moment.
    monkeypatch.setattr(tag_move, "_JUST_NOW", 0.0)
    for image in (OLD, NEW, THIRD):
        image.push(dev_client, "image")
    dev.repository("image").tags["latest"] = OLD.digest
    published = runner.publish("app:image", NEW.digest, reference(dev))
    dev.repository("image").tags["latest"] = THIRD.digest
    text = run(published).failure(name(dev, "image", "latest"))
    assert f"(somebody else moved it from {OLD.digest} to {THIRD.digest} meanwhile)" in text
    assert dev.repository("image").tags["latest"] == THIRD.digest


def test_what_was_planned_does_not_happen_once_the_session_ended(
    runner: ImageRunner, dev: FakeRegistry, prod: FakeRegistry, dev_client: RegistryClient
) -> None:
    NEW.push(dev_client, "image")
    leader, other = runner.publish("app:image", NEW.digest, reference(dev))
    set_options(runner, dev, prod)
    NEW.push(dev_client, "other")
    after = runner.publish("app:other", NEW.digest, reference(dev, "other"))
    assert leader.process is not None
    assert run_in_foreground(leader.process).returncode == EXIT_NO_SESSION
    entry = other.get_output_data(published=False)
    assert (entry["published"], entry["problem"]) == (
        False,
        f"Could not move {name(dev, 'image', '1.0')} (the session ended).",
    )
    assert run(after).has_moved_all
    assert dev.repository("image").tags == {}


@pytest.fixture
def one_takes_long(dev: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tag `1.0` is not written before it was asked how far publishing is, and the other was."""
    monkeypatch.setattr(tag_plans, "_SECONDS_BETWEEN_LINES", 0.05)
    told: list[int] = []
    tell = TagPlans._progress

    def progress(plans: TagPlans) -> MoveReport:
        report = tell(plans)
        told.append(report.done)
        return report

    monkeypatch.setattr(TagPlans, "_progress", progress)
    dev.plan(faults.held(lambda: 1 in told), "/manifests/1.0", method="PUT")


@pytest.mark.usefixtures("one_takes_long")
def test_publishing_that_takes_long_says_how_far_it_is(
    runner: ImageRunner, dev: FakeRegistry, dev_client: RegistryClient
) -> None:
    NEW.push(dev_client, "image")
    done = run(runner.publish("app:image", NEW.digest, reference(dev)))
    assert "1 of 2 tags are done." in done.said.splitlines()
    assert done.has_moved_all


@pytest.mark.usefixtures("one_takes_long")
def test_publishing_that_is_read_before_its_process_says_how_far_it_is_as_well(
    runner: ImageRunner,
    dev: FakeRegistry,
    dev_client: RegistryClient,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    NEW.push(dev_client, "image")
    published = runner.publish("app:image", NEW.digest, reference(dev))
    assert run(published, reads_first=True).has_moved_all
    assert "1 of 2 tags are done." in caplog.messages


def test_an_interrupted_publish_run_again_moves_what_is_left(
    runner: ImageRunner, dev: FakeRegistry, prod: FakeRegistry, dev_client: RegistryClient
) -> None:
    NEW.push(dev_client, "image")
    dev.plan(faults.oci_error(400, "BROKEN"), "/manifests/1.0", method="PUT", times=None)
    assert run(runner.publish("app:image", NEW.digest, reference(dev))).exit_code == 1
    dev.behave()
    set_options(runner, dev, prod)
    assert run(runner.publish("app:image", NEW.digest, reference(dev))).lines == [
        f"{name(dev, 'image', '1.0')} published to {NEW.digest} (new tag).",
        f"{name(dev, 'image', 'latest')} skipped (already at {NEW.digest}).",
    ]


def test_the_output_has_names_and_digests(
    runner: ImageRunner, dev: FakeRegistry, dev_client: RegistryClient
) -> None:
    OLD.push(dev_client, "image", "latest")
    NEW.push(dev_client, "image")
    latest, other = runner.publish("app:image", NEW.digest, reference(dev))
    assert dict(latest.data) == {
        "registry": dev.address,
        "repository": "image",
        "reference": reference(dev),
        "digest": NEW.digest,
        "tag": "latest",
        "change": "moved",
        "moved_from": OLD.digest,
    }
    assert (other.data["change"], other.data["moved_from"]) == ("created", None)


def test_tags_are_named_after_the_commit(
    runner: ImageRunner,
    dev: FakeRegistry,
    prod: FakeRegistry,
    dev_client: RegistryClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(runner.runner.build_root)
    NEW.push(dev_client, "git")
    first = git("init", "-q") or commit("first")
    published = runner.publish("app:git", NEW.digest, reference(dev, "git"))
    assert run(published).has_moved_all
    assert set(dev.repository("git").tags) == {first, f"short-{first[:8]}"}
    second = commit("second")
    set_options(runner, dev, prod)
    published = runner.publish("app:git", NEW.digest, reference(dev, "git"))
    assert run(published).has_moved_all
    assert dev.repository("git").tags[second] == NEW.digest


def test_tags_cannot_be_named_after_a_commit_that_is_not_there(
    dev: FakeRegistry, prod: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # Pants remembers a worktree for as long as it runs.
    runner = make_runner()
    set_options(runner, dev, prod)
    assert refusal(runner, "app:git", reference(dev, "git")) == (
        "The `image_tags` field in target app:git must not use `{git_sha}` outside of a Git"
        " worktree with a commit, but there is none here."
    )
    set_options(runner, dev, prod, "'default': True, 'extra_image_tags': ['{git_sha}']")
    assert refusal(runner, "app:image", reference(dev)) == (
        "The option `[docker-buildkit].registries.prod.extra_image_tags` must not use `{git_sha}`"
        " outside of a Git worktree with a commit, but there is none here."
    )


def test_tags_cannot_be_named_after_a_commit_that_is_still_to_come(
    dev: FakeRegistry, prod: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = make_runner()
    monkeypatch.chdir(runner.runner.build_root)
    git("init", "-q")
    set_options(runner, dev, prod)
    assert refusal(runner, "app:git", reference(dev, "git")) == (
        "The `image_tags` field in target app:git must not use `{git_sha}` outside of a Git"
        " worktree with a commit, but there is no commit yet."
    )


def refusal(runner: ImageRunner, target: str, *references: str) -> str:
    with pytest.raises(ExecutionError) as e:
        runner.publish(target, NEW.digest, *references)
    return "\n".join(str(each) for each in e.value.wrapped_exceptions)


def git(*arguments: str) -> str:
    settings = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    done = subprocess.run(
        ("git", *settings, *arguments), capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(message: str) -> str:
    git("commit", "-q", "--allow-empty", "-m", message)
    return git("rev-parse", "HEAD")
