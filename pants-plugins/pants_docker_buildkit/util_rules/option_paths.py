"""Where does a path in an option lead?"""

from __future__ import annotations

import os

from pants.base.build_environment import get_buildroot


def option_path(text: str, home: str) -> str:
    """An absolute path: below the user's `home` directory after `~`, else below the build root."""
    is_below_home = text == "~" or text.startswith("~/")
    parts = (home, text[2:]) if is_below_home else (text,)
    return os.path.normpath(os.path.join(get_buildroot(), *parts))
