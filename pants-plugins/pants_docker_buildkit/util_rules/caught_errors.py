"""What is the value of a rule that has no answer, and says why?"""

from __future__ import annotations

from pants.engine.engine_aware import EngineAwareReturnType


def describe(error: Exception) -> str:
    """An error in words, never none."""
    return str(error).strip() or type(error).__name__


class MayHaveFailed(EngineAwareReturnType):
    """A value that has a `problem` where a question failed, and is not kept for a later session.

    Pants would keep it in its daemon, also where nothing fails any more: it remembers which answers
    a value was made of, and a question that failed has none. A process that failed it would run
    again at once, before the rule has told the new session what that process will ask.
    """

    problem: str

    def cacheable(self) -> bool:
        """Whether the next session takes it over."""
        return not self.problem
