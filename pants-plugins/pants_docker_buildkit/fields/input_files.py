"""Which file does BuildKit read that no BUILD file declares, and whose is one that changed?"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional

from pants.base.build_environment import get_buildroot
from pants.engine.fs import GlobMatchErrorBehavior
from pants.engine.target import OptionalSingleSourceField
from pants.util.strutil import help_text

from pants_docker_buildkit.dockerfile.ignorefile import IGNORE_FILE_NAME


@dataclass(frozen=True)
class OwnedFiles:
    """What Pants asks for the owners of files, in place of a matcher of globs.

    `paths` are from the build root, whether or not they are there. A file that is gone has no
    target of its own any more; Pants looks for its owner in the directories above it, so one in the
    build root can own all ignore files that were removed (`owns_removed`), and an image whatever
    was removed below its directory (`removed_below`).
    """

    paths: frozenset[str]
    owns_removed: bool = False
    removed_below: Optional[str] = None

    def matches(self, paths: Iterable[str]) -> list[str]:
        """Those of `paths` that are the target's."""
        return [path for path in paths if path in self.paths or self._is_removed(path)]

    def _is_removed(self, path: str) -> bool:
        is_ignore_file = self.owns_removed and os.path.basename(path) == IGNORE_FILE_NAME
        directory = self.removed_below
        is_below = directory is not None and (not directory or path.startswith(f"{directory}/"))
        if not (is_ignore_file or is_below):
            return False
        return not os.path.lexists(os.path.join(get_buildroot(), path))


class ImageInputSourceField(OptionalSingleSourceField):
    # One that is not there may be added.
    default = IGNORE_FILE_NAME
    default_glob_match_error_behavior = GlobMatchErrorBehavior.ignore
    help = help_text("The name of the file, in the directory of the target.")

    @property
    def filespec_matcher(self) -> OwnedFiles:  # type: ignore[override]
        """The file, and for the ignore file of the build root all that were removed."""
        directory = self.address.spec_path
        is_of_the_build_root = not directory and self.value == IGNORE_FILE_NAME
        path = os.path.join(directory, self.value or "")
        return OwnedFiles(frozenset((path,)), owns_removed=is_of_the_build_root)
