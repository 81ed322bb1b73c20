"""Which files does a build context have that is a Git repository?

A process checks them out, whose key is repository, commit and directory: so it is done once for all
who share a cache, and a builder is sent what has changed, as of any other context.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from pants.engine.fs import Digest, RemovePrefix

from pants_docker_buildkit.compat import implicitly, remove_prefix, rule
from pants_docker_buildkit.dockerfile.git_source import GitSource, is_commit, parse_git_source
from pants_docker_buildkit.errors import InvalidOptionError
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.remote.git_commit import repository_url
from pants_docker_buildkit.remote.ssh_login import is_ssh
from pants_docker_buildkit.remote.web_content import has_credentials
from pants_docker_buildkit.solver.input_tree import OUTPUT_TREE
from pants_docker_buildkit.solver.main import GIT_TREE_COMMAND
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.build_settings import forwarded_ssh
from pants_docker_buildkit.util_rules.image_lock import AppliedLock, find_applied_lock
from pants_docker_buildkit.util_rules.remote_content import GitCommitOfRequest, find_git_commit
from pants_docker_buildkit.util_rules.session import open_session, running_session
from pants_docker_buildkit.util_rules.session_process import (
    cached_process,
    run_in_session,
    why_failed,
)

_KNOWN_OPTIONS = frozenset({"ref", "tag", "branch", "subdir", "checksum", "commit"})
_KEEP_GIT_DIRECTORY = "BUILDKIT_CONTEXT_KEEP_GIT_DIR"


@dataclass(frozen=True)
class ContextCommitRequest:
    """Asks for the commit of that repository, unless `lock` has it."""

    field_set: BuildKitImageFieldSet
    lock: AppliedLock


@dataclass(frozen=True)
class ContextCommit:
    """A commit of the repository at `url`, whose `directory` is the context.

    `moves` says that the target names something else, which may be another commit tomorrow.
    """

    url: str
    commit: str
    directory: str
    moves: bool

    @property
    def pinned_url(self) -> str:
        """What a target would write for this commit."""
        return f"{self.url}#{self.commit}{':' if self.directory else ''}{self.directory}"


@dataclass(frozen=True)
class GitContext:
    """The files of a repository at a commit, with paths from the directory that is the context."""

    commit: str
    tree: Digest


def _read(field_set: BuildKitImageFieldSet, url: str) -> GitSource:
    """The repository, if its files alone can be the context."""
    source, shown = parse_git_source(url), repr(redact(url))
    if source is None:
        example = "'https://example.org/project.git#main:directory'"
        raise field_set.error(
            field_set.context, f"name a Git repository, such as {example}", f"it is {shown}"
        )
    if has_credentials(url):
        raise field_set.error(
            field_set.context,
            "have no password or token, which the caches would show to others",
            f"it is {shown}",
            "Let a credential helper of Git, or an SSH agent, know it.",
        )
    options = parse_qsl(url.partition("#")[0].partition("?")[2], keep_blank_values=True)
    unknown = sorted({name for name, _ in options} - _KNOWN_OPTIONS)
    if unknown:
        listed = ", ".join(sorted(_KNOWN_OPTIONS))
        finding = f"it has {unknown[0]!r}"
        raise field_set.error(field_set.context, f"have no other parameters than {listed}", finding)
    if source.checksum and not is_commit(source.checksum):
        raise field_set.error(
            field_set.context, "name a whole commit as checksum", f"it has {source.checksum!r}"
        )
    if any(part == ".." for part in source.subdirectory.split("/")):
        finding = f"it has {source.subdirectory!r}"
        raise field_set.error(field_set.context, "name a directory of the repository", finding)
    return source


def _check_others(field_set: BuildKitImageFieldSet, subsystem: DockerBuildKitSubsystem) -> None:
    """Refuse what is about files of this repository, and what asks for Git's own."""
    for field in (field_set.dependencies, field_set.context_root):
        if field.value:
            raise field_set.error(
                field,
                f"be left out where `{field_set.context.alias}` names a repository",
                "it is set",
                "Name a directory of the repository after the reference, as in '#main:directory',"
                " and files of this one in `build_contexts`.",
            )
    if _keeps_git_directory(subsystem.build_args):
        raise InvalidOptionError(
            "build_args",
            f"not have {_KEEP_GIT_DIRECTORY} where `{field_set.context.alias}` names a repository",
            f"{field_set.address} has such a context, and what Git keeps of it differs with each"
            " clone",
        )
    if _keeps_git_directory(field_set.build_args.value or ()):
        raise field_set.error(
            field_set.build_args,
            f"not have {_KEEP_GIT_DIRECTORY}",
            "it has",
            "What Git keeps of a repository differs with each clone. Give the commit as an"
            " argument, or name the repository in an `ADD --keep-git-dir`.",
        )


def _keeps_git_directory(build_args: Iterable[str]) -> bool:
    return any(each.partition("=")[0] == _KEEP_GIT_DIRECTORY for each in build_args)


@rule(desc="Find commit of build context")
async def find_context_commit(request: ContextCommitRequest) -> ContextCommit:
    field_set = request.field_set
    written = field_set.context.value or ""
    source = _read(field_set, written)
    url, directory = repository_url(written), source.subdirectory.strip("/")
    pinned = source.checksum or (source.reference if source.is_pinned else "")
    if pinned:
        return ContextCommit(url, pinned, directory, moves=False)
    # What a lock lacks is reported where sources are pinned.
    commit = request.lock.download(written)
    if commit is None:
        ssh = forwarded_ssh(field_set) if is_ssh(written) else ()
        question = GitCommitOfRequest(written, source.reference, ssh)
        answer = await find_git_commit(question, **implicitly())
        if answer.problem:
            finding = f"of {redact(written)!r}: {answer.problem.rstrip('.')}"
            raise field_set.error(
                field_set.context, "name a reference that the repository has", finding
            )
        commit = answer.value
    return ContextCommit(url, commit, directory, moves=True)


@rule(desc="Check out Git repository")
async def read_git_context(
    field_set: BuildKitImageFieldSet, subsystem: DockerBuildKitSubsystem
) -> GitContext:
    url = field_set.context.value or ""
    _check_others(field_set, subsystem)
    lock = await find_applied_lock(field_set, subsystem)
    found = await find_context_commit(ContextCommitRequest(field_set, lock), **implicitly())
    await open_session(**implicitly())
    if is_ssh(found.url):
        running = await running_session()
        running.answers.add_repository(found.url, forwarded_ssh(field_set))
    process = cached_process(
        GIT_TREE_COMMAND,
        found.url,
        found.commit,
        found.directory,
        description=f"Check out {redact(url)}",
        output_directories=(OUTPUT_TREE,),
    )
    result = await run_in_session(process)
    if result.exit_code != 0:
        why = why_failed(result).rstrip(".")
        finding = f"of {redact(url)!r}: {why}"
        raise field_set.error(
            field_set.context, "name a repository that can be checked out", finding
        )
    tree = await remove_prefix(RemovePrefix(result.output_digest, OUTPUT_TREE))
    return GitContext(found.commit, tree)
