"""Which Git repository is the build context?"""

from __future__ import annotations

from pants.engine.target import StringField
from pants.util.strutil import help_text


class BuildKitImageContextField(StringField):
    alias = "context"
    help = help_text(
        """
        A Git repository that is the build context, as in `docker buildx build URL`:
        `https://example.org/project.git#REFERENCE:SUBDIRECTORY`.

        The reference is a commit, a branch or a tag, and by default the branch that the repository
        has for that. A name that moves stands for the commit that it is now, or that the lock has.
        `source` is then a path in the repository, below the subdirectory, unless there is such a
        file beside the BUILD file, or `instructions` have the text. What the user's Git has access
        to can be read; a password or token in the URL is an error.

        The files lie in the caches of Pants, as if they were in this repository.
        """
    )
