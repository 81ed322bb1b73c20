from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pants_docker_buildkit.remote.git_commit import find_commit
from pants_docker_buildkit.remote.git_tree import check_out
from pants_docker_buildkit.remote.testing.git_server import PASSWORD, credential_helper, serving
from pants_docker_buildkit.remote.web_content import RemoteContentError

CONFIG = """\
[core]
autocrlf = true
symlinks = false
[filter "loud"]
smudge = tr a-z A-Z
[protocol "file"]
allow = always
[user]
name = a
email = a@example.org
"""


class Repository:
    """A repository with commits."""

    def __init__(self, directory: Path, environment: dict[str, str], kind: str = "sha1") -> None:
        self.directory, self.environment = directory, environment
        directory.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main", f"--object-format={kind}")

    def git(self, *arguments: str) -> str:
        command = ("git", "-c", "core.symlinks=true", "-c", "core.autocrlf=false", *arguments)
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str]) -> str:
        for path, text in files.items():
            (self.directory / path).parent.mkdir(parents=True, exist_ok=True)
            (self.directory / path).write_text(text)
        self.git("add", ".")
        self.git("commit", "--quiet", "--message=a")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """That of a user whose Git is configured."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.gitconfig").write_text(CONFIG)
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home")}


@pytest.fixture
def repository(tmp_path: Path, environment: dict[str, str]) -> Repository:
    return Repository(tmp_path / "source", environment)


def listing(tree: Path) -> dict[str, str]:
    return {
        str(path.relative_to(tree)): f"-> {os.readlink(path)}"
        if path.is_symlink()
        else path.read_text()
        for path in tree.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_files_are_those_of_the_commit_whatever_git_is_configured_to_make_of_them(
    repository: Repository, tmp_path: Path
) -> None:
    (repository.directory / "link").symlink_to("a.txt")
    program = repository.directory / "run.sh"
    program.write_text("true\n")
    program.chmod(0o755)
    files = {"a.txt": "one\n", ".gitattributes": "*.txt filter=loud\n", "deep/b.txt": "b\n"}
    first = repository.commit(files)
    repository.commit({"a.txt": "two\n", "later.txt": ""})
    url = str(repository.directory)
    tree = check_out(url, first, "", tmp_path, repository.environment)
    assert listing(tree) == {**files, "link": "-> a.txt", "run.sh": "true\n"}
    assert os.access(tree / "run.sh", os.X_OK)
    assert not (tree / ".git").exists()
    (tmp_path / "other").mkdir()
    deep = check_out(url, first, "deep", tmp_path / "other", repository.environment)
    assert listing(deep) == {"b.txt": "b\n"}


def test_a_repository_may_name_its_objects_by_sha256(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    repository = Repository(tmp_path / "sha256", environment, "sha256")
    commit = repository.commit({"a.txt": "a\n"})
    tree = check_out(str(repository.directory), commit, "", tmp_path, environment)
    assert listing(tree) == {"a.txt": "a\n"}


def test_submodules_are_checked_out_as_repositories_are(
    repository: Repository, tmp_path: Path
) -> None:
    # A template of the user's is a way to have filters, too.
    template = tmp_path / "template"
    (template / "info").mkdir(parents=True)
    (template / "info/attributes").write_text("*.txt filter=loud\n")
    with (tmp_path / "home/.gitconfig").open("a") as config:
        config.write(f"[init]\ntemplateDir = {template}\n")
    deepest = Repository(tmp_path / "deepest", repository.environment)
    deepest.commit({"deepest.txt": "deepest\n", ".gitattributes": "*.txt filter=loud\n"})
    inner = Repository(tmp_path / "inner", repository.environment)
    inner.git("submodule", "--quiet", "add", "--name", "a.url", "../deepest", "odd name")
    inner.commit({"inner.txt": "inner\n"})
    repository.git("submodule", "--quiet", "add", "../inner", "vendor/inner")
    repository.git("submodule", "--quiet", "add", "../deepest", "vendor/unused")
    repository.git("config", "--file=.gitmodules", "submodule.vendor/unused.update", "none")
    commit = repository.commit({"a.txt": ""})
    deepest.commit({"deepest.txt": "later"})
    url = str(repository.directory)
    tree = check_out(url, commit, "vendor", tmp_path, repository.environment)
    found = listing(tree)
    del found["inner/.gitmodules"]
    assert found == {
        "inner/inner.txt": "inner\n",
        "inner/odd name/.gitattributes": "*.txt filter=loud\n",
        "inner/odd name/deepest.txt": "deepest\n",
    }


def test_who_can_log_in_reads_repositories_and_their_submodules(
    repository: Repository, tmp_path: Path
) -> None:
    inner = Repository(tmp_path / "inner", repository.environment)
    inner.commit({"inner.txt": "inner\n"})
    repository.git("submodule", "--quiet", "add", "../inner", "inner")
    commit = repository.commit({"a.txt": "a\n"})
    repository.commit({"a.txt": "later\n"})
    with serving(tmp_path) as address:
        url = f"{address}/source/.git"
        repository.git("config", "--file=.gitmodules", "submodule.inner.url", "../../inner")
        later = repository.commit({"b.txt": ""})
        with pytest.raises(RemoteContentError, match="could not read Username"):
            find_commit(url, "main", repository.environment)
        with (tmp_path / "home/.gitconfig").open("a") as config:
            config.write(credential_helper(tmp_path / "home"))
        assert find_commit(url, "main", repository.environment) == later
        tree = check_out(url, later, "inner", tmp_path, repository.environment)
        assert listing(tree) == {"inner.txt": "inner\n"}
        (tmp_path / "gone").mkdir()
        with pytest.raises(RemoteContentError) as raised:
            check_out(f"{address}/gone", commit, "", tmp_path / "gone", repository.environment)
        assert PASSWORD not in str(raised.value)


def test_submodules_on_this_machine_and_without_url_are_refused(
    repository: Repository, tmp_path: Path
) -> None:
    Repository(tmp_path / "private", repository.environment).commit({"private.txt": ""})
    repository.git("submodule", "--quiet", "add", "../private")
    commit, url = repository.commit({"a.txt": ""}), str(repository.directory)
    stranger = {**repository.environment, "HOME": "/nonexistent"}
    with pytest.raises(RemoteContentError, match="transport 'file' not allowed"):
        check_out(url, commit, "", tmp_path, stranger)
    repository.git("rm", "--quiet", "--cached", ".gitmodules")
    repository.git("commit", "--quiet", "--message=b")
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(RemoteContentError, match="No url found for submodule path 'private'"):
        check_out(url, repository.git("rev-parse", "HEAD"), "", other, stranger)


@pytest.mark.parametrize(
    ("commit", "subdirectory", "finding"),
    [
        pytest.param("", "none", "there is no directory 'none'", id="no-directory"),
        pytest.param("", "a.txt", "there is no directory 'a.txt'", id="file"),
        pytest.param("", "out", "there is no directory 'out'", id="link-to-the-outside"),
        pytest.param("0" * 40, "", "'git checkout' fails: fatal:", id="no-commit"),
    ],
)
def test_what_is_not_there_is_an_error(
    repository: Repository, tmp_path: Path, commit: str, subdirectory: str, finding: str
) -> None:
    (repository.directory / "out").symlink_to("/etc")
    made = repository.commit({"a.txt": ""})
    with pytest.raises(RemoteContentError) as raised:
        check_out(
            str(repository.directory),
            commit or made,
            subdirectory,
            tmp_path,
            repository.environment,
        )
    assert finding in str(raised.value)


def test_passwords_are_in_no_message(tmp_path: Path, environment: dict[str, str]) -> None:
    with pytest.raises(RemoteContentError) as raised:
        check_out("http://me:hunter2@127.0.0.1:1/a.git", "0" * 40, "", tmp_path, environment)
    assert "hunter2" not in str(raised.value)
