"""Which Git repository is the build context?"""

from __future__ import annotations

from pants.engine.target import StringField
from pants.util.strutil import help_text


class BuildKitImageContextField(StringField):
    alias = "context"
    help = help_text(
        """
        A Git repository to use as the build context, as in `docker buildx build URL`:
        `https://example.org/project.git#REFERENCE:SUBDIRECTORY`.

        The reference is a commit, a branch or a tag, and defaults to the default branch of the
        repository. A branch or tag is resolved in every session, or taken from the lock. `source`
        is then a path in the repository, below the subdirectory, unless that file exists beside the
        BUILD file or `instructions` is set.

        The repository is read with the user's Git and its credentials. A password or token in the
        URL is an error.

        The files are stored in Pants' caches, as if they were in this repository.
        """
    )
