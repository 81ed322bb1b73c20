"""Why a Dockerfile cannot be built by any BuildKit.

    DockerfileError
    ├── InvalidDirectiveError
    ├── LineTooLongError
    ├── InvalidHeredocError
    ├── InvalidArgumentsError
    │   └── InvalidMountError
    ├── InvalidFlagError
    │   └── UnknownFlagError
    ├── MissingStageError
    ├── InvalidExpansionError
    ├── InvalidPlatformError
    ├── UnknownStageError
    └── InvalidStageUseError

What a newer BuildKit might understand is no error but a `Limit` of the analysis.
"""

from __future__ import annotations

from collections.abc import Iterable


class DockerfileError(ValueError):
    """A Dockerfile breaks a rule. `requirement` completes "must …"; `line` counts from 1."""

    def __init__(self, line: int | None, requirement: str) -> None:
        self.line = line
        self.requirement = requirement
        subject = "The Dockerfile" if line is None else f"Line {line} of the Dockerfile"
        super().__init__(f"{subject} must {requirement}.")


class InvalidDirectiveError(DockerfileError):
    """A parser directive (`# escape=`) has a value that is not allowed, or appears twice."""


class LineTooLongError(DockerfileError):
    """A line exceeds what BuildKit reads."""

    def __init__(self, line: int, limit: int) -> None:
        super().__init__(line, f"have at most {limit} bytes")


class InvalidHeredocError(DockerfileError):
    """A heredoc has no end, or stands where none may."""


class InvalidArgumentsError(DockerfileError):
    """An instruction has too few, too many or malformed arguments."""


class InvalidMountError(InvalidArgumentsError):
    """A `RUN --mount` is malformed."""


class InvalidFlagError(DockerfileError):
    """A flag of an instruction lacks its value, has a wrong one, or appears twice."""


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


class UnknownFlagError(InvalidFlagError):
    """An instruction has no such flag."""

    def __init__(self, line: int, keyword: str, flag: str, known: Iterable[str]) -> None:
        self.flag = flag
        names = _quoted(f"--{name}" for name in sorted(known))
        hint = f"Its flags: {names}" if names else f"{keyword} takes no flags"
        super().__init__(line, f"not use the flag '{flag}', which {keyword} does not have. {hint}")


class MissingStageError(DockerfileError):
    """There is no `FROM`, or an instruction stands before the first one."""


class InvalidExpansionError(DockerfileError):
    """A variable expression is malformed, or requires a variable that has no value."""

    def __init__(self, line: int, expression: str, requirement: str) -> None:
        self.expression = expression
        shown = expression if len(expression) <= 80 else f"{expression[:77]}..."
        super().__init__(line, f"{requirement} (in {shown!r})")


class InvalidPlatformError(DockerfileError):
    """The `--platform` of a `FROM` is empty or malformed."""


class UnknownStageError(DockerfileError):
    """The stage to build is not in the Dockerfile."""

    def __init__(self, stage: str, names: Iterable[str]) -> None:
        self.stage = stage
        listed = _quoted(names)
        self.hint = f"Stages there: {listed}" if listed else "None of its stages has a name"
        super().__init__(None, f"have the stage '{stage}', but it has not. {self.hint}")


class InvalidStageUseError(DockerfileError):
    """A stage is used by an index that does not exist, before it is defined, or by itself."""
