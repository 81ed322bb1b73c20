"""Which characters does BuildKit take for white space?

Go's notion differs from Python's in both directions, and it decides where a word ends.
"""

from __future__ import annotations

SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What Go's `unicode.IsSpace` accepts."""

REGEXP_SPACES = "\\t\\n\\f\\r "
"""What `\\s` means in a Go regular expression, as the inside of a character class."""


def strip_spaces(text: str) -> str:
    """`text` without white space at its ends, as Go's `strings.TrimSpace` leaves it."""
    return text.strip(SPACES)
