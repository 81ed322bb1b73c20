"""Is the Dockerfile of a target checked?"""

from __future__ import annotations

from pants.engine.target import BoolField
from pants.util.strutil import help_text


class SkipDockerfileChecksField(BoolField):
    alias = "skip_dockerfile_checks"
    default = False
    help = help_text(
        """
        Whether `lint` skips BuildKit's checks of this target's Dockerfile. To disable a single
        rule, put a line `# check=skip=RULE` into the Dockerfile.
        """
    )
