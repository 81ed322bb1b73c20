from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pants_docker_buildkit.buildx.builder_description import BuilderDescription, NodeDescription
from pants_docker_buildkit.session.directory import PROGRESS_FILE
from pants_docker_buildkit.solver.acquired_builder import acquire_builder
from pants_docker_buildkit.solver.errors import BuilderLostError, BuilderNotReadyError

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}
SECONDS = 60
"""The start of a program may take some time on a busy machine."""


def leased(acquire: str, *release: str) -> BuilderDescription:
    """A builder whose commands are programs in Python and shell."""
    return BuilderDescription(
        "ci", "remote", (), SECONDS, acquire=(sys.executable, "-c", acquire), release=release
    )


def test_a_builder_is_acquired_for_an_image_and_released_after_it(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    description = leased(
        'print(\'{"endpoint": "tcp://10.0.0.7:1", "cacert": "/ca", "cert": "/c", "key": "/k"}\')',
        *("sh", "-c", f'echo "$1 $PANTS_DOCKER_BUILDKIT_IMAGE" >{notes}', "sh"),
    )
    options = (("cacert", "/ca"), ("cert", "/c"), ("key", "/k"))

    def fail() -> None:
        image = "app:image linux/amd64"
        with acquire_builder(description, image, ENVIRONMENT, tmp_path) as member:
            assert member.nodes == (NodeDescription("tcp://10.0.0.7:1", (), options),)
            assert member.acquire == member.release == ()
            assert not notes.exists()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert notes.read_text() == "tcp://10.0.0.7:1 app:image linux/amd64\n"


GIVES = 'print(\'{"endpoint": "tcp://10.0.0.7:1"}\')'


@pytest.mark.parametrize(
    "release",
    [
        pytest.param(("sh", "-c", "echo gone >&2; exit 1"), id="failed"),
        pytest.param(("no-such-program",), id="not there"),
    ],
)
def test_a_failed_release_hides_nothing_of_a_build(
    tmp_path: Path, release: tuple[str, ...]
) -> None:
    description = leased(GIVES, *release)
    # A build that was lost is built again, whatever becomes of its lease.
    with (
        pytest.raises(BuilderLostError),
        acquire_builder(description, "image", ENVIRONMENT, tmp_path),
    ):
        raise BuilderLostError("ci", "gone", "")
    # And one that succeeded stays so.
    with acquire_builder(description, "image", ENVIRONMENT, tmp_path):
        pass
    (warning,) = (tmp_path / PROGRESS_FILE).read_text().splitlines()
    assert "[docker-buildkit.builders.ci]' must have a command `release` that succeeds" in warning


@pytest.mark.parametrize(
    ("acquire", "finding"),
    [
        pytest.param("import sys; sys.exit('no room')", "exit code 1: no room", id="failed"),
        pytest.param("print('tcp://x:1')", "prints JSON such as", id="no JSON"),
        pytest.param("print('{}')", "it is missing", id="no endpoint"),
        pytest.param('print(\'{"endpoint": "x"}\')', "is 'x'", id="no address"),
        pytest.param(
            'print(\'{"endpoint": "unix://a.sock"}\')', "is 'unix://a.sock'", id="relative socket"
        ),
        pytest.param(
            'print(\'{"endpoint": "tcp://a:1", "cacert": "ca.pem"}\')',
            "cacert must be an absolute path, but is 'ca.pem'",
            id="relative file",
        ),
        pytest.param("import time; time.sleep(600)", "gave no answer in 1 s", id="slow"),
    ],
)
def test_a_program_that_gives_no_builder_is_an_error(
    tmp_path: Path, acquire: str, finding: str
) -> None:
    seconds = 1 if finding.endswith("in 1 s") else SECONDS
    description = BuilderDescription(
        "ci", "remote", (), seconds, acquire=(sys.executable, "-c", acquire)
    )
    with (
        pytest.raises(BuilderNotReadyError) as raised,
        acquire_builder(description, "image", ENVIRONMENT, tmp_path),
    ):
        pass
    assert "The builder of '[docker-buildkit.builders.ci]' must have a" in str(raised.value)
    assert finding in str(raised.value)


@pytest.mark.parametrize("rest", ['"key": "/k"', '"cacert": 5'])
def test_a_builder_whose_files_are_refused_is_released(tmp_path: Path, rest: str) -> None:
    notes = tmp_path / "notes"
    description = leased(
        f'print(\'{{"endpoint": "tcp://10.0.0.7:1", {rest}}}\')',
        *("sh", "-c", f'echo "$1" >>{notes}', "sh"),
    )
    with (
        pytest.raises(BuilderNotReadyError, match="prints JSON such as"),
        acquire_builder(description, "image", ENVIRONMENT, tmp_path),
    ):
        pass
    assert notes.read_text() == "tcp://10.0.0.7:1\n"


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    description = BuilderDescription("ci", "remote", (), 1, acquire=("no-such-program",))
    with (
        pytest.raises(BuilderNotReadyError, match="'no-such-program' is not on '"),
        acquire_builder(description, "image", ENVIRONMENT, tmp_path),
    ):
        pass
