"""Do work on a few threads that start when there is some, and end with their session.

More threads than a server takes requests at once only take turns, and in Pants they take them from
its rules: 1,000 requests to a registry on the same machine switched threads three times as often
with 128 of them as with 16. So there are more only where they help: while even the fastest work
takes long, because its server is far away, and where nothing goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from pants_docker_buildkit.registry.pace import (
    FIRST_IN_FLIGHT,
    FORGETTING,
    MOST_IN_FLIGHT,
    SHORTEST_DISTANCE,
)

DEFAULT_THREADS = MOST_IN_FLIGHT

_STUCK_SECONDS = 0.05
"""Where no work ends for so long although some waits, all threads wait for something."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class _Task:
    work: Callable[[], Any]
    future: Future[Any]


class _Pool:
    """The threads for one server."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._threads = 0
        self._unfinished = 0
        self._finished = 0
        self._fastest = float("inf")
        self._is_watched = False
        self._is_closed = False
        self._lock = threading.Lock()

    def submit(self, work: Callable[[], _T]) -> Future[_T]:
        future: Future[_T] = Future()
        with self._lock:
            if self._is_closed:
                future.cancel()
                return future
            self._tasks.put(_Task(work, future))
            self._unfinished += 1
            if self._lacks_threads():
                if self._threads < FIRST_IN_FLIGHT:
                    self._add_threads(1)
                elif not self._is_watched and self._threads < self._size:
                    self._is_watched = True
                    self._start(self._watch, f"{self._name}-watch")
        return future

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            while (task := self._next_waiting()) is not None:
                task.future.cancel()
            for _ in range(self._threads):
                self._tasks.put(None)

    def _next_waiting(self) -> _Task | None:
        try:
            return self._tasks.get_nowait()
        except Empty:
            return None

    def _add_threads(self, number: int) -> None:
        """Start so many, or as many as there may still be. For who has the lock."""
        for _ in range(min(number, self._size - self._threads)):
            self._start(self._run, f"{self._name}-{self._threads}")
            self._threads += 1

    def _start(self, target: Callable[[], None], name: str) -> None:
        threading.Thread(target=target, name=name, daemon=True).start()

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            started = time.monotonic()
            if task.future.set_running_or_notify_cancel():
                _do(task)
            self._finish(time.monotonic() - started)

    def _finish(self, seconds: float) -> None:
        """After work that took so long, have one thread more if that helps what waits."""
        with self._lock:
            self._unfinished -= 1
            self._finished += 1
            self._fastest = min(self._fastest * FORGETTING, seconds)
            if self._fastest >= SHORTEST_DISTANCE and self._lacks_threads():
                self._add_threads(1)

    def _lacks_threads(self) -> bool:
        """Whether some work waits for one. For who has the lock."""
        return self._unfinished > self._threads and not self._is_closed

    def _watch(self) -> None:
        """Have twice as many threads whenever all of them wait, while there is work for more."""
        while True:
            finished = self._finished
            time.sleep(_STUCK_SECONDS)
            with self._lock:
                if self._threads >= self._size or not self._lacks_threads():
                    self._is_watched = False
                    return
                if self._finished == finished:
                    self._add_threads(self._threads)


def _do(task: _Task) -> None:
    try:
        result = task.work()
    except BaseException as e:
        task.future.set_exception(e)
    else:
        task.future.set_result(result)


class Workers:
    """A pool of threads for each server, that keep nobody waiting.

    They are daemons: a session that ends without `close` does not hang on a registry that does not
    answer, as it would with the pools of `concurrent.futures`. A server that is far away, or does
    not answer, slows no other one down.
    """

    def __init__(self, name: str, size: int = DEFAULT_THREADS) -> None:
        self._name = name
        self._size = size
        self._pools: dict[str, _Pool] = {}
        self._is_closed = False
        self._lock = threading.Lock()

    def submit(self, work: Callable[[], _T], server: str = "") -> Future[_T]:
        """What `work` gives, or raises, in the future.

        `server` is the one that it asks, if that is known.
        """
        with self._lock:
            pool = self._pools.get(server)
            if pool is None:
                pool = self._pools[server] = _Pool(self._name, self._size)
                if self._is_closed:
                    pool.close()
        return pool.submit(work)

    def close(self) -> None:
        """Cancel what was not begun, and let the threads end. Does not wait for what was."""
        with self._lock:
            self._is_closed = True
            pools = tuple(self._pools.values())
        for each in pools:
            each.close()
