from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pants_docker_buildkit.buildx.user_policy import POLICY_VARIABLE
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.remote.testing.git_project import served_project
from pants_docker_buildkit.solver.definition import PinnedSource
from pants_docker_buildkit.testutil import ImageRunner

SHA = "sha256:" + "a" * 64
COMMIT = "0" * 40


@pytest.fixture(scope="module")
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    return ImageRunner()


def set_sources(runner: ImageRunner, *sources: str, dockerfile: str = "FROM scratch\n") -> None:
    fields = f"external_sources={list(sources)}"
    runner.write(
        {
            "app/BUILD": f"docker_buildkit_image(name='image', {fields})",
            "app/Dockerfile": dockerfile,
        }
    )


def set_context(runner: ImageRunner, value: str) -> None:
    """Write an image that copies from the named context `x`."""
    runner.write(
        {
            "app/BUILD": f"docker_buildkit_image(name='image', build_contexts={{'x': '{value}'}})",
            "app/Dockerfile": "FROM scratch\nCOPY --from=x context /\n",
        }
    )


def sources(runner: ImageRunner, *options: str) -> tuple[PinnedSource, ...]:
    """What the build may read, in a new session."""
    runner.set_options(*options)
    return runner.definition("app:image").job.definition.sources


@pytest.mark.parametrize("write", [set_sources, set_context], ids=["external", "named context"])
def test_an_image_that_a_field_names_is_pinned_in_each_session(
    runner: ImageRunner, registry: FakeRegistry, write: Callable[[ImageRunner, str], None]
) -> None:
    name = f"{registry.address}/helper"
    write(runner, f"docker-image://{name}")
    for text in ("one", "two"):
        digest = SmallImage.create(text).store(registry.repository("helper"), "latest")
        pinned = PinnedSource.image(f"{name}:latest", f"{name}:latest@{digest}")
        assert sources(runner) == (pinned,)


def test_what_is_pinned_already_is_not_asked_for(runner: ImageRunner) -> None:
    set_sources(
        runner,
        f"docker-image://nobody.invalid/a@{SHA}",
        f"https://nobody.invalid/a.git#{COMMIT}:docs",
    )
    assert [each.pinned for each in sources(runner)] == [
        f"docker-image://nobody.invalid/a@{SHA}",
        f"git://nobody.invalid/a.git#{COMMIT}:docs",
    ]


def test_those_of_the_option_are_added(runner: ImageRunner) -> None:
    set_sources(runner, f"docker-image://nobody.invalid/a@{SHA}")
    shared = f"['docker-image://nobody.invalid/b@{SHA}']"
    assert len(sources(runner, f"external-sources={shared}")) == 2


def test_the_same_image_in_field_and_dockerfile_is_one_source(runner: ImageRunner) -> None:
    image = f"nobody.invalid/a@{SHA}"
    set_sources(runner, f"docker-image://{image}", dockerfile=f"FROM {image}\n")
    assert len(sources(runner)) == 1


@pytest.mark.parametrize(
    ("source", "said"),
    [
        pytest.param("docker-image://UPPER", "which must have a valid", id="reference"),
        pytest.param("http://127.0.0.1:1/a.tar", "whose content can be known, but of", id="url"),
        pytest.param("http://127.0.0.1:1/a.git#main", "whose content can be known", id="branch"),
        pytest.param("https://me:s3cret@h/a.git", "without passwords, but", id="password"),
        pytest.param("alpine:3", "'docker-image://REFERENCE'", id="bare"),
        pytest.param("docker-image://{registry}/missing:1", "has no image", id="missing"),
    ],
)
def test_what_cannot_be_pinned_is_an_error_of_the_field(
    runner: ImageRunner, registry: FakeRegistry, source: str, said: str
) -> None:
    set_sources(runner, source.format(registry=registry.address))
    runner.set_options()
    failure = runner.failure("app:image")
    assert failure.startswith("The `external_sources` field in target app:image must ")
    assert said in failure
    assert "s3cret" not in failure


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param(
            f"http://127.0.0.1:1/x.tar#{COMMIT}",
            "name URLs and repositories whose content can be known",
            id="not-taken-for-git",
        ),
        pytest.param(
            "http://127.0.0.1:1/a.git#main",
            "name URLs and repositories whose content can be known, but of"
            " 'http://127.0.0.1:1/a.git#main': ",
            id="branch",
        ),
        pytest.param("https://me:s3cret@h/x.tar", "have no password in URLs", id="password"),
        pytest.param(
            "docker-image://127.0.0.1:1/a",
            "name images that their registries have, but of '127.0.0.1:1/a:latest': ",
            id="image",
        ),
    ],
)
def test_what_a_named_context_cannot_be_is_an_error_of_its_field(
    runner: ImageRunner, url: str, said: str
) -> None:
    set_context(runner, url)
    runner.set_options()
    failure = runner.failure("app:image")
    assert failure.startswith(f"The `build_contexts` field in target app:image must {said}")
    assert "s3cret" not in failure


def set_policy(runner: ImageRunner, text: str) -> None:
    runner.write({"policy.json": text})
    runner.set_options(env={POLICY_VARIABLE: "policy.json"})


def test_a_policy_of_the_user_is_obeyed_where_nothing_is_built(runner: ImageRunner) -> None:
    image = f"nobody.invalid/a@{SHA}"
    set_sources(runner, dockerfile=f"FROM {image}\n")
    deny = '{"rules": [{"action": "DENY", "selector": {"identifier": "docker-image://nobody*"}}]}'
    set_policy(runner, deny)
    failure = runner.failure("app:image")
    assert failure.startswith("app:image must read only what the source policy policy.json allows")
    assert (
        f"it reads docker-image://{image}, which its rule for 'docker-image://nobody*'" in failure
    )
    set_policy(runner, deny.replace("nobody", "other"))
    assert [each.pinned for each in runner.definition("app:image").job.definition.sources] == [
        f"docker-image://{image}"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("{", "must be JSON (line 1: ", id="no-json"),
        pytest.param(
            '{"rules": [{"action": "CONVERT", "selector": {"identifier": "a"}}]}',
            "must only allow and deny, but the rule for 'a' converts",
            id="conversion",
        ),
    ],
)
def test_a_policy_that_cannot_be_obeyed_is_refused(
    runner: ImageRunner, text: str, said: str
) -> None:
    set_sources(runner)
    set_policy(runner, text)
    failure = runner.failure("app:image")
    assert f"policy.json, which {POLICY_VARIABLE} names, {said}" in failure


def adding(*checksums: str) -> str:
    """A Dockerfile that adds the same URL with each of these, from line 2 on."""
    adds = (f"ADD --checksum={each} https://nobody.invalid/a.tar /" for each in checksums)
    return "\n".join(("FROM scratch", *adds, ""))


def test_a_url_has_one_content(runner: ImageRunner) -> None:
    """BuildKit would convert one checksum into the other without end, and say so."""
    set_sources(runner, dockerfile=adding(SHA, SHA))
    assert [each.checksum for each in sources(runner)] == [SHA]
    other = "sha256:" + "b" * 64
    set_sources(runner, dockerfile=adding(SHA, SHA, other))
    runner.set_options()
    failure = runner.failure("app:image")
    assert f"cannot be both {SHA} (line 2) and {other} (line 4)" in failure
    assert "Update or remove the '--checksum'" in failure


@pytest.mark.parametrize(
    "add", ["ADD --checksum={} {}#main /", "ADD {1}?branch=main&checksum={0} /"]
)
def test_a_commit_of_which_a_checksum_has_the_beginning_is_looked_up(
    runner: ImageRunner, tmp_path: Path, add: str
) -> None:
    """Another commit may begin so, which BuildKit would take for the same."""
    with served_project(tmp_path) as project:
        commit = project.commit(a_txt="one")
        set_sources(runner, dockerfile=f"FROM scratch\n{add.format(commit[:7], project.url)}\n")
        (source,) = sources(runner)
        assert source.pinned.endswith(f"/project.git#{commit}")
        other = project.commit(a_txt="two")
        runner.set_options()
        assert f"its checksum is '{commit[:7]}', but it is {other} now" in runner.failure(
            "app:image"
        )


def test_a_commit_needs_no_look_at_its_repository(runner: ImageRunner) -> None:
    url = f"https://nobody.invalid/a.git#{COMMIT}"
    adds = (f"ADD {url} /\n", f"ADD --checksum={COMMIT} {url[:-40]}main /\n")
    for add in (*adds, f"ADD --checksum={COMMIT[:7]} {url} /\n"):
        set_sources(runner, dockerfile=f"FROM scratch\n{add}")
        (source,) = sources(runner)
        assert source.commit == COMMIT
