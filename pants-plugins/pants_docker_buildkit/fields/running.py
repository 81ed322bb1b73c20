"""How does `run` start a container of the image?"""

from __future__ import annotations

from pants.engine.target import StringSequenceField
from pants.util.strutil import help_text


class BuildKitImageExtraRunArgsField(StringSequenceField):
    alias = "extra_run_args"
    default = ()
    help = help_text(
        """
        More options for `docker run`, such as `["--publish=8080:80"]`, after those of
        `[docker-buildkit].run_args`. The arguments of the container follow `--` on the command
        line.

        As the `runnable` of an `adhoc_tool` target, `{chroot}` stands for the sandbox:
        `["--volume={chroot}:/work", "--workdir=/work"]` shows it to the container.
        """
    )
