"""Do work on a few threads that start when there is some, and end with their session."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from pants_docker_buildkit.registry.pace import MOST_IN_FLIGHT

_T = TypeVar("_T")


@dataclass(frozen=True)
class _Task:
    work: Callable[[], Any]
    future: Future[Any]


class Workers:
    """A pool of threads that keep nobody waiting.

    They are daemons: a session that ends without `close` does not hang on a registry that does not
    answer, as it would with the pools of `concurrent.futures`.
    """

    def __init__(self, name: str, size: int = MOST_IN_FLIGHT) -> None:
        self._name = name
        self._size = size
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._is_closed = False
        self._lock = threading.Lock()

    def submit(self, work: Callable[[], _T]) -> Future[_T]:
        """What `work` gives, or raises, in the future."""
        future: Future[_T] = Future()
        with self._lock:
            if self._is_closed:
                _cancel(future)
                return future
            self._tasks.put(_Task(work, future))
            if len(self._threads) < self._size:
                self._start_thread()
        return future

    def widen(self, size: int) -> None:
        """Be a pool of at least this size."""
        if size <= self._size:
            return
        with self._lock:
            self._size = max(self._size, size)
            missing = min(self._size - len(self._threads), self._tasks.qsize())
            if not self._is_closed:
                for _ in range(missing):
                    self._start_thread()

    def close(self) -> None:
        """Cancel what was not begun, and let the threads end. Does not wait for what was."""
        with self._lock:
            self._is_closed = True
            waiting = list(iter(self._next_waiting, None))
            for _ in self._threads:
                self._tasks.put(None)
        # Who waits for a future hears of it here, and may want to submit something.
        for task in waiting:
            _cancel(task.future)

    def _next_waiting(self) -> _Task | None:
        try:
            return self._tasks.get_nowait()
        except Empty:
            return None

    def _start_thread(self) -> None:
        name = f"{self._name}-{len(self._threads)}"
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        # Where no more threads may run, the others do it, or who wants it hears of that.
        with suppress(RuntimeError) if self._threads else nullcontext():
            thread.start()
            self._threads.append(thread)

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            if not task.future.set_running_or_notify_cancel():
                continue
            try:
                result = task.work()
            except BaseException as e:
                task.future.set_exception(e)
            else:
                task.future.set_result(result)


def _cancel(future: Future[Any]) -> None:
    """Cancel what nobody will begin. `cancel` alone does not wake who waits for several."""
    future.cancel()
    future.set_running_or_notify_cancel()
