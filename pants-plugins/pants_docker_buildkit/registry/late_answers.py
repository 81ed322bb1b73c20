"""Registries that are spread over several places may show a little late what they took."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_WAITS_SECONDS = (0.25, 1.0, 3.0)

_T = TypeVar("_T")


def ask_again(ask: Callable[[], _T], is_late: Callable[[_T], bool]) -> _T:
    """The first answer that is not late, or the last one after some seconds."""
    answer = ask()
    for seconds in _WAITS_SECONDS:
        if not is_late(answer):
            break
        time.sleep(seconds)
        answer = ask()
    return answer
