"""Was the builder lost while it built, or a layer, or did it fail? After a loss it builds again.

Only the error that buildx ends with is looked at, and of that only what gRPC says of a connection,
or BuildKit of its own builds, snapshots and copies: steps print what they like. To build again is
safe, because it gives the same image under the same names; a build that failed would fail again.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable
from typing import TypeVar, Union

from pants_docker_buildkit.buildx.builder import Builder
from pants_docker_buildkit.buildx.deployments import describe_pods
from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.solver.errors import (
    BuilderGoneError,
    BuilderLostError,
    BuilderNotBootedError,
    BuilderNotReadyError,
    EngineUnreachableError,
    GitNameError,
    LayerLostError,
    TagMovedError,
    UnknownBuilderError,
)
from pants_docker_buildkit.solver.failure import final_error, without_controls
from pants_docker_buildkit.solver.turned_away import let_in

T = TypeVar("T")

Loss = Union[BuilderLostError, GitNameError, LayerLostError, TagMovedError]
"""After which it is worth building again."""

_RETURN_SECONDS = 30.0
_ASK_AGAIN_SECONDS = 1.0

# Words of buildx and BuildKit, each ending in a colon, then gRPC's status of a connection. One to
# the engine's containerd comes without it.
_STATUS = re.compile(
    r"(?:[a-zA-Z ]+: )*?"
    r"(?:rpc error: code = (?:Unavailable|Internal) desc = |(?:Unavailable|Internal): "
    r"|(?=connection error: desc = ))(?P<why>.*)"
)
_CONNECTION = re.compile(
    r"connection error: desc = |error reading from server|error reading server preface"
    r"|transport is closing|closing transport|the connection is draining|keepalive ping failed"
    r"|server closed the stream without sending trailers|stream terminated by RST_STREAM"
    r"|(?:read|write) (?:tcp|unix) .*(?:broken pipe|connection reset by peer|use of closed)"
)
_ENDED_STREAM = "stream terminated by RST_STREAM with error code: INTERNAL_ERROR"
# BuildKit may drop a snapshot that another build of the same steps, which just ended, had as well:
# https://github.com/moby/buildkit/pull/6808
_LOST_SNAPSHOT = re.compile(r"(?:[a-zA-Z0-9 ]+: )+snapshot [a-z0-9]{20,} does not exist: not found")
# BuildKit waits some seconds for a build to begin, and takes longer if it has much to do:
# https://github.com/moby/buildkit/issues/5171
_LOST_JOB = re.compile(
    r"(?:[a-zA-Z ]+: )*(?:rpc error: code = [a-zA-Z]+ desc = (?:[a-zA-Z ]+: )?)?"
    r"no such job [a-z0-9]{20,}"
)
# It waits as long for the connection by which buildx serves files, secrets and credentials.
_LOST_SESSION = re.compile(r'[^"]*no active session for [a-z0-9]{20,}: context deadline exceeded')
# Of what is built on, or of the image that an inline cache comes from: BuildKit fetches a layer
# when a step or a push needs it.
_LOST_LAYER = re.compile(
    r'[^"]*: could not fetch content descriptor'
    r" (?P<layer>sha256:[0-9a-f]{64}) \(\S+\) from remote: not found"
)
# Until 0.26, BuildKit fetches a commit with all tags, and Git refuses those that moved. What was
# fetched is there all the same (https://github.com/moby/buildkit/blob/v0.25.1/source/git/source.go).
_FETCH = re.compile(r"(?:[a-zA-Z ]+: )*failed to fetch remote (?P<repository>\S+): git stderr:")
_TAG_MOVED = re.compile(r" ! \[rejected\] +\S+ +-> \S+ +\(would clobber existing tag\)")
# A branch or tag that is another commit than the source policy says, or is gone. To BuildKit before
# 0.26, a tag with a message is always another.
_OTHER_COMMIT = re.compile(
    r"(?:[a-zA-Z ]+: )*(?:expected checksum to match|repository does not contain ref"
    r"|could not find default branch for repository).*"
)
# Such as of `a/b` where there was a branch `a` before.
_NO_NAME = re.compile(r"fatal: (?i:couldn't find remote ref) .*|error: cannot lock ref .*")
_NOT_BACK = re.compile(r"(?:[a-zA-Z ]+: )*?context deadline exceeded")
_WAITING = " > [internal] waiting for connection:"
_BOOTING = " > [internal] booting buildkit:"


def find_loss(output: str) -> str | None:
    """How the builder, or what it keeps of the build, was lost, if that is why a build ended."""
    lines = [without_controls(line) for line in output.splitlines()]
    error = final_error(lines)
    status = _STATUS.fullmatch(error)
    is_cut_off = status and _CONNECTION.match(status["why"])
    is_forgotten = _LOST_JOB.fullmatch(error) or _LOST_SESSION.fullmatch(error)
    if is_cut_off or has_lost_snapshot(error) or is_forgotten:
        return error
    if _NOT_BACK.fullmatch(error) and _WAITING in lines:
        return "it did not accept a connection"
    return None


def find_boot_failure(output: str) -> str | None:
    """Why the builder did not boot, if that is why a build ended.

    buildx boots one that it runs itself, and that is not running, before it builds.
    """
    lines = [without_controls(line) for line in output.splitlines()]
    return final_error(lines) if _BOOTING in lines else None


def cannot_be_said(loss: str, dockerfile: bytes) -> bool:
    """Whether it is for an error, not a loss, that the connection broke off.

    BuildKit quotes the Dockerfile in an error, and gRPC ends the stream of one that is no UTF-8.
    """
    try:
        dockerfile.decode()
    except UnicodeDecodeError:
        return loss.endswith(_ENDED_STREAM)
    return False


def find_lost_layer(output: str) -> str | None:
    """The digest of the layer that is nowhere any more, if that is why a build ended."""
    lines = [without_controls(line) for line in output.splitlines()]
    lost = _LOST_LAYER.fullmatch(final_error(lines))
    return lost["layer"] if lost else None


def find_moved_tag(output: str) -> str | None:
    """The Git repository of which a tag moved, if that is why a build ended."""
    lines = [without_controls(line) for line in output.splitlines()]
    fetch = _FETCH.fullmatch(final_error(lines))
    return fetch["repository"] if fetch and any(map(_TAG_MOVED.fullmatch, lines)) else None


def find_git_name_failure(output: str) -> str | None:
    """What is wrong with the name of a commit of Git, if that is why a build ended."""
    lines = [without_controls(line) for line in output.splitlines()]
    error = final_error(lines)
    if _OTHER_COMMIT.fullmatch(error):
        return error
    return next(filter(_NO_NAME.fullmatch, lines), None) if _FETCH.fullmatch(error) else None


def has_lost_snapshot(finding: str) -> bool:
    """Whether it is a snapshot of its own that the builder lost. Its cache still leads there."""
    return _LOST_SNAPSHOT.fullmatch(finding) is not None


def advise_on_loss(builder: Builder, buildx_config: str | None) -> str:
    """Where to look for why it was lost. `buildx_config` is set for the plugin's own builders."""
    config = "" if buildx_config is None else f"BUILDX_CONFIG={shlex.quote(buildx_config)} "
    inspect = f"'{config}docker buildx inspect --bootstrap {builder.name}'"
    if builder.driver == "docker":
        return "Look at the Docker Engine's log, as with 'journalctl --unit docker'."
    if builder.driver == "docker-container":
        return f"Look at 'docker logs buildx_buildkit_{builder.name}0' and {inspect}."
    if builder.driver == "kubernetes":
        return f"Look at {' and '.join((*describe_pods(builder.deployments), inspect))}."
    places = " and ".join(map(redact, (builder.endpoint, *builder.other_endpoints)))
    return f"Look at the log of the BuildKit at {places} and {inspect}."


def build_again_if_lost(
    build: Callable[[], T],
    prepare: Callable[[Loss], None],
    return_seconds: float = _RETURN_SECONDS,
) -> T:
    """What `build` gives, which is called once more after each kind of loss.

    Where it is turned away, nothing has begun, and it is called until it is let in.
    `prepare` is called in between. A builder that is not back at once is waited for: a container
    that is being removed, for one, cannot be booted.
    """
    met: set[type[Exception]] = set()
    lost: BuilderLostError | None = None
    while lost is None:
        try:
            return let_in(build)
        except (GitNameError, LayerLostError, TagMovedError) as e:
            if type(e) in met:
                raise
            met.add(type(e))
            prepare(e)
        except BuilderLostError as e:
            lost = e
    prepare(lost)
    deadline = time.monotonic() + return_seconds
    while True:
        try:
            return let_in(build)
        except (BuilderNotBootedError, EngineUnreachableError, UnknownBuilderError) as e:
            if time.monotonic() >= deadline:
                raise BuilderGoneError(lost, str(e)) from e
        except BuilderNotReadyError as e:
            # It was waited for as long as the options say.
            raise BuilderGoneError(lost, str(e)) from e
        time.sleep(_ASK_AGAIN_SECONDS)
