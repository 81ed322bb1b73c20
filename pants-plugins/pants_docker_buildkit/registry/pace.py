"""How many requests may be on their way to one server, and when may the next one start?

A server that is far away answers many at once as fast as one, so more and more are sent as long as
answers do not take longer for it, and as many are wanted. One that says that it is too much (429,
or 503 with a time) gets half as many, none before that time is over, and then slowly more again.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict

from pants_docker_buildkit.registry.origin import Origin

MOST_IN_FLIGHT = 128

_FIRST_IN_FLIGHT = 4
_MORE_IN_FLIGHT = 3
"""By so many more with an answer: from the first ones to the most in three round trips."""

_SHORTEST_DISTANCE = 0.002
"""A server that answers in less seconds is near: more at once would only wait there."""

_RECOVERY = 0.25
"""By so much more with an answer a near server gets as many as at first again."""

_CONGESTED = 3.0
"""Answers that take this much longer than the fastest one are a sign of too many at once."""

_FORGETTING = 1.01
"""By this factor the fastest answer counts less with each other one: distances change."""

_LONGEST_LOOK = 0.5
"""How long a thread sleeps that waits for its turn, before it looks whether its session is over."""


class NoTurnError(Exception):
    """A request is not to be sent any more. Its text says why."""


class Pace:
    """The pace of one server, shared by all threads that ask it."""

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._limit = float(_FIRST_IN_FLIGHT)
        self._in_flight = 0
        self._fastest = float("inf")
        self._resumes_at = 0.0
        self._answers = 0
        self._answers_to: Counter[str] = Counter()
        self._losses = 0
        self._finding = ""

    @property
    def limit(self) -> int:
        """How many may be on their way now."""
        return int(self._limit)

    def enter(self, is_over: threading.Event) -> None:
        """Wait for the turn of a request.

        Raises `NoTurnError` if the session is over before, or somebody else finds out meanwhile
        that the server does not answer.
        """
        with self._turn:
            losses = self._losses
            while not self._is_free():
                pause = self._resumes_at - time.monotonic()
                self._turn.wait(min(pause, _LONGEST_LOOK) if pause > 0 else _LONGEST_LOOK)
                if self._losses != losses:
                    raise NoTurnError(self._finding)
                if is_over.is_set():
                    raise NoTurnError("the session ended")
            self._in_flight += 1

    def leave(self, method: str, seconds: float | None) -> None:
        """A request with this method got an answer after so many seconds.

        With `None` it got none, or only that it should come back later, which a server that has
        too much to do says at once.
        """
        with self._turn:
            self._in_flight -= 1
            limit = self.limit
            if seconds is not None:
                self._answers += 1
                self._answers_to[method] += 1
                self._fastest = min(self._fastest * _FORGETTING, seconds)
                is_far = self._fastest >= _SHORTEST_DISTANCE
                # Whoever has as many threads as may ask never sees one wait for its turn.
                is_wanted = 2 * (self._in_flight + 1) > self._limit
                if is_far and is_wanted and seconds <= self._fastest * _CONGESTED:
                    self._limit = min(self._limit + _MORE_IN_FLIGHT, MOST_IN_FLIGHT)
                elif self._limit < _FIRST_IN_FLIGHT:
                    self._limit += _RECOVERY
            # One for the place that is free now, and one for that by which the limit grew: to wake
            # a thread that has to wait again costs as much as half of a request.
            self._turn.notify(1 + self.limit - limit)

    def pause(self, seconds: float) -> None:
        """The server wants to be left alone for a while, and to be asked less after that."""
        with self._turn:
            now = time.monotonic()
            if now >= self._resumes_at:
                # Those that were on their way together are refused together: that counts once.
                self._limit = max(1.0, self._limit / 2)
            self._resumes_at = max(self._resumes_at, now + seconds)

    @property
    def answers(self) -> int:
        """How many there were so far that told what was asked."""
        return self._answers

    def answers_to(self, method: str) -> int:
        """How many of these were to requests with this method."""
        return self._answers_to[method]

    def lose(self, finding: str, answers: int) -> None:
        """The server tells nothing, however often it is asked: nobody who waits has to try.

        `answers` is how many there were before it was asked. If there were any since, it is there.
        """
        with self._turn:
            if answers != self._answers:
                return
            self._losses += 1
            self._finding = finding
            self._turn.notify_all()

    def _is_free(self) -> bool:
        return self._in_flight < self.limit and time.monotonic() >= self._resumes_at


class Paces:
    """The paces of all servers. They outlive a session: how far a server is stays true."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paces: defaultdict[Origin, Pace] = defaultdict(Pace)

    def of(self, origin: Origin) -> Pace:
        """The pace of one server."""
        with self._lock:
            return self._paces[origin]
