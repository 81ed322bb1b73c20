"""How does `run` start a container of the image?"""

from __future__ import annotations

from pants.engine.target import StringSequenceField
from pants.util.strutil import help_text


class BuildKitImageExtraRunArgsField(StringSequenceField):
    alias = "extra_run_args"
    default = ()
    help = help_text(
        """
        Options for `docker run`, such as `["--publish=8080:80"]`, after those of
        `[docker-buildkit].run_args`. Arguments for the container follow `--` on the command line.

        If the image is the `runnable` of an `adhoc_tool`, `{chroot}` means the sandbox:
        `["--volume={chroot}:/work", "--workdir=/work"]` makes it visible in the container.
        """
    )
