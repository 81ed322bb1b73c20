"""Threads that cannot be started, as in a container that may have only so many."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def no_thread_at_first(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The first thread that is to be started in the block is one too many."""
    start, failures = threading.Thread.start, ["can't start new thread"]

    def start_or_fail(thread: threading.Thread) -> None:
        if failures:
            raise RuntimeError(failures.pop())
        start(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start_or_fail)
        yield
    assert not failures
