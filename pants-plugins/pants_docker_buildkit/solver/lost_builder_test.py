from __future__ import annotations

import pytest

from pants_docker_buildkit.buildx.builder import Builder
from pants_docker_buildkit.buildx.deployments import Deployment
from pants_docker_buildkit.solver.errors import (
    BuilderGoneError,
    BuilderLostError,
    BuilderNotBootedError,
    BuilderNotReadyError,
    BuildFailedError,
    EngineUnreachableError,
    GitNameError,
    LayerLostError,
    SolverError,
    TagMovedError,
    UnknownBuilderError,
)
from pants_docker_buildkit.solver.lost_builder import (
    Loss,
    advise_on_loss,
    build_again_if_lost,
    cannot_be_said,
    find_boot_failure,
    find_git_name_failure,
    find_loss,
    find_lost_layer,
    find_moved_tag,
)

EOF = "rpc error: code = Unavailable desc = error reading from server: EOF"
GOAWAY = (
    "rpc error: code = Unavailable desc = closing transport due to: connection error: desc ="
    ' "error reading from server: EOF", received prior goaway: code: NO_ERROR, debug data:'
    ' "graceful_stop"'
)
REFUSED = (
    'Unavailable: connection error: desc = "transport: Error while dialing: dial unix /x.sock:'
    ' connect: no such file or directory"'
)
SNAPSHOT = "mhe2ovccscsnqn4pswvvb43xm"
CONTAINERD = (
    'connection error: desc = "transport: Error while dialing: dial unix /run/containerd.sock:'
    ' connect: connection refused"'
)
LAYER = f"sha256:{'1' * 64}"
RESET = "Unavailable: read tcp 10.0.0.1:4->10.0.0.2:1234: read: connection reset by peer"


# What buildx 0.29.1 printed when the socket of its builder was cut, and words of grpc-go.
@pytest.mark.parametrize(
    "error",
    [
        f"failed to build: failed to receive status: {EOF}",
        f"failed to build: failed to solve: failed to create lease: {CONTAINERD}",
        "failed to build: failed to solve: Unavailable: error reading from server: EOF",
        "failed to build: failed to receive status: rpc error: code = Unavailable desc = error"
        " reading from server: connection reset by peer",
        f"failed to solve: {EOF}",
        f"failed to build: failed to solve: {GOAWAY}",
        f"failed to build: listing workers for Build: failed to list workers: {REFUSED}",
        f"failed to build: failed to receive status: {RESET}",
        "failed to solve: rpc error: code = Unavailable desc = transport is closing",
        "failed to solve: rpc error: code = Unavailable desc = keepalive ping failed to receive"
        " ACK within timeout",
        "failed to solve: rpc error: code = Internal desc = server closed the stream without"
        " sending trailers",
    ],
)
def test_a_connection_that_broke_off_is_a_loss(error: str) -> None:
    output = f"#5 [2/2] RUN make\n#5 0.1 ok\nERROR: {error}\n"
    assert find_loss(output) == error
    assert find_loss(f"\x1b[31m{output}\x1b[0m") == error


@pytest.mark.parametrize(
    "error",
    [
        # What the engine of Docker 28.5.2 said where a build of the same steps had just ended.
        f"failed to build: failed to solve: failed to commit {SNAPSHOT} to {SNAPSHOT[::-1]} during"
        f" finalize: failed to stat active key during commit: snapshot {SNAPSHOT} does not exist:"
        " not found",
        # https://github.com/moby/buildkit/issues/6977
        f"failed to apply diffs: failed to stat lower snapshot {SNAPSHOT}: snapshot {SNAPSHOT} does"
        " not exist: not found",
    ],
)
def test_a_snapshot_that_buildkit_dropped_is_a_loss(error: str) -> None:
    assert find_loss(f"#5 [2/2] RUN make\n#5 0.1 ok\nERROR: {error}\n") == error


@pytest.mark.parametrize(
    "error",
    [
        # What the engine of Docker 28.5.2 said of one of 150 builds that began at once.
        "target a: NotFound: forwarding Ping: no such job n07avp5cxpo4e4v7s3ksmiyz0",
        "failed to build: NotFound: forwarding Ping: no such job n07avp5cxpo4e4v7s3ksmiyz0",
        # https://github.com/moby/buildkit/issues/2088
        "failed to receive status: rpc error: code = Unknown desc = no such job"
        " rlh3vgwebkq3ik94bsfrbbml7",
        # Of one of 20 builds that began at once over SSH.
        "failed to build: failed to solve: DeadlineExceeded: failed to read dockerfile: no active"
        " session for su1nl1imeu0doflxeyna49kfu: context deadline exceeded",
    ],
)
def test_a_build_that_buildkit_has_not_begun_in_time_is_a_loss(error: str) -> None:
    assert find_loss(f"#1 [internal] load\nERROR: {error}\n") == error
    assert find_loss(f"ERROR: failed to solve: exit code: 1\n#5 0.1 {error}\n") is None


def test_a_stream_that_ended_may_hide_an_error_of_a_dockerfile_that_is_no_text() -> None:
    ended = "Internal: stream terminated by RST_STREAM with error code: INTERNAL_ERROR"
    assert cannot_be_said(f"failed to solve: {ended}", "FROM scratch".encode("utf-16"))
    assert not cannot_be_said(f"failed to solve: {ended}", b"FROM scratch")
    assert not cannot_be_said("error reading from server: EOF", "FROM scratch".encode("utf-16"))


@pytest.mark.parametrize(
    "words",
    [
        "failed to solve: failed to compute cache key: failed to copy: httpReadSeeker: failed open",
        "failed to build: failed to solve: failed to push 127.0.0.1:5000/o/app: failed to copy:"
        " httpReadSeeker: failed open",
    ],
)
def test_a_layer_that_is_nowhere_is_found(words: str) -> None:
    type_and_end = "(application/vnd.oci.image.layer.v1.tar+gzip) from remote: not found"
    error = f"ERROR: {words}: could not fetch content descriptor {LAYER} {type_and_end}"
    assert find_lost_layer(f"#5 [2/2] RUN make\n{error}\n") == LAYER
    said = f'ERROR: failed to solve: process "/bin/sh -c echo {error[7:]}" did not complete'
    assert find_lost_layer(f"#5 {error}\n{said} successfully: exit code: 1\n") is None


def test_a_tag_that_moved_is_found() -> None:
    error = "failed to build: failed to solve: failed to fetch remote https://h/a.git: git stderr:"
    refusal = " ! [rejected]        v1         -> v1  (would clobber existing tag)"
    output = f"#4 0.1 {refusal}\nERROR: {error}\nFrom https://h/a\n{refusal}\n: exit status 1\n"
    assert find_moved_tag(output) == "https://h/a.git"
    assert find_loss(output) is None
    assert find_moved_tag(f"ERROR: {error}\nfatal: no such ref\n: exit status 1\n") is None
    assert find_moved_tag(f"{refusal}\nERROR: failed to solve: exit code: 1\n") is None


SOLVE = "failed to build: failed to solve:"


@pytest.mark.parametrize(
    "error",
    [
        f"{SOLVE} expected checksum to match aaa, got bbb",
        f"{SOLVE} failed to load cache key: expected checksum to match aaa, got bbb",
        f'{SOLVE} failed to load cache key: repository does not contain ref a, output: ""',
        f"{SOLVE} failed to load cache key: could not find default branch for repository: http://h",
    ],
)
def test_a_name_in_git_that_is_another_commit_is_found(error: str) -> None:
    assert find_git_name_failure(f"#4 0.1 x\nERROR: {error}\n") == error
    assert find_git_name_failure(f"ERROR: {SOLVE} exit code: 1\n#4 0.1 {error}\n") is None


@pytest.mark.parametrize(
    ("reason", "is_found"),
    [
        ("fatal: couldn't find remote ref main", True),
        ("error: cannot lock ref 'refs/tags/a/b': 'refs/tags/a' exists", True),
        ("fatal: unable to access 'http://h/a.git/': Could not resolve host: h", False),
    ],
)
def test_a_name_in_git_that_is_gone_is_found(reason: str, *, is_found: bool) -> None:
    error = "failed to build: failed to solve: failed to fetch remote http://h/a.git: git stderr:"
    output = f"#4 0.1 {reason}\nERROR: {error}\n{reason}\n: exit status 1\n"
    assert find_git_name_failure(output) == (reason if is_found else None)
    assert find_git_name_failure(f"{reason}\nERROR: failed to solve: exit code: 1\n") is None


def test_a_builder_that_does_not_take_connections_any_more_is_a_loss() -> None:
    output = """\
#1 [internal] waiting for connection
#1 ERROR: context deadline exceeded
------
 > [internal] waiting for connection:
------
ERROR: failed to build: context deadline exceeded
"""
    assert find_loss(output) == "it did not accept a connection"


@pytest.mark.parametrize(
    "output",
    [
        "",
        "#5 DONE 0.1s\n",
        'ERROR: failed to solve: process "/bin/sh -c false" did not complete successfully: exit'
        " code: 1\n",
        f'ERROR: failed to solve: process "/bin/sh -c echo {EOF} && false" did not complete'
        " successfully: exit code: 1\n",
        f"#5 0.1 ERROR: failed to solve: {EOF}\n------\n > [2/2] RUN make:\n"
        f"0.1 ERROR: {EOF}\n------\nERROR: failed to solve: exit code: 1\n",
        f"ERROR: failed to solve: {EOF}\n#5 more\nERROR: failed to solve: exit code: 1\n",
        "ERROR: failed to solve: failed to push localhost:5000/app: failed to do request: Head"
        ' "http://localhost:5000/v2/app/blobs/sha256:1": EOF\n',
        "ERROR: failed to solve: failed to push localhost:5000/app: unexpected status from PUT"
        " request: 503 Service Unavailable\n",
        "ERROR: failed to solve: Unavailable: the registry is in maintenance\n",
        f'ERROR: failed to solve: target stage "{EOF}" could not be found\n',
        "ERROR: failed to solve: Internal: failed to compute cache key\n",
        "ERROR: failed to solve: Canceled: context canceled\n",
        "ERROR: failed to solve: context deadline exceeded\n",
        "ERROR: failed to solve: ResourceExhausted: no space left on device\n",
        f'ERROR: failed to solve: process "/bin/sh -c echo a: snapshot {SNAPSHOT} does not exist:'
        ' not found" did not complete successfully: exit code: 1\n',
        f'ERROR: failed to solve: "/a: snapshot {SNAPSHOT} does not exist: not found": not found\n',
    ],
)
def test_anything_else_is_none(output: str) -> None:
    assert find_loss(output) is None


REMOVED = "Error response from daemon: container is marked for removal and cannot be started"


def test_a_builder_that_does_not_boot_is_none_and_is_told_from_a_step_that_says_so() -> None:
    output = f"""\
#1 [internal] booting buildkit
#1 ERROR: {REMOVED}
------
 > [internal] booting buildkit:
------
ERROR: failed to build: {REMOVED}
"""
    assert find_loss(output) is None
    assert find_boot_failure(output) == f"failed to build: {REMOVED}"
    said = "#5 0.1  > [internal] booting buildkit:\nERROR: failed to solve: exit code: 1\n"
    assert find_boot_failure(said) is None


LOST = BuilderLostError("far", EOF, "Look there.")


class Builds:
    """Builds that end as told, and remember what came before each."""

    def __init__(self, *ends: SolverError | str) -> None:
        self.ends = list(ends)
        self.prepared: list[str] = []

    def build(self) -> str:
        end = self.ends.pop(0)
        if isinstance(end, str):
            return end
        raise end

    def prepare(self, lost: Loss) -> None:
        if isinstance(lost, GitNameError):
            self.prepared.append("by commit")
        elif isinstance(lost, TagMovedError):
            self.prepared.append(lost.repository)
        else:
            self.prepared.append(lost.layer if isinstance(lost, LayerLostError) else lost.finding)

    def run(self, return_seconds: float = 0.0) -> str:
        return build_again_if_lost(self.build, self.prepare, return_seconds)


def test_a_build_whose_builder_stays_is_run_once() -> None:
    builds = Builds("image")
    assert builds.run() == "image"
    assert builds.prepared == []


def test_a_build_whose_builder_is_lost_is_run_again() -> None:
    builds = Builds(LOST, "image")
    assert builds.run() == "image"
    assert builds.prepared == [EOF]


def test_a_build_that_lacks_a_layer_is_run_again_once() -> None:
    lacks = LayerLostError("ERROR: not found", LAYER)
    builds = Builds(lacks, "image")
    assert builds.run() == "image"
    assert builds.prepared == [LAYER]
    with pytest.raises(LayerLostError, match="check-layers"):
        Builds(lacks, lacks, "image").run()


def test_a_build_that_is_refused_a_tag_that_moved_is_run_again_once() -> None:
    moved = TagMovedError("ERROR: failed to fetch", "https://h/a.git")
    builds = Builds(moved, "image")
    assert builds.run() == "image"
    assert builds.prepared == ["https://h/a.git"]
    with pytest.raises(TagMovedError, match="Run this again"):
        Builds(moved, moved, "image").run()


def test_a_build_is_run_again_after_each_kind_of_loss() -> None:
    gone = GitNameError("ERROR: failed to fetch", "fatal: couldn't find remote ref main")
    moved = TagMovedError("ERROR: failed to fetch", "https://h/a.git")
    builds = Builds(gone, moved, "image")
    assert builds.run() == "image"
    assert builds.prepared == ["by commit", "https://h/a.git"]
    with pytest.raises(GitNameError, match="failed to fetch"):
        Builds(gone, gone, "image").run()


def test_a_build_that_fails_is_not_run_again() -> None:
    builds = Builds(BuildFailedError("exit code: 1"), "image")
    with pytest.raises(BuildFailedError):
        builds.run()
    assert builds.ends == ["image"]


def test_a_builder_that_is_lost_twice_is_named_with_where_to_look() -> None:
    builds = Builds(LOST, LOST, "image")
    with pytest.raises(BuilderLostError) as raised:
        builds.run()
    assert builds.ends == ["image"]
    assert str(raised.value) == (
        "The builder 'far' was lost while it built, and again when the build was repeated: rpc"
        " error: code = Unavailable desc = error reading from server: EOF. Look there. A builder"
        " that is short of memory is killed: give it more, or let Pants run less at the same time."
    )


@pytest.mark.parametrize(
    "end",
    [
        EngineUnreachableError("unix:///x", "refused"),
        UnknownBuilderError("far", REMOVED),
        BuilderNotBootedError("far", "boot", REMOVED),
    ],
)
def test_what_restarts_is_waited_for(end: SolverError) -> None:
    builds = Builds(LOST, end, "image")
    assert builds.run(return_seconds=20.0) == "image"


@pytest.mark.parametrize(
    ("end", "seconds"),
    [
        (EngineUnreachableError("unix:///x", "refused"), 0.0),
        (BuilderNotBootedError("far", "boot", "refused"), 0.0),
        (BuilderNotReadyError("far", "answer within 20 s", "it did not"), 60.0),
    ],
)
def test_a_builder_that_does_not_come_back_is_named_with_both_reasons(
    end: SolverError, seconds: float
) -> None:
    with pytest.raises(BuilderGoneError) as raised:
        Builds(LOST, end).run(seconds)
    assert str(raised.value) == (
        "The builder 'far' was lost while it built: rpc error: code = Unavailable desc = error"
        " reading from server: EOF. The build could not be repeated, because it did not come back."
        f" Look there.\n\n{end}"
    )


@pytest.mark.parametrize(
    ("driver", "config", "advice"),
    [
        ("docker", None, "Look at the Docker Engine's log, as with 'journalctl --unit docker'."),
        (
            "docker-container",
            None,
            "Look at 'docker logs buildx_buildkit_far0' and 'docker buildx inspect --bootstrap"
            " far'.",
        ),
        (
            "kubernetes",
            "/my cache/buildx",
            "Look at 'kubectl describe all --namespace=build --selector=app=far-pods0' and"
            " 'BUILDX_CONFIG='/my cache/buildx' docker buildx inspect --bootstrap far'.",
        ),
        (
            "remote",
            None,
            "Look at the log of the BuildKit at tcp://far:1 and 'docker buildx inspect --bootstrap"
            " far'.",
        ),
    ],
)
def test_where_to_look_depends_on_the_driver(driver: str, config: str | None, advice: str) -> None:
    builder = Builder(
        *("far", driver, "tcp://far:1", True),
        has_containerd_store=True,
        deployments=(Deployment("far_pods0", "build"),),
    )
    assert advise_on_loss(builder, config) == advice


def test_any_node_may_be_the_one_that_was_lost() -> None:
    builder = Builder(
        *("far", "remote", "tcp://near:1", True),
        has_containerd_store=False,
        other_endpoints=("tcp://me:secret@far:1",),
    )
    advice = advise_on_loss(builder, None)
    assert advice.startswith("Look at the log of the BuildKit at tcp://near:1 and tcp://")
    assert advice.endswith("far:1 and 'docker buildx inspect --bootstrap far'.")
    assert "secret" not in advice
