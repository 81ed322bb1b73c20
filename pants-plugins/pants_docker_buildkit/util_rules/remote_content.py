"""What do the URLs and Git repositories give that an `ADD` downloads?

Asked in every session: for a URL the name of its version, which is one small request, and for a
repository the commit of a branch or tag. From a URL and its version to the checksum leads a process
that is cached, so that nothing is downloaded that anybody downloaded before.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass

from pants_docker_buildkit.compat import implicitly, rule, uncacheable_rule
from pants_docker_buildkit.oci.digest import InvalidOciDigestError, parse_oci_digest
from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.remote.web_content import RemoteContentError
from pants_docker_buildkit.session.running import RunningSession
from pants_docker_buildkit.solver.main import CHECKSUM_COMMAND
from pants_docker_buildkit.util_rules.cached_answer import CachedAnswerRequest, ask_once
from pants_docker_buildkit.util_rules.session import running_session, wait_for

_ATTEMPTS = 2


@dataclass(frozen=True)
class WebVersionRequest:
    """Asks for the name that a server has for what a URL gives in this session.

    Another `attempt` is another question, for what may have changed meanwhile.
    """

    url: str
    attempt: int


@dataclass(frozen=True)
class RemoteAnswer:
    """What was asked for, or in words for the user why it cannot be known."""

    value: str
    problem: str = ""


@dataclass(frozen=True)
class WebChecksumRequest:
    """Asks for the sha256 of what a URL gives. `attempt` is as in `WebVersionRequest`."""

    url: str
    attempt: int = 0


@dataclass(frozen=True)
class GitCommitOfRequest:
    """Asks for the commit of a reference in a repository, in this session.

    `ssh` is what the build forwards, if that may matter, as in `forwarded_ssh`.
    """

    url: str
    reference: str
    ssh: tuple[str, ...] = ()


async def _answer(running: RunningSession, asked: Future[str]) -> RemoteAnswer:
    await wait_for(running, [asked])
    try:
        return RemoteAnswer(asked.result())
    except RemoteContentError as e:
        return RemoteAnswer("", str(e))


@uncacheable_rule(desc="Look at URL")
async def find_web_version(request: WebVersionRequest) -> RemoteAnswer:
    running = await running_session()
    return await _answer(running, running.remote.version(request.url, request.attempt))


@uncacheable_rule(desc="Look at Git repository")
async def find_git_commit(request: GitCommitOfRequest) -> RemoteAnswer:
    running = await running_session()
    asked = running.remote.commit(request.url, request.reference, request.ssh)
    return await _answer(running, asked)


@rule(desc="Find checksum of URL")
async def find_web_checksum(request: WebChecksumRequest) -> RemoteAnswer:
    problem = ""
    for attempt in range(_ATTEMPTS):
        # The content may change between the two questions; then both are asked once more.
        asked = WebVersionRequest(request.url, request.attempt + attempt)
        version = await find_web_version(asked, **implicitly())
        if version.problem:
            return RemoteAnswer("", version.problem)
        question = CachedAnswerRequest(
            CHECKSUM_COMMAND,
            (request.url, version.value),
            f"Download {redact(request.url)} for its checksum",
        )
        answer = await ask_once(question, **implicitly())
        problem = answer.problem
        if not problem:
            return _read(answer.content)
    return RemoteAnswer("", problem)


def _read(content: bytes) -> RemoteAnswer:
    try:
        return RemoteAnswer(parse_oci_digest(content.decode().strip()))
    except (InvalidOciDigestError, UnicodeDecodeError):
        return RemoteAnswer("", "what a cache has of it is no checksum")
