"""What can a user do about a file or a directory that cannot be used?"""

from __future__ import annotations

import errno
import os
from types import MappingProxyType

_ADVICE = MappingProxyType(
    {
        # Who has no room, or not in their quota.
        "Make room there": ("ENOSPC", "EDQUOT"),
        "Raise the limit of the size of files (`ulimit -f`)": ("EFBIG",),
        "Raise the limit of open files (`ulimit -n`)": ("EMFILE", "ENFILE"),
        "Give yourself the right to write there": ("EACCES", "EPERM"),
        "Mount its file system so that it can be written to": ("EROFS",),
        "Make the path shorter": ("ENAMETOOLONG",),
        "Remove what is in the way": ("ELOOP", "ENOTDIR", "EISDIR", "EEXIST", "ENOTEMPTY"),
        "Check the disk and what mounts it": ("EIO", "ESTALE", "ENXIO", "ENODEV"),
    }
)


def advise(finding: str, otherwise: str) -> str:
    """What to do first, as the beginning of a sentence, about what the system said of a file.

    `finding` ends in the system's own words: of an `OSError`, or of a program, which has them
    from the same table. `otherwise` is for what no advice is known of.
    """
    words = finding.rstrip().rstrip(".")
    for advice, names in _ADVICE.items():
        for name in names:
            # Not all systems have all of them.
            number = getattr(errno, name, None)
            if number is not None and words.endswith(os.strerror(number)):
                return advice
    return otherwise
