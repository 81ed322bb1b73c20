"""Which heredocs does a line begin?

BuildKit lexes the line always with a backslash as the escape, whatever `# escape=` says.
"""

from __future__ import annotations

import re

from pants_docker_buildkit.dockerfile.characters import REGEXP_SPACES
from pants_docker_buildkit.dockerfile.expansion import (
    ExpansionError,
    ExpansionRules,
    expand_to_words,
)
from pants_docker_buildkit.dockerfile.instruction import Heredoc

_HEREDOC = re.compile(rf"[0-9]*<<(-?)[{REGEXP_SPACES}]*([^<]*)")
_LINE_RULES = ExpansionRules(keeps_quotes=True, keeps_escapes=True, keeps_unset=True)
_NAME_RULES = ExpansionRules(keeps_unset=True)


def _unset(_: str) -> None:
    return None


def parse_heredoc(word: str) -> Heredoc | None:
    """The heredoc that `word` begins, still without content; `None` where it begins none."""
    match = _HEREDOC.fullmatch(word) if "<<" in word else None
    if match is None or match.group(2) == "":
        return None
    names = expand_to_words(match.group(2), _unset, _NAME_RULES)
    if len(names) != 1:
        return None
    return Heredoc(names[0], chomps=match.group(1) == "-")


def try_parse_heredoc(word: str) -> Heredoc | None:
    """As `parse_heredoc`, but a word that cannot be lexed begins none."""
    try:
        return parse_heredoc(word)
    except ExpansionError:
        return None


def find_heredocs(line: str) -> tuple[Heredoc, ...]:
    """All heredocs that `line` begins, in order."""
    try:
        words = expand_to_words(line, _unset, _LINE_RULES)
    except ExpansionError:
        return ()
    return tuple(heredoc for heredoc in map(parse_heredoc, words) if heredoc is not None)
