from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pants.testutil.rule_runner import QueryRule

from pants_docker_buildkit.locks.lock_file import Lock, render_lock
from pants_docker_buildkit.remote.testing.fake_ssh import KEY, FakeSsh
from pants_docker_buildkit.remote.testing.git_project import Project, served_project
from pants_docker_buildkit.testutil import ImageRunner, create_rule_runner
from pants_docker_buildkit.util_rules.locked_sources import MovingSourcesRequest

DOCKERFILE = "FROM scratch\nCOPY a.txt /\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with served_project(tmp_path_factory.mktemp("project")) as project:
        yield project


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    """One engine for all tests; each has a directory of its own."""
    runner = ImageRunner()
    runner.set_options()
    return runner


def write(runner: ImageRunner, directory: str, url: str, fields: str = "") -> str:
    """Let a directory have an image whose context is `url`."""
    build = f"docker_buildkit_image(name='image', context='{url}', {fields})"
    runner.write({f"{directory}/BUILD": build})
    return f"{directory}:image"


def test_the_context_is_what_the_repository_has(runner: ImageRunner, project: Project) -> None:
    ignored = {"_dockerignore": "a.txt\n"}
    commit = project.commit(Dockerfile=DOCKERFILE, a_txt="a\n", app__a_txt="b\n", **ignored)
    image = write(runner, "whole", f"{project.url}#{commit}")
    assert runner.context(image) == [".dockerignore", "Dockerfile", "a.txt", "app/a.txt"]
    assert runner.inferred(image) == set()
    definition = runner.definition(image)
    sources = definition.job.definition.sources
    assert [each.identifier.rpartition("#")[2] for each in sources] == [commit]
    # A directory of it, with a Dockerfile of this repository.
    fields = "source=None, instructions=['FROM scratch', 'COPY a.txt /']"
    below = write(runner, "below", f"{project.url}#main:app", fields)
    assert runner.context(below) == ["a.txt"]
    runner.write({"file/Dockerfile": "FROM scratch\nCOPY a.txt /x\n"})
    here = write(runner, "file", f"{project.url}#main:app")
    assert runner.definition(here).job.definition.dockerfile != (
        definition.job.definition.dockerfile
    )


def test_another_commit_is_another_key_and_another_name_for_it_the_same_files(
    runner: ImageRunner, project: Project
) -> None:
    old = project.commit(Dockerfile=DOCKERFILE, a_txt="old\n")
    new = project.commit(a_txt="new\n")
    # What `main` is, is asked once in a session.
    runner.set_options()
    found = {
        name: runner.definition(write(runner, f"key{number}", f"{project.url}#{name}"))
        for number, name in enumerate((old, new, "main"))
    }
    contexts = {name: each.job.definition.context for name, each in found.items()}
    assert contexts[old] != contexts[new] == contexts["main"]
    digests = {each.job.build_digest for each in (found[old], found[new])}
    assert len(digests) == 2
    # What the record says.
    (material,) = found["main"].materials or ()
    assert material.digest == f"sha1:{new}"


def test_a_lock_says_which_commit_a_branch_is(project: Project) -> None:
    runner = ImageRunner(create_rule_runner(rules=(QueryRule(Lock, (MovingSourcesRequest,)),)))
    runner.set_options("base-images=frozen")
    old = project.commit(Dockerfile=DOCKERFILE, a_txt="locked\n")
    url = f"{project.url}#main"
    image = write(runner, "locked", url)
    # A lock that is not there keeps nobody from generating it.
    request = MovingSourcesRequest(runner.field_set(image), Lock())
    found = runner.runner.request(Lock, (request,))
    assert found == Lock({}, {url: old})
    assert "is not in the lock" in runner.failure(image)
    runner.write({"3rdparty/docker/images.lock.dockerfile": render_lock(found, "x").decode()})
    project.commit(a_txt="later\n")
    runner.set_options("base-images=frozen")
    (material,) = runner.definition(image).materials or ()
    assert material.digest == f"sha1:{old}"
    runner.close()


@pytest.mark.parametrize(
    ("url", "fields", "expected"),
    [
        pytest.param("app", "", "must name a Git repository, such as", id="path"),
        pytest.param("https://a.example/b.tar", "", "must name a Git repository", id="url"),
        pytest.param(
            "https://me:hunter2@a.example/b.git", "", "must have no password", id="password"
        ),
        pytest.param("https://a.example/b.git?keep-git-dir=1", "", "'keep-git-dir'", id="option"),
        pytest.param("https://a.example/b.git#main:../c", "", "it has '../c'", id="outside"),
        pytest.param(
            "https://a.example/b.git", "dependencies=[':x']", "`dependencies`", id="files"
        ),
        pytest.param("https://a.example/b.git", "context_root='x'", "`context_root`", id="root"),
        pytest.param(
            "https://a.example/b.git",
            "extra_build_args=['BUILDKIT_CONTEXT_KEEP_GIT_DIR=1']",
            "must not have BUILDKIT_CONTEXT_KEEP_GIT_DIR",
            id="git-directory",
        ),
        pytest.param(
            "PROJECT#main",
            "extra_build_args=['SOURCE_DATE_EPOCH=context']",
            "must set SOURCE_DATE_EPOCH to a number of seconds",
            id="time",
        ),
        pytest.param("PROJECT#none", "", "the repository has no reference 'none'", id="reference"),
        pytest.param("PROJECT#main:none", "", "there is no directory 'none'", id="directory"),
        pytest.param(
            "PROJECT#main", "source='None.dockerfile'", "there is no None.dockerfile", id="source"
        ),
    ],
)
def test_what_cannot_be_a_context_is_an_error(
    runner: ImageRunner, project: Project, url: str, fields: str, expected: str
) -> None:
    project.commit(Dockerfile=f"{DOCKERFILE}# {url} {fields}\n", a_txt="")
    image = write(runner, "wrong", url.replace("PROJECT", project.url), fields)
    text = runner.failure(image)
    assert expected in text
    assert "hunter2" not in text


def test_the_option_cannot_ask_for_the_directory_of_git_either(project: Project) -> None:
    runner = ImageRunner()
    runner.set_options("build-args=['BUILDKIT_CONTEXT_KEEP_GIT_DIR=1']")
    project.commit(Dockerfile=DOCKERFILE, a_txt="")
    text = runner.failure(write(runner, "kept", f"{project.url}#main"))
    assert "`[docker-buildkit].build_args` must not have BUILDKIT_CONTEXT_KEEP_GIT_DIR" in text
    assert "but kept:" in text
    runner.close()


def test_a_file_that_the_repository_lacks_is_an_error(
    runner: ImageRunner, project: Project
) -> None:
    commit = project.commit(Dockerfile="FROM scratch\nCOPY none.txt /\n")
    image = write(runner, "lacking", f"{project.url}#{commit}")
    text = runner.failure(image)
    assert "none.txt" in text
    assert f"It is not in {project.url}#{commit}." in text


def test_the_keys_of_a_target_open_its_repositories(
    runner: ImageRunner, project: Project, tmp_path: Path
) -> None:
    """BuildKit has no other, and the user may have none."""
    commit = project.commit(Dockerfile=DOCKERFILE, a_txt="a\n")
    url = f"ssh://me@localhost{project.site / 'project.git'}"
    write(runner, "ssh/context", f"{url}#main", "ssh=['default=./key']")
    runner.write(
        {
            "ssh/context/key": KEY,
            "ssh/add/BUILD": "docker_buildkit_image(name='image', ssh=['default=~/key'])",
            "ssh/add/Dockerfile": f"FROM scratch\nADD {url}#main /\n",
        }
    )
    ssh = FakeSsh(tmp_path / "ssh")
    Path(ssh.environment["HOME"], "key").write_text(KEY)
    runner.set_options(env=ssh.environment, inherit=())
    assert "a.txt" in runner.context("ssh/context:image")
    (source,) = runner.definition("ssh/add:image").job.definition.sources
    assert source.commit == commit
    # What nobody forwards is not used for it.
    write(runner, "ssh/none", f"{url}#main", "ssh=['deploy=~/key']")
    assert "Permission denied" in runner.failure("ssh/none:image")
