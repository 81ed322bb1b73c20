"""Which file does BuildKit read that no BUILD file declares?"""

from __future__ import annotations

import os

from pants.engine.fs import GlobMatchErrorBehavior
from pants.engine.target import OptionalSingleSourceField
from pants.util.strutil import help_text

from pants_docker_buildkit.dockerfile.ignorefile import IGNORE_FILE_NAME
from pants_docker_buildkit.fields.owned_files import OwnedFiles


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
