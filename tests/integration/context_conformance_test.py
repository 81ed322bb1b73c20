"""Does BuildKit see the contexts that the plugin says it sees?

On a real engine; `tests/conformance/context/differential.py` runs any number of random cases. What
happens to a tree before, when it passes through Pants, is tested here as well, and described in
`docs/context.md`.
"""

from __future__ import annotations

import os
import stat
import tarfile
from pathlib import Path

import pytest
from pants.engine.fs import (
    CreateDigest,
    Digest,
    DigestEntries,
    Directory,
    FileContent,
    PathGlobs,
    SymlinkEntry,
)
from pants.engine.process import Process, ProcessCacheScope, ProcessResult
from pants.testutil.rule_runner import QueryRule, RuleRunner

from pants_docker_buildkit.dockerfile.context_entries import (
    ContextEntry,
    DirectoryEntry,
)
from tests.conformance.context.buildkit import BuildRequest, ContextBuilder, Placement
from tests.conformance.context.cases import file_entry, write_entry
from tests.conformance.context.differential import differences

CASES = 300
SEED = 20240521
NOT_UTF8 = b"/n\xff"


def test_random_contexts_are_what_buildkit_builds() -> None:
    assert not "\n".join(str(difference) for difference in differences(SEED, CASES))


def build(tmp_path: Path, ignore_file: bytes, placement: Placement) -> tuple[ContextEntry, ...]:
    """What is built of a tree with the files `a/x`, `b` and a `.dockerignore` that says `b`."""
    root = tmp_path / "context"
    root.mkdir()
    for path in ("a/x", "b"):
        write_entry(root, file_entry(path, path.encode()))
    (root / ".dockerignore").write_bytes(b"b\n")
    built = ContextBuilder(tmp_path).build([BuildRequest("context", placement, ignore_file)])[0]
    assert isinstance(built, tuple)
    return built


def paths(entries: tuple[ContextEntry, ...]) -> list[str]:
    return [entry.path for entry in entries]


def test_file_beside_the_dockerfile_replaces_the_one_in_the_context(tmp_path: Path) -> None:
    built = build(tmp_path, b"a\n", Placement.BESIDE_DOCKERFILE)
    assert paths(built) == [".dockerignore", "b"]


def test_file_with_only_a_comment_beside_the_dockerfile_ignores_nothing(tmp_path: Path) -> None:
    built = build(tmp_path, b"", Placement.NOWHERE)
    assert paths(built) == [".dockerignore", "a/x", "b"]


def test_named_context_has_an_ignore_file_of_its_own(tmp_path: Path) -> None:
    built = build(tmp_path, b"a/x\n.dockerignore\n", Placement.NAMED_CONTEXT)
    assert built == (DirectoryEntry("a"), file_entry("b", b"b"))


def test_file_excluded_only_by_its_parents_second_match_is_sent_empty(tmp_path: Path) -> None:
    # A bug of BuildKit that the plugin does not share; see docs/context.md.
    built = build(tmp_path, b"a\n!a/x\na\n.dockerignore\n", Placement.MAIN_CONTEXT)
    assert built == (file_entry("a/x", b""), file_entry("b", b"b"))


def test_modes_and_links_are_built_as_they_lie_on_disk(tmp_path: Path) -> None:
    # What Pants does to them before is in docs/context.md.
    root = tmp_path / "context"
    root.mkdir(mode=0o755)
    for name, mode in (("plain", 0o644), ("secret", 0o600), ("group", 0o674), ("set", 0o4755)):
        (root / name).write_text(name)
        (root / name).chmod(mode)
    (root / "private").mkdir()
    (root / "private").chmod(0o700)
    (root / "symbolic").symlink_to("gone")
    os.link(root / "plain", root / "private" / "hard")
    os.mkfifo(root / "pipe", 0o644)
    tar = ContextBuilder(tmp_path).build_tar(BuildRequest("context", Placement.NOWHERE, b""))
    assert listing(tar) == {
        "group": "-rw-rwxr--",
        "pipe": "prw-r--r--",
        "plain": "-rw-r--r--",
        "private": "drwx------",
        "private/hard": "link to plain",
        "secret": "-rw-------",
        "set": "-rwsr-xr-x",
        "symbolic": "link to gone",
    }


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "context"
    root.mkdir()
    Path(os.fsdecode(os.fsencode(root) + NOT_UTF8)).touch()
    with pytest.raises(RuntimeError, match="invalid UTF-8"):
        ContextBuilder(tmp_path).build_tar(BuildRequest("context", Placement.NOWHERE, b""))


def listing(tar: Path) -> dict[str, str]:
    """For each path its mode, or where it leads."""
    kinds = {
        tarfile.DIRTYPE: stat.S_IFDIR,
        tarfile.FIFOTYPE: stat.S_IFIFO,
        tarfile.REGTYPE: stat.S_IFREG,
    }
    with tarfile.open(tar) as archive:
        return {
            member.name: f"link to {member.linkname}"
            if member.linkname
            else stat.filemode(kinds[member.type] | member.mode)
            for member in archive
        }


LARGE = b"0" * 512 * 1024
"""As large as the files that Pants keeps outside of its database, and links into sandboxes."""


@pytest.fixture
def rule_runner() -> RuleRunner:
    return RuleRunner(
        rules=[
            QueryRule(Digest, [CreateDigest]),
            QueryRule(Digest, [PathGlobs]),
            QueryRule(DigestEntries, [Digest]),
            QueryRule(ProcessResult, [Process]),
        ]
    )


def test_pants_reports_links_in_the_repository_as_what_they_lead_to(
    rule_runner: RuleRunner,
) -> None:
    root = Path(rule_runner.build_root)
    (root / "src/folder").mkdir(parents=True)
    (root / "src/empty").mkdir()
    for name, mode in (("file", 0o600), ("owner", 0o744), ("group", 0o654)):
        (root / "src/folder" / name).write_text(name)
        (root / "src/folder" / name).chmod(mode)
    (root / "src/to_file").symlink_to("folder/file")
    (root / "src/to_folder").symlink_to("folder")
    (root / "src/to_nothing").symlink_to("gone")
    os.mkfifo(root / "src/pipe")
    Path(os.fsdecode(os.fsencode(root / "src") + NOT_UTF8)).touch()
    tree = rule_runner.request(Digest, [PathGlobs(["src/**"])])
    entries = rule_runner.request(DigestEntries, [tree])
    assert {entry.path: getattr(entry, "is_executable", None) for entry in entries} == {
        "src/empty": None,
        "src/folder/file": False,
        "src/folder/group": False,
        "src/folder/owner": True,
        "src/to_file": False,
        **{f"src/to_folder/{name}": name == "owner" for name in ("file", "group", "owner")},
    }


def test_sandbox_has_one_mode_for_files_where_the_output_lies_beside_the_context(
    rule_runner: RuleRunner,
) -> None:
    assert sandbox(rule_runner, output="build/record.json") == {
        "": "drwxr-xr-x",
        "empty": "drwxr-xr-x",
        "executable": "-rwxr-xr-x",
        "large": "-rw-r--r--",
        "large_again": "-rw-r--r--",
        "large_executable": "-rwxr-xr-x",
        "link": "link to gone",
        "small": "-rw-r--r--",
    }


def test_sandbox_has_links_into_the_store_where_the_output_lies_elsewhere(
    rule_runner: RuleRunner,
) -> None:
    # Only where the store and the sandboxes are on one file system. This is why the build process
    # has its output beside the context: the mode of a file would depend on the machine.
    modes = sandbox(rule_runner, output="record.json")
    assert modes["small"] == "-rw-r--r--"
    assert modes["large"] in {"-r-xr-xr-x linked", "-rw-r--r--"}


def sandbox(rule_runner: RuleRunner, *, output: str) -> dict[str, str]:
    """What a process finds in its context: for each path its mode, or where it leads."""
    tree = rule_runner.request(
        Digest,
        [
            CreateDigest(
                [
                    FileContent("build/context/small", b"0"),
                    FileContent("build/context/executable", b"0", is_executable=True),
                    FileContent("build/context/large", LARGE),
                    FileContent("build/context/large_again", LARGE),
                    FileContent("build/context/large_executable", LARGE + b"0", is_executable=True),
                    SymlinkEntry("build/context/link", "gone"),
                    Directory("build/context/empty"),
                ]
            )
        ],
    )
    process = Process(
        ["/bin/sh", "-c", f"/usr/bin/find build/context -printf '%P,%M,%n,%y,%l\\n'; : > {output}"],
        input_digest=tree,
        output_files=(output,),
        cache_scope=ProcessCacheScope.PER_SESSION,
        description="List the context",
    )
    umask = os.umask(0o022)
    try:
        lines = rule_runner.request(ProcessResult, [process]).stdout.decode().splitlines()
    finally:
        os.umask(umask)
    found = {}
    for line in lines:
        path, mode, links, kind, target = line.split(",")
        linked = " linked" if kind == "f" and int(links) > 1 else ""
        found[path] = f"link to {target}" if kind == "l" else mode + linked
    return found
