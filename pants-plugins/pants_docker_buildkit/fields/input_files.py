"""Which file does BuildKit read that no BUILD file declares?"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from pants.base.build_environment import get_buildroot
from pants.engine.fs import GlobMatchErrorBehavior
from pants.engine.target import OptionalSingleSourceField
from pants.util.strutil import help_text

from pants_docker_buildkit.dockerfile.ignorefile import IGNORE_FILE_NAME


@dataclass(frozen=True)
class OwnedFiles:
    """Which of the files that changed are a target's: `path`, and ignore files that were removed.

    A file that is gone has no target of its own any more. Pants looks for its owner in the
    directories above it, so one in the build root can be that of all.
    """

    path: str
    owns_removed: bool

    def matches(self, paths: Iterable[str]) -> list[str]:
        """Those of `paths`, which are relative to the build root."""
        return [path for path in paths if path == self.path or self._is_removed(path)]

    def _is_removed(self, path: str) -> bool:
        is_ignore_file = self.owns_removed and os.path.basename(path) == IGNORE_FILE_NAME
        return is_ignore_file and not os.path.lexists(os.path.join(get_buildroot(), path))


class ImageInputSourceField(OptionalSingleSourceField):
    # One that is not there may be added.
    default = IGNORE_FILE_NAME
    default_glob_match_error_behavior = GlobMatchErrorBehavior.ignore
    help = help_text("The name of the file, in the directory of the target.")

    @property
    def filespec_matcher(self) -> OwnedFiles:  # type: ignore[override]
        """What Pants asks for the owners of files."""
        directory = self.address.spec_path
        owns_removed = not directory and self.value == IGNORE_FILE_NAME
        return OwnedFiles(os.path.join(directory, self.value or ""), owns_removed)
