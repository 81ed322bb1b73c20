"""What an `ADD` downloads is in the key as it is now, and what the image gets."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from pants_docker_buildkit.remote.testing.git_server import PASSWORD, credential_helper, serving
from tests.integration.conftest import Machines
from tests.integration.workbench.image_files import image_files
from tests.integration.workbench.machine import Checkout, Machine, repository_settings
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.remote_cache import RemoteCache
from tests.integration.workbench.required import docker_host, docker_program
from tests.integration.workbench.web_site import WebSite

TARGET = "app:image"
PAGE = "/tool.txt"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WebSite]:
    site = WebSite(tmp_path / "site")
    yield site
    site.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def one_image(registry: Registry, repository: str, dockerfile: str) -> dict[str, str]:
    return {
        "pants.toml": repository_settings(registry.address, repository),
        "app/BUILD": "docker_buildkit_image(name='image', platforms=['linux/amd64'])",
        "app/Dockerfile": dockerfile,
    }


def files_of(checkout: Checkout, registry: Registry) -> dict[str, str]:
    (reference,) = json.loads(checkout.record(TARGET))["references"]
    return image_files(registry, reference)


def test_a_url_is_asked_in_every_session_and_downloaded_once_for_all_machines(
    machines: Machines,
    registry: Registry,
    repository: str,
    remote_cache: RemoteCache,
    site: WebSite,
) -> None:
    files = one_image(registry, repository, f"FROM scratch\nADD {site.url}{PAGE} /tool\n")
    site.pages[PAGE] = b"one"
    checkout = machines.new("one", remote_cache=remote_cache).checkout("checkout", files)
    assert checkout.pants("package", "::").kinds == {TARGET: "built"}
    assert files_of(checkout, registry) == {"tool": "one"}
    asked = [each for each in site.requests if each.startswith("pants")]
    assert asked == [f"pants HEAD {PAGE}", f"pants GET {PAGE}"]

    site.requests.clear()
    unchanged = checkout.pants("package", "::")
    assert unchanged.kinds == {TARGET: "unchanged"}
    assert unchanged.docker_calls == ()
    other = machines.new("two", remote_cache=remote_cache).checkout("checkout", files)
    assert other.pants("package", "::").kinds == {TARGET: "restored"}
    assert site.requests == [f"pants HEAD {PAGE}"] * 2

    site.pages[PAGE] = b"two"
    run = checkout.pants("package", "::")
    assert run.kinds == {TARGET: "built"}
    assert files_of(checkout, registry) == {"tool": "two"}


def test_content_that_changes_before_it_is_built_is_built_as_what_it_is_then(
    machine: Machine, registry: Registry, repository: str, site: WebSite
) -> None:
    site.pages[PAGE] = b"seen"

    def change() -> None:
        site.pages[PAGE] = b"built"

    site.before_builder = change
    files = one_image(registry, repository, f"FROM scratch\nADD {site.url}{PAGE} /tool\n")
    checkout = machine.checkout("checkout", files)
    assert checkout.pants("package", "::").kinds == {TARGET: "built"}
    assert files_of(checkout, registry) == {"tool": "built"}
    assert checkout.pants("package", "::").kinds == {TARGET: "unchanged"}


def test_a_server_that_cannot_say_whether_something_changed_needs_a_checksum(
    machine: Machine, registry: Registry, repository: str
) -> None:
    site = WebSite(has_versions=False)
    site.pages[PAGE] = b"one"
    url = f"{site.url}{PAGE}"
    checkout = machine.checkout(
        "checkout", one_image(registry, repository, f"FROM scratch\nADD {url}?key=secret /\n")
    )
    run = checkout.pants("package", "::", may_fail=True)
    site.close()
    assert run.exit_code == 1
    assert "strong ETag" in run.output
    assert "Give that ADD a '--checksum'" in run.output
    assert "key=secret" not in run.output


def test_a_password_in_a_url_gets_nowhere(
    machine: Machine, registry: Registry, repository: str
) -> None:
    dockerfile = "FROM scratch\nADD http://me:s3cret@127.0.0.1:1/a /\n"
    checkout = machine.checkout("checkout", one_image(registry, repository, dockerfile))
    run = checkout.pants("package", "::", may_fail=True)
    assert run.exit_code == 1
    assert "with a password or token" in run.output
    assert "s3cret" not in run.output


class ServedRepository:
    """A Git repository of a web site, with the branch `main` and the tags `newest` and `noted`.

    The second has a message. Both move with the branch, which BuildKit before 0.26 takes for an
    error when it fetches a commit.
    """

    def __init__(self, directory: Path) -> None:
        self._source, self._bare = directory / "source", directory / "site" / "tools.git"
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self._bare))
        self._git("init", "--quiet", "--initial-branch=main", str(self._source))

    def commit(self, files: Mapping[str, str]) -> str:
        """The hash of a new commit with these files."""
        for name, content in files.items():
            (self._source / name).parent.mkdir(exist_ok=True)
            (self._source / name).write_text(content)
        source = ("-C", str(self._source))
        self._git(*source, "add", ".")
        self._git(*source, "commit", "--quiet", "--message=change")
        self._git(*source, "tag", "--force", "newest")
        self._git(*source, "tag", "--force", "--message=note", "noted")
        self._git(*source, "push", "--quiet", "--force", "--tags", str(self._bare), "main")
        # Whom no Git server answers reads the files.
        self._git("-C", str(self._bare), "update-server-info")
        return self._git(*source, "rev-parse", "HEAD")

    def rename_branch(self, name: str) -> None:
        """Let `main` be called so."""
        self._git("-C", str(self._bare), "branch", "--move", "main", name)

    def _git(self, *arguments: str) -> str:
        command = ("git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments)
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()


@pytest.mark.parametrize(
    ("instruction", "fields"),
    [
        pytest.param("ADD {url}#main:bin /", "", id="added"),
        pytest.param(
            "COPY --from=tools . /", "build_contexts={{'tools': '{url}#main:bin'}}", id="named"
        ),
    ],
)
def test_a_branch_is_its_commit(
    machine: Machine,
    registry: Registry,
    repository: str,
    site: WebSite,
    tmp_path: Path,
    instruction: str,
    fields: str,
) -> None:
    served = ServedRepository(tmp_path)
    served.commit({"bin/tool": "one"})
    url = f"{site.url}/tools.git"
    dockerfile = f"FROM scratch\n{instruction.format(url=url)}\n"
    files = one_image(registry, repository, dockerfile)
    files["app/BUILD"] = f"docker_buildkit_image(name='image', {fields.format(url=url)})"
    checkout = machine.checkout("checkout", files)
    assert checkout.pants("package", "::").kinds == {TARGET: "built"}
    assert files_of(checkout, registry)["tool"] == "one"
    unchanged = checkout.pants("package", "::")
    assert unchanged.kinds == {TARGET: "unchanged"}
    assert unchanged.docker_calls == ()
    served.commit({"bin/tool": "two"})
    assert checkout.pants("package", "::").kinds == {TARGET: "built"}
    assert files_of(checkout, registry)["tool"] == "two"


class Watched:
    """A Git server, and what was asked of it: who fetches, and how much of the history."""

    def __init__(self) -> None:
        self.fetches: list[bytes] = []
        self.before_builder: Callable[[], object] = lambda: None
        """What happens once, after Pants has asked, and before the builder does."""
        self._visits = 0

    def __call__(self, path: str, body: bytes) -> None:
        if "/info/refs?" in path:
            self._visits += 1
            # The first visit is that of Pants.
            if self._visits == 2:
                self.before_builder()
        if b"command=fetch" in body:
            self.fetches.append(body)

    @property
    def are_shallow(self) -> list[bool]:
        return [b"deepen 1" in each for each in self.fetches]


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def git_server(tmp_path: Path, watched: Watched) -> Iterator[str]:
    with serving(tmp_path / "site", watched) as address:
        yield f"{address}/tools.git"


def test_a_branch_is_fetched_alone_and_by_its_name(
    machine: Machine,
    registry: Registry,
    repository: str,
    tmp_path: Path,
    git_server: str,
    watched: Watched,
) -> None:
    served = ServedRepository(tmp_path)
    for number in "12":
        served.commit({"tool": number})
    dockerfile = f"FROM scratch\nADD --keep-git-dir=true {git_server}#main /\n"
    checkout = machine.checkout("checkout", one_image(registry, repository, dockerfile))
    run = checkout.pants("package", "::")
    assert len(run.builds) == 1
    assert watched.are_shallow == [True]
    files = files_of(checkout, registry)
    assert files["tool"] == "2"
    assert ".git/refs/heads/main" in files


@pytest.mark.parametrize("name", ["main", "newest", "noted"])
@pytest.mark.parametrize("flag", ["", "--keep-git-dir=true "])
def test_what_moves_before_it_is_built_is_built_as_what_it_was(
    machine: Machine,
    registry: Registry,
    repository: str,
    tmp_path: Path,
    git_server: str,
    watched: Watched,
    name: str,
    flag: str,
) -> None:
    served = ServedRepository(tmp_path)
    first = served.commit({"tool": "asked"})
    watched.before_builder = lambda: served.commit({"tool": "moved"})
    dockerfile = f"FROM scratch\nADD {flag}{git_server}#{name} /\n"
    checkout = machine.checkout("checkout", one_image(registry, repository, dockerfile))
    run = checkout.pants("package", "::")
    assert len(run.builds) == 2
    assert f"{TARGET} is built again: a branch or tag of Git is read by its commit" in run.output
    assert files_of(checkout, registry)["tool"] == "asked"
    (material,) = json.loads(checkout.record(TARGET))["materials"]
    assert material["digest"] == f"sha1:{first}"
    assert checkout.pants("package", "::").kinds == {TARGET: "built"}
    assert files_of(checkout, registry)["tool"] == "moved"


def test_a_branch_that_is_gone_since_it_was_locked_is_still_built(
    machine: Machine,
    registry: Registry,
    repository: str,
    tmp_path: Path,
    git_server: str,
) -> None:
    served = ServedRepository(tmp_path)
    served.commit({"tool": "locked"})
    dockerfile = f"FROM scratch\nADD {git_server}#main /\n"
    files = one_image(registry, repository, dockerfile)
    checkout = machine.checkout("checkout", files)
    checkout.pants("generate-lockfiles", "--resolve=docker-images")
    served.rename_branch("gone")
    frozen = {"PANTS_DOCKER_BUILDKIT_BASE_IMAGES": "frozen"}
    assert checkout.pants("package", "::", env=frozen).kinds == {TARGET: "built"}
    assert files_of(checkout, registry)["tool"] == "locked"


def test_a_repository_is_the_context_of_a_build(
    machines: Machines,
    remote_cache: RemoteCache,
    registry: Registry,
    repository: str,
    site: WebSite,
    stack: ExitStack,
    tmp_path: Path,
) -> None:
    served = ServedRepository(tmp_path)
    made = {
        "app/Dockerfile": "FROM scratch\nCOPY . /all/\nCOPY --chmod=700 a.txt /\n",
        "app/a.txt": "one",
        "app/.dockerignore": "a.txt",
        "other/b.txt": "b",
    }
    commit = served.commit(made)
    server = stack.enter_context(serving(tmp_path / "site"))
    # Pants has to log in there; plain buildx, which cannot ask Git's helpers, reads the same.
    url = f"{server}/tools.git"
    files = {
        "pants.toml": repository_settings(registry.address, repository),
        "app/BUILD": f"docker_buildkit_image(name='image', context='{url}#main:app')\n",
        "lib/BUILD": f"docker_buildkit_image(name='image', context='{url}#{commit}:app')\n",
    }
    machine = machines.new("one", remote_cache=remote_cache)
    (machine.home / ".gitconfig").write_text(credential_helper(machine.home))
    one = machine.checkout("checkout", files)
    assert set(one.pants("package", "::").kinds.values()) <= {"built"}
    plain = tmp_path / "plain"
    subprocess.run(
        [
            *(str(docker_program()), "buildx", "build", "--provenance=false"),
            *(f"--output=type=local,dest={plain}", f"{site.url}/tools.git#main:app"),
        ],
        env={**os.environ, "DOCKER_HOST": docker_host()},
        check=True,
        capture_output=True,
    )
    paths = (path for path in plain.rglob("*") if path.is_file())
    expected = {str(path.relative_to(plain)): path.read_text() for path in paths}
    assert {"all/.dockerignore", "all/a.txt", "all/Dockerfile", "a.txt"} == expected.keys()
    found = files_of(one, registry)
    assert {path: text for path, text in found.items() if not path.endswith("/")} == expected
    record = json.loads(one.record(TARGET))
    assert [each["digest"] for each in record["materials"]] == [f"sha1:{commit}"]

    one.pants("generate-lockfiles", "--resolve=docker-images")
    lock = (one.directory / "3rdparty/docker/images.lock.dockerfile").read_text()
    assert f"\nADD --checksum={commit} {url}#main:app /\n" in lock
    assert PASSWORD not in lock
    second = served.commit({"app/a.txt": "two"})
    frozen = {"PANTS_DOCKER_BUILDKIT_BASE_IMAGES": "frozen"}
    assert one.pants("package", "app:image", env=frozen).kinds == {TARGET: "unchanged"}
    options = ("--drift", "--format=json", "--output-file=plan.json")
    one.pants("plan-images", *options, "app:image", env=frozen)
    (moved,) = json.loads((one.directory / "plan.json").read_text())["drift"]["moved"]
    assert (moved["name"], moved["from"], moved["to"]) == (f"{url}#main:app", commit, second)
    assert one.pants("package", "app:image").kinds == {TARGET: "built"}
    assert files_of(one, registry)["a.txt"] == "two"
    # Where the commit is known, nobody needs the repository again.
    stack.close()
    two = machines.new("two", remote_cache=remote_cache).checkout("checkout", files)
    restored = two.pants("package", "lib:image")
    assert restored.kinds == {"lib:image": "restored"}
    assert restored.builds == []
