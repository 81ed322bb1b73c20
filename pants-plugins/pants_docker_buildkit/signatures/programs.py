"""Run the programs that sign and verify, and say of those that do not run why."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

from pants_docker_buildkit.registry.program_output import (
    ProgramOutput,
    TooMuchOutputError,
    run_program,
)
from pants_docker_buildkit.signatures.errors import SignatureError


def run_found_program(
    subject: str,
    words: Sequence[str],
    environment: Mapping[str, str],
    seconds: float,
    given: bytes = b"",
) -> ProgramOutput:
    """Run the command, whose program is on `PATH`, to its end; it may fail.

    Errors begin with `subject`, as what the program is called. Raises `SignatureError`.
    """
    name, *arguments = words
    program = shutil.which(name, path=environment.get("PATH", ""))
    if program is None:
        option = "[docker-buildkit].executable_search_paths"
        raise SignatureError(f"There is no program {name!r} on '{option}'.")
    try:
        return run_program([program, *arguments], environment, seconds, given)
    except TimeoutError as e:
        raise SignatureError(f"{subject} gave no answer in {seconds:.0f} s.") from e
    except TooMuchOutputError as e:
        raise SignatureError(f"{subject} {e.finding}.") from e
    except OSError as e:
        raise SignatureError(f"{subject} does not run: {e.strerror}.") from e
