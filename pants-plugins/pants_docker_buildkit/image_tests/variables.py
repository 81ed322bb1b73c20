"""`$VARIABLE` in the texts of a structure test, as Go's `os.Expand` reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pants_docker_buildkit.image_tests.structure import Variable

_REFERENCE = re.compile(
    r"""
    \$(?:
        \{([*\#$@!?0-9-])\}       # a variable of the shell, such as ${1}
      | \{([^}]+)\}
      | (\{\}?)                   # not a reference, and eaten
      | ([*\#$@!?0-9-])
      | ([A-Za-z0-9_]+)
    )
    """,
    re.VERBOSE,
)


def expand(text: str, environment: Mapping[str, str]) -> str:
    """The text with each variable replaced; one that is not set stands for nothing."""
    return _REFERENCE.sub(lambda found: environment.get(_name(found), ""), text)


def _name(found: re.Match[str]) -> str:
    special, braced, _, short, name = found.groups()
    return special or braced or short or name or ""


def with_variables(environment: Mapping[str, str], variables: Iterable[Variable]) -> dict[str, str]:
    """The environment with further variables, each of which may use those before it."""
    result = dict(environment)
    for each in variables:
        result[each.key] = expand(each.value, result)
    return result
