from __future__ import annotations

from pathlib import Path

import pytest

from pants_docker_buildkit.oci.content import InvalidContentError
from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.solver.errors import BuildFailedError
from pants_docker_buildkit.solver.merged_index import read_merged_index
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker

INDEX = '{"schemaVersion": 2}\n'
DIGEST = sha256_digest(INDEX.encode())


@pytest.fixture
def docker(tmp_path: Path) -> FakeDocker:
    return FakeDocker(tmp_path)


def test_an_index_is_read_as_the_builder_reads_it(docker: FakeDocker) -> None:
    cli = docker.answer("buildx imagetools", INDEX).cli()
    assert read_merged_index(cli, "farm", "localhost:5000/app", DIGEST) == INDEX.encode()
    assert docker.calls == [
        f"buildx imagetools inspect --builder farm --raw localhost:5000/app@{DIGEST}"
    ]


def test_another_index_is_refused(docker: FakeDocker) -> None:
    cli = docker.answer("buildx imagetools", INDEX.replace("2", "3")).cli()
    with pytest.raises(InvalidContentError):
        read_merged_index(cli, None, "localhost:5000/app", DIGEST)


def test_an_index_that_is_not_there_is_named(docker: FakeDocker) -> None:
    cli = docker.answer("buildx", stderr="ERROR: not found\n", exit_code=1).cli()
    with pytest.raises(BuildFailedError) as raised:
        read_merged_index(cli, None, "localhost:5000/app", DIGEST)
    assert str(raised.value) == (
        f"The image was pushed, but localhost:5000/app@{DIGEST} cannot be read: ERROR: not found."
        " Check that the registry keeps what it accepts, and run this again."
    )
