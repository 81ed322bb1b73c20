"""Where do the digests of base images come from, and the pins of downloads?"""

from __future__ import annotations

from enum import Enum


class BaseImages(str, Enum):
    """How a moving name becomes something that cannot change."""

    FOLLOW = "follow"
    LOCKED = "locked"
    FROZEN = "frozen"
