"""Would BuildKit accept an instruction, apart from its flags' names?

The counterpart of the checks in BuildKit's `instructions/parse.go`. What BuildKit finds only while
it builds (a bad port, a bad `--chmod`) is left to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from pants_docker_buildkit.dockerfile.characters import strip_spaces
from pants_docker_buildkit.dockerfile.errors import (
    InvalidArgumentsError,
    InvalidFlagError,
    InvalidHeredocError,
)
from pants_docker_buildkit.dockerfile.heredoc import try_parse_heredoc
from pants_docker_buildkit.dockerfile.instruction import Instruction
from pants_docker_buildkit.dockerfile.mounts import check_mounts
from pants_docker_buildkit.dockerfile.words import split_keyword

_STAGE_NAME = re.compile(r"[a-z][a-z0-9\-_.]*")
_NETWORKS = ("default", "none", "host")
_SECURITY_MODES = ("sandbox", "insecure")


def check_instruction(instruction: Instruction) -> None:
    """Raise a `DockerfileError` if BuildKit would refuse `instruction` when it reads the file."""
    check = CHECKS.get(instruction.keyword)
    if check is not None:
        check(instruction)


def _check_one(instruction: Instruction) -> None:
    if len(instruction.arguments) != 1:
        raise _error(instruction, f"give {instruction.keyword} exactly one argument")


def _check_some(instruction: Instruction) -> None:
    if not instruction.arguments:
        raise _error(instruction, f"give {instruction.keyword} at least one argument")


def _check_from(instruction: Instruction) -> None:
    arguments = instruction.arguments
    if len(arguments) == 1:
        return
    if len(arguments) != 3 or arguments[1].lower() != "as":
        raise _error(instruction, "have the form 'FROM image' or 'FROM image AS name'")
    if not _STAGE_NAME.fullmatch(arguments[2].lower()):
        requirement = (
            "have a stage name that begins with a letter and consists of letters, digits, '-', '_' "
            f"and '.', not {arguments[2]!r}"
        )
        raise _error(instruction, requirement)


def _check_copy(instruction: Instruction) -> None:
    if len(instruction.arguments) < 2:
        raise _error(instruction, f"give {instruction.keyword} a source and a destination")
    if try_parse_heredoc(instruction.arguments[-1]) is not None:
        raise InvalidHeredocError(instruction.start_line, "not have a heredoc as the destination")


def _check_pairs(instruction: Instruction) -> None:
    _check_some(instruction)
    if "" in instruction.arguments[::2]:
        raise _error(instruction, f"not have an empty name in {instruction.keyword}")


def _check_arg(instruction: Instruction) -> None:
    _check_some(instruction)
    if any(argument.startswith("=") for argument in instruction.arguments):
        raise _error(instruction, "not have an empty name in ARG")


def _check_shell(instruction: Instruction) -> None:
    _check_some(instruction)
    if not instruction.is_json:
        raise _error(instruction, """have its command in JSON form, as in 'SHELL ["sh", "-c"]'""")


def _check_volume(instruction: Instruction) -> None:
    _check_some(instruction)
    if any(not strip_spaces(volume) for volume in instruction.arguments):
        raise _error(instruction, "not have an empty volume")


def _check_health_check(instruction: Instruction) -> None:
    _check_some(instruction)
    kind, command = instruction.arguments[0].upper(), instruction.arguments[1:]
    if kind == "NONE":
        if command:
            raise _error(instruction, "have nothing after 'HEALTHCHECK NONE'")
    elif kind != "CMD":
        raise _error(instruction, f"have 'CMD' or 'NONE' after HEALTHCHECK, not {kind!r}")
    elif not command:
        raise _error(instruction, "have a command after 'HEALTHCHECK CMD'")


def _check_run(instruction: Instruction) -> None:
    _check_choice(instruction, "network", _NETWORKS)
    _check_choice(instruction, "security", _SECURITY_MODES)
    check_mounts(instruction)


def _check_choice(instruction: Instruction, flag: str, choices: tuple[str, ...]) -> None:
    value = instruction.flag(flag)
    if value is not None and value not in choices:
        listed = ", ".join(f"'{choice}'" for choice in choices)
        requirement = f"set the flag '--{flag}' to one of {listed}, not {value!r}"
        raise InvalidFlagError(instruction.start_line, requirement)


def _check_on_build(instruction: Instruction) -> None:
    _check_some(instruction)
    trigger = split_keyword(instruction.arguments[0])[0].upper()
    if trigger in ("ONBUILD", "MAINTAINER", "FROM"):
        raise _error(instruction, f"not have {trigger} as the trigger of ONBUILD")


def _error(instruction: Instruction, requirement: str) -> InvalidArgumentsError:
    return InvalidArgumentsError(instruction.start_line, requirement)


CHECKS: Mapping[str, Callable[[Instruction], None]] = MappingProxyType(
    {
        "ADD": _check_copy,
        "ARG": _check_arg,
        "COPY": _check_copy,
        "ENV": _check_pairs,
        "EXPOSE": _check_some,
        "FROM": _check_from,
        "HEALTHCHECK": _check_health_check,
        "LABEL": _check_pairs,
        "MAINTAINER": _check_one,
        "ONBUILD": _check_on_build,
        "RUN": _check_run,
        "SHELL": _check_shell,
        "STOPSIGNAL": _check_one,
        "USER": _check_one,
        "VOLUME": _check_volume,
        "WORKDIR": _check_one,
    }
)
"""What to check per keyword; CMD and ENTRYPOINT accept anything."""
