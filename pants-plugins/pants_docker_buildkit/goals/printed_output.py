"""Where does what a goal has to say go?"""

from __future__ import annotations

from pathlib import Path

from pants.engine.console import Console
from pants.engine.goal import Outputting

from pants_docker_buildkit.errors import InvalidOptionError


def print_output(subsystem: Outputting, console: Console, text: str, scope: str) -> None:
    """Write to the file that `--output-file` of a goal names, as the report does, or to stdout.

    Raises `InvalidOptionError` where there can be no such file.
    """
    if subsystem.output_file is None:
        console.write_stdout(text)
        return
    try:
        path = Path(subsystem.output_file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as e:
        raise InvalidOptionError(
            "output_file",
            "name a file that can be written",
            f"{e.filename or subsystem.output_file} cannot: {e.strerror or e}",
            scope=scope,
        ) from e
