"""What is the value of a rule that catches an error of what it asked?"""

from __future__ import annotations

from pants.engine.engine_aware import EngineAwareReturnType


def describe(error: Exception) -> str:
    """An error in words, never none."""
    return str(error).strip() or type(error).__name__


class MayHaveFailed(EngineAwareReturnType):
    """A value that has a `problem` where a question failed, and is not kept for a later session.

    Pants would keep it in its daemon, also where nothing fails any more: it remembers which answers
    a value was made of, and a question that failed has none.
    """

    problem: str

    def cacheable(self) -> bool:
        """Whether the next session takes it over."""
        return not self.problem
