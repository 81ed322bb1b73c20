"""Which time does a Dockerfile itself give to its image?

https://reproducible-builds.org/specs/source-date-epoch/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pants_docker_buildkit.dockerfile.analysis import Argument, DockerfileAnalysis
from pants_docker_buildkit.dockerfile.scope import GlobalScope

SOURCE_DATE_EPOCH = "SOURCE_DATE_EPOCH"
"""The build argument, which is also the variable that tools read: seconds since 1970."""

MAIN_CONTEXT = "context"
"""The value that stands for the time of the build context."""

_SECONDS = re.compile("-?[0-9]+")


class AmbiguousEpochError(ValueError):
    """A Dockerfile gives its image no single time. `finding` completes "but …"."""

    def __init__(self, finding: str) -> None:
        self.finding = finding
        super().__init__(f"The Dockerfile must give one {SOURCE_DATE_EPOCH}, but {finding}.")


def find_epoch(analysis: DockerfileAnalysis) -> str | None:
    """The default of `ARG SOURCE_DATE_EPOCH=…`, of the whole Dockerfile or of its stages.

    `None` where there is no default. A global one may also be a `named_epoch`. Raises
    `AmbiguousEpochError`.
    """
    global_values = set(_defaults(analysis.arguments))
    stage_values = {
        value for stage in analysis.reachable_stages for value in _defaults(stage.arguments)
    }
    values = sorted(global_values | stage_values)
    if not values:
        return None
    if len(values) > 1:
        raise AmbiguousEpochError(f"it sets {' and '.join(values)}")
    (value,) = values
    if value not in global_values and not is_seconds(value):
        raise AmbiguousEpochError(f"a stage sets {value!r}, which is no number of seconds")
    return value


def named_epoch(scope: GlobalScope) -> str:
    """What BuildKit is to take the time from, if that is no number; else nothing.

    BuildKit 0.30 and later reads it, even if the target does not need it. `scope` has all `ARG`s.
    """
    value = {**scope.values, **scope.build_args}.get(SOURCE_DATE_EPOCH, "")
    return "" if is_seconds(value) else value


def is_seconds(text: str) -> bool:
    """Whether this is a time, and not the name of something that has one."""
    return _SECONDS.fullmatch(text) is not None


def _defaults(arguments: Iterable[Argument]) -> Iterator[str]:
    for argument in arguments:
        if argument.name != SOURCE_DATE_EPOCH or argument.default is None:
            continue
        if argument.value is None:
            raise AmbiguousEpochError("its default depends on what only the build knows")
        yield argument.value
