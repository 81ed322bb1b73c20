"""Is what runs the right image, by its digest, and is a layout loaded only once?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from pants_docker_buildkit.registry.testing.images import (
    SmallImage,
    several_platforms,
    write_layout,
)
from pants_docker_buildkit.session.testing.fake_session import FakeSession
from pants_docker_buildkit.solver.container import ContainerJob, parse_container_job
from pants_docker_buildkit.solver.errors import EXIT_FAILED
from pants_docker_buildkit.solver.main import RUN_COMMAND
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker

SHA = "sha256:" + "a" * 64
REFERENCE = f"localhost:5000/app@{SHA}"
PACKAGES = str(Path(__file__).parents[2])
PROGRAM = (
    "import sys; from pants_docker_buildkit.solver.main import main; sys.exit(main(*sys.argv[1:]))"
)


@pytest.fixture
def docker(tmp_path: Path) -> FakeDocker:
    return FakeDocker(tmp_path / "bin")


def run(
    tmp_path: Path, job: ContainerJob, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the program as `run` starts it, in a process of its own, because it replaces itself."""
    session = FakeSession(tmp_path / "session", PATH=str(tmp_path / "bin")).directory
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(session), RUN_COMMAND, job.to_json(), *arguments],
        env={**os.environ, "PYTHONPATH": PACKAGES, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    image = SmallImage.create()
    write_layout(tmp_path / "layout", several_platforms(image), image)
    return tmp_path / "layout"


def test_a_job_is_read_as_it_was_written() -> None:
    job = ContainerJob(REFERENCE, ("--publish=80:80",), "layout", ("TOKEN",), ("linux/arm64",))
    assert parse_container_job(job.to_json()) == job


def test_the_container_is_the_process(tmp_path: Path, docker: FakeDocker) -> None:
    docker.answer("image inspect").answer("run", "out", stderr="err", exit_code=7)
    done = run(tmp_path, ContainerJob(REFERENCE, ("--network=host",)), "echo", "a b")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out", "err")
    assert docker.calls[-1] == f"run --rm --interactive --network=host {REFERENCE} echo a b"


def test_variables_of_the_user_can_be_passed_on(tmp_path: Path, docker: FakeDocker) -> None:
    docker.answer("image inspect").answer("run", run="printf %s $GREETING")
    assert run(tmp_path, ContainerJob(REFERENCE), GREETING="hello").stdout == "hello"


@pytest.mark.parametrize(
    ("chosen", "seen"), [("linux/arm64", "linux/arm64"), ("linux/s390x", "unset")]
)
def test_the_users_default_platform_counts_where_the_image_has_it(
    tmp_path: Path, docker: FakeDocker, chosen: str, seen: str
) -> None:
    docker.answer("image inspect").answer("run", run="printf %s ${DOCKER_DEFAULT_PLATFORM-unset}")
    job = ContainerJob(REFERENCE, platforms=("linux/amd64", "linux/arm64"))
    assert run(tmp_path, job, DOCKER_DEFAULT_PLATFORM=chosen).stdout == seen


def test_hidden_variables_come_from_the_session(tmp_path: Path, docker: FakeDocker) -> None:
    docker.answer("image inspect").answer("run", run="printf %s $PATH,${OTHER-unset}")
    job = ContainerJob(REFERENCE, hidden=("OTHER", "PATH"))
    done = run(tmp_path, job, OTHER="", PATH="")
    assert done.stdout == f"{tmp_path}/bin,unset"


def test_an_image_that_the_engine_lacks_is_pulled_with_the_credentials_of_the_session(
    tmp_path: Path, docker: FakeDocker
) -> None:
    docker.answer("image inspect", exit_code=1).answer("run", "out")
    docker.answer("pull", "progress", run="/bin/cat $DOCKER_CONFIG/config.json >&2")
    done = run(tmp_path, ContainerJob(REFERENCE, ("--platform=linux/arm64",)))
    assert (done.returncode, done.stdout, done.stderr) == (0, "out", "progress")
    assert docker.calls[1] == f"pull --platform=linux/arm64 {REFERENCE}"


def test_an_image_that_is_not_pulled_is_named_with_what_the_engine_said(
    tmp_path: Path, docker: FakeDocker
) -> None:
    docker.answer("image inspect", exit_code=1)
    docker.answer("pull", stderr="Error response from daemon: denied\n", exit_code=1)
    done = run(tmp_path, ContainerJob(REFERENCE))
    assert done.returncode == EXIT_FAILED
    assert done.stderr == (
        f"Running the image needs {REFERENCE} in the Docker Engine, which did not pull it: Error"
        " response from daemon: denied. Check that the engine reaches the registry, and that the"
        " credentials for it may pull.\n"
    )


def test_a_pull_that_collides_with_a_clean_up_of_the_engine_is_repeated(
    tmp_path: Path, docker: FakeDocker
) -> None:
    mark = tmp_path / "asked"
    said = f"failed to check image {SHA}: rpc error: code = NotFound desc = content digest {SHA}"
    fail = f"[ -e {mark} ] || {{ : >{mark}; echo '{said}: not found' >&2; exit 1; }}"
    docker.answer("image inspect", exit_code=1).answer("pull", run=fail).answer("run", "out")
    done = run(tmp_path, ContainerJob(REFERENCE))
    assert (done.returncode, done.stdout, done.stderr) == (0, "out", "")
    assert docker.calls[1:3] == [f"pull {REFERENCE}"] * 2


def test_a_layout_that_the_engine_lacks_is_loaded_without_a_name(
    tmp_path: Path, docker: FakeDocker, layout: Path
) -> None:
    docker.answer("image inspect", exit_code=1)
    docker.answer("load", f"Loaded image ID: {SHA}\n", run=f"/bin/cat >{tmp_path}/loaded.tar")
    docker.answer("run")
    assert run(tmp_path, ContainerJob(SHA, layout=str(layout))).returncode == 0
    assert docker.calls[-1] == f"run --rm --interactive {SHA}"
    with tarfile.open(tmp_path / "loaded.tar") as archive:
        names = archive.getnames()
        index = archive.extractfile("index.json")
        assert index is not None
        (manifest,) = json.load(index)["manifests"]
    assert sorted(manifest) == ["digest", "mediaType", "size"]
    assert f"blobs/{manifest['digest'].replace(':', '/')}" in names


def test_a_layout_with_other_content_does_not_get_into_the_engine(
    tmp_path: Path, docker: FakeDocker, layout: Path
) -> None:
    for blob in (layout / "blobs/sha256").iterdir():
        blob.write_bytes(b"other")
    docker.answer("image inspect", exit_code=1)
    docker.answer("load", f"Loaded image ID: {SHA}\n", run="exec /bin/cat >/dev/null")
    done = run(tmp_path, ContainerJob(SHA, layout=str(layout)))
    assert done.returncode == EXIT_FAILED
    assert "did not load its layout: The directory" in done.stderr
    assert not any(call.startswith("run") for call in docker.calls)


def test_a_layout_that_the_engine_has_is_not_loaded(tmp_path: Path, docker: FakeDocker) -> None:
    docker.answer("image inspect").answer("run")
    run(tmp_path, ContainerJob(SHA, layout=str(tmp_path / "nothing")))
    assert [call.split()[0] for call in docker.calls] == ["image", "run"]


def test_an_engine_that_refuses_a_layout_is_quoted(
    tmp_path: Path, docker: FakeDocker, layout: Path
) -> None:
    docker.answer("image inspect", exit_code=1)
    docker.answer("load", stderr="no space left on device", exit_code=1)
    done = run(tmp_path, ContainerJob(SHA, layout=str(layout)))
    assert done.returncode == EXIT_FAILED
    assert done.stderr.strip() == (
        "Running the image needs it in the local Docker Engine, which did not load its layout: no"
        " space left on device. Docker 25 or later loads OCI image layouts; those of several"
        " platforms need its containerd image store."
    )


@pytest.mark.parametrize("found", [None, "docker-buildx"])
def test_a_machine_without_docker_is_told_what_to_install(
    tmp_path: Path, found: str | None
) -> None:
    if found:
        FakeDocker(tmp_path / "bin", found)
    done = run(tmp_path, ContainerJob(REFERENCE))
    assert done.returncode == EXIT_FAILED
    assert done.stderr.startswith(
        "Running an image needs the Docker CLI, but no executable 'docker' is on the path"
    )
