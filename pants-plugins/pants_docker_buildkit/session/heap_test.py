from __future__ import annotations

import ctypes
import errno
import sys
import threading
import time
from collections.abc import Callable

import pytest

from pants_docker_buildkit.session import heap
from pants_docker_buildkit.session.heap import HeapTrimmer, find_trim, resident_bytes
from pants_docker_buildkit.testing.processes import SOON
from pants_docker_buildkit.testing.threads import no_thread_at_first

_BLOCK = 1 << 10
_BLOCKS = 60_000


def _free_all_but_one(libc: ctypes.CDLL) -> int:
    """Leave memory that is free, and that the allocator keeps. Gives the block that is left."""
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    blocks = [libc.malloc(_BLOCK) for _ in range(_BLOCKS)]
    for block in blocks:
        ctypes.memset(block, 1, _BLOCK)
    for block in blocks[:-1]:
        libc.free(block)
    return int(blocks[-1])


def _started_with(
    monkeypatch: pytest.MonkeyPatch, look: Callable[[], int], trim: Callable[[int], int]
) -> HeapTrimmer:
    """One that looks at and trims something else than the memory of this process."""
    monkeypatch.setattr(heap, "find_trim", lambda: trim)
    monkeypatch.setattr(heap, "resident_bytes", look)
    trimmer = HeapTrimmer()
    trimmer.start()
    return trimmer


def test_what_is_free_goes_back_while_a_session_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sys.platform == "linux"
    monkeypatch.setattr(heap, "_LOOK_SECONDS", 0.05)
    libc = ctypes.CDLL(None)
    left = _free_all_but_one(libc)
    before = resident_bytes()
    trimmer = HeapTrimmer()
    trimmer.start()
    deadline = time.monotonic() + SOON
    while resident_bytes() > before - _BLOCK * _BLOCKS // 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    trimmer.close()
    libc.free(left)
    assert resident_bytes() <= before - _BLOCK * _BLOCKS // 2


def test_nothing_is_trimmed_without_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(heap, "_QUIET_SECONDS", 0.01)
    calls: list[int] = []
    looks = threading.Semaphore(0)

    def trim(pad: int) -> int:
        calls.append(pad)
        return 0

    def look() -> int:
        looks.release()
        return 100 << 20

    trimmer = _started_with(monkeypatch, look, trim)
    for _ in range(20):
        assert looks.acquire(timeout=SOON)
    assert calls == [0]
    trimmer.close()


def test_who_may_open_no_files_for_a_moment_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_LOOK_SECONDS", 0.01)
    looks, trims = threading.Semaphore(0), threading.Semaphore(0)

    def look() -> int:
        looks.release()
        if not trims.acquire(blocking=False):
            raise OSError(errno.EMFILE, "Too many open files")
        return 100 << 20

    def trim(_pad: int) -> int:
        trims.release()
        return 0

    trimmer = _started_with(monkeypatch, look, trim)
    for _ in range(2):
        assert looks.acquire(timeout=SOON)
    trims.release()
    for _ in range(3):
        assert looks.acquire(timeout=SOON)
    trimmer.close()


def test_what_a_session_leaves_free_goes_back_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    # A look before that would give it back, too, perhaps before it is counted here.
    monkeypatch.setattr(heap, "_LOOK_SECONDS", 3600.0)
    libc = ctypes.CDLL(None)
    trimmer = HeapTrimmer()
    trimmer.start()
    left = _free_all_but_one(libc)
    before = resident_bytes()
    trimmer.close()
    deadline = time.monotonic() + SOON
    while resident_bytes() > before - _BLOCK * _BLOCKS // 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    libc.free(left)
    assert resident_bytes() <= before - _BLOCK * _BLOCKS // 2


def test_a_session_without_one_begins_where_no_more_threads_may_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with no_thread_at_first(monkeypatch):
        HeapTrimmer().start()


def test_other_systems_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert find_trim() is None
