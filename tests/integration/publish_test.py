"""Promise 5: `publish` moves tags to digests that exist.

It rebuilds nothing, and sends nothing that the registry has.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from tests.integration.workbench.machine import Checkout, Machine, repository_settings
from tests.integration.workbench.pants_run import PantsRun
from tests.integration.workbench.registry import Registry

_RESULT = re.compile(r"[✓✕-] (\S+:\S+ (?:published|failed|skipped) .*)")

pytestmark = pytest.mark.usefixtures("nothing_temporary_is_left")


class Worktree:
    """A checkout under Git."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout
        self.git("init", "-q")

    def git(self, *arguments: str) -> str:
        settings = ("-c", "user.name=me", "-c", "user.email=me@example.org")
        done = subprocess.run(
            ("git", *settings, *arguments),
            cwd=self._checkout.directory,
            env={"PATH": os.environ["PATH"], "HOME": str(self._checkout.machine.home)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self) -> str:
        """The hash of a new commit."""
        self.git("add", "app", "layout", "pants.toml")
        self.git("commit", "-q", "--allow-empty", "-m", "A change")
        return self.git("rev-parse", "HEAD")


def publish(checkout: Checkout, *targets: str, may_fail: bool = False) -> PantsRun:
    arguments = ("publish", "--publish-output=published.json", *targets)
    return checkout.pants(*arguments, pantsd=True, may_fail=may_fail)


def published(checkout: Checkout) -> dict[str, dict[str, Any]]:
    """The entries of `--publish-output`, by the name of the tag."""
    entries = json.loads((checkout.directory / "published.json").read_text())
    return {name: entry for entry in entries for name in entry["names"]}


def result_lines(run: PantsRun) -> set[str]:
    """The lines about tags, whoever writes them.

    The client of Pants writes what a process prints and what the daemon logs as both arrive, so a
    line of the first may follow one of the second whose end has not come yet.
    """
    return set(_RESULT.findall(run.output))


def test_tags_follow_the_commits_and_only_changes_are_built(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    tags = "image_tags=['latest', '{git_sha}']"
    files = {
        "pants.toml": repository_settings(registry.address, repository),
        "app/BUILD": "files(name='files', sources=['*.txt'])\n"
        f"docker_buildkit_image(name='image', {tags})",
        "app/Dockerfile": f"FROM {busybox}\nCOPY app/hello.txt /\n",
        "app/hello.txt": "hello\n",
        "layout/BUILD": f"docker_buildkit_image(name='image', output='oci', {tags})",
        "layout/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /layout\n",
    }
    checkout = machine.checkout("checkout", files)
    worktree = Worktree(checkout)
    app, layout = (f"{registry.address}/{repository}/{name}" for name in ("app", "layout"))

    first = worktree.commit()
    run = publish(checkout, "::")
    assert len(run.builds) == 2
    old, uploaded = registry.digest(f"{app}:latest"), registry.digest(f"{layout}:latest")
    assert result_lines(run) == {
        f"{app}:latest published to {old} (new tag).",
        f"{app}:{first} published to {old} (new tag).",
        f"{layout}:latest published to {uploaded} (new tag).",
        f"{layout}:{first} published to {uploaded} (new tag).",
    }
    assert registry.has(f"{layout}@{uploaded}")

    second = worktree.commit()
    run = publish(checkout, "::")
    assert run.docker_calls == ()
    assert result_lines(run) == {
        f"{app}:latest skipped (already at {old}).",
        f"{app}:{second} published to {old} (new tag).",
        f"{layout}:latest skipped (already at {uploaded}).",
        f"{layout}:{second} published to {uploaded} (new tag).",
    }
    assert registry.digest(f"{app}:{second}") == old

    checkout.write(
        {"app/hello.txt": "changed\n", "layout/Dockerfile": f"FROM {busybox}\nRUN exit 7"}
    )
    third = worktree.commit()
    assert publish(checkout, "::", may_fail=True).exit_code != 0
    assert registry.digest(f"{app}:latest") == old
    assert not registry.has(f"{app}:{third}")

    run = publish(checkout, "app:image")
    assert len(run.builds) <= 1
    new = registry.digest(f"{app}:latest")
    assert new != old
    entry = published(checkout)[f"{app}:latest"]
    assert {**entry, "status": ""} == {
        "change": "moved",
        "digest": new,
        "exit_code": 0,
        "moved_from": old,
        "names": [f"{app}:latest"],
        "published": True,
        "publisher": "docker-buildkit",
        "reference": f"{app}@{new}",
        "registries": ["<all default registries>"],
        "registry": registry.address,
        "repository": f"{repository}/app",
        "status": "",
        "tag": "latest",
        "target": "app:image",
    }
    assert published(checkout)[f"{app}:{third}"]["change"] == "created"

    worktree.git("checkout", "-q", first)
    run = publish(checkout, "app:image")
    assert run.docker_calls == ()
    assert result_lines(run) == {
        f"{app}:latest published to {old} (was at {new}).",
        f"{app}:{first} skipped (already at {old}).",
    }
    assert registry.digest(f"{app}:latest") == old


def test_tags_follow_fields_that_are_again_what_they_were(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "app/BUILD": "docker_buildkit_image(name='image', image_labels={'is': 'old'})",
            "app/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /app\n",
            "other/BUILD": "docker_buildkit_image(name='image', image_tags=[])",
            "other/Dockerfile": f"FROM {busybox}\n",
        },
    )
    latest, digests = f"{registry.address}/{repository}/app:latest", dict[str, str]()
    publish(checkout, "::")
    digests["old"] = registry.digest(latest)
    # Once it is unchanged, nothing of it is asked again.
    for _ in range(2):
        checkout.pants("package", "::", pantsd=True)
    checkout.replace("app/BUILD", "old", "new")
    # From here on, the daemon has seen it.
    checkout.pants("list", "::", pantsd=True)
    publish(checkout, "::")
    digests["new"] = registry.digest(latest)
    assert digests["old"] != digests["new"]
    checkout.replace("app/BUILD", "new", "old")
    checkout.pants("list", "::", pantsd=True)
    run = publish(checkout, "::")
    moved = f"{latest} published to {digests['old']} (was at {digests['new']})."
    assert moved in result_lines(run), run.output
    assert registry.digest(latest) == digests["old"]


@pytest.fixture
def unreliable() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


def test_a_publish_that_was_interrupted_or_refused_is_finished_by_the_next_one(
    machine: Machine, registry: Registry, unreliable: FakeRegistry, repository: str
) -> None:
    unreliable_settings = (
        f"[docker-buildkit.registries.unreliable]\naddress = '{unreliable.address}'\n"
    )
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository, unreliable_settings),
            "app/BUILD": "docker_buildkit_image(name='image', output='oci',"
            " registries=['@tests', '@unreliable'], image_tags=['1', '2'])",
            "app/Dockerfile": f"FROM scratch\nLABEL of={repository}\n",
        },
    )
    good, bad = (f"{each.address}/{repository}/app" for each in (registry, unreliable))
    tags = unreliable.repository(f"{repository}/app").tags

    checkout.pants("list", "::", pantsd=True)
    was_interrupted = threading.Event()
    unreliable.plan(faults.held(was_interrupted.is_set), "/manifests/1$", method="PUT", times=None)
    process = checkout.start("publish", "::", pantsd=True)
    process.read_until(b"2 of 4 tags are done.\n")
    os.kill(process.pid, signal.SIGINT)
    interrupted = checkout.finish(process)
    was_interrupted.set()
    assert interrupted.exit_code != 0
    assert tags == {}

    unreliable.behave()
    immutable = faults.oci_error(400, "TAG_INVALID", "the tag is immutable")
    unreliable.plan(immutable, "/manifests/1$", method="PUT", times=None)
    sent = unreliable.count("PUT", "/blobs/")
    refused = publish(checkout, "::", may_fail=True)
    assert refused.exit_code == 1
    assert refused.docker_calls == ()
    digest = registry.digest(f"{good}:1")
    assert (
        f"Could not write {bad}:1 (HTTP 400 TAG_INVALID: the tag is immutable)." in refused.output
    )
    assert f"{bad}:1 failed for {digest} (new tag)." in result_lines(refused)
    assert f"{bad}:2 published to {digest} (new tag)." in result_lines(refused)
    assert tags == {"2": digest}
    assert registry.digest(f"{good}:2") == digest
    assert "✕ image tags failed." in refused.output
    assert published(checkout)[f"{bad}:1"]["published"] is False

    unreliable.behave()
    finished = publish(checkout, "::")
    assert result_lines(finished) == {
        f"{bad}:1 published to {digest} (new tag).",
        *(
            f"{name} skipped (already at {digest})."
            for name in (f"{bad}:2", f"{good}:1", f"{good}:2")
        ),
    }
    assert tags == {"1": digest, "2": digest}
    assert unreliable.count("PUT", "/blobs/") == sent


def test_without_a_cache_of_pants_what_was_packaged_is_published(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    build = "docker_buildkit_image(name='image', image_tags=['latest'], no_cache=True)"
    files = {
        "pants.toml": repository_settings(registry.address, repository),
        "app/BUILD": build,
        "app/Dockerfile": f"FROM {busybox}\nRUN head -c 9 /dev/urandom >/other-each-time\n",
    }
    checkout = machine.checkout("checkout", files)
    run = checkout.pants("--no-local-cache", "package", "publish", "app:image")
    assert len(run.builds) == 1
    packaged = json.loads(checkout.record("app:image"))["image"]["digest"]
    assert registry.digest(f"{registry.address}/{repository}/app:latest") == packaged
