"""Advice fits what the system found: room is made only where there is none."""

from __future__ import annotations

import errno
import os

import pytest

from pants_docker_buildkit.session.disk_advice import advise

OTHERWISE = "Remove it"


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "Make room there"),
        (errno.EDQUOT, "Make room there"),
        (errno.EFBIG, "Raise the limit of the size of files (`ulimit -f`)"),
        (errno.EMFILE, "Raise the limit of open files (`ulimit -n`)"),
        (errno.EACCES, "Give yourself the right to write there"),
        (errno.EPERM, "Give yourself the right to write there"),
        (errno.EROFS, "Mount its file system so that it can be written to"),
        (errno.ENAMETOOLONG, "Make the path shorter"),
        (errno.ELOOP, "Remove what is in the way"),
        (errno.ENOTDIR, "Remove what is in the way"),
        (errno.EIO, "Check the disk and what mounts it"),
        (errno.EINVAL, OTHERWISE),
    ],
)
def test_advice_is_by_what_the_system_found(number: int, advice: str) -> None:
    said = os.strerror(number)
    assert advise(said, OTHERWISE) == advice
    assert advise(f"mkdir: cannot create directory 'a': {said}\n", OTHERWISE) == advice


def test_a_path_that_sounds_like_a_finding_is_none() -> None:
    said = f"cannot read '{os.strerror(errno.ENOSPC)}/a': {os.strerror(errno.EACCES)}."
    assert advise(said, OTHERWISE) == "Give yourself the right to write there"
    assert advise("it is a link", OTHERWISE) == OTHERWISE
