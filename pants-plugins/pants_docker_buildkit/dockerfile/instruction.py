"""What is one instruction of a Dockerfile made of?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Heredoc:
    """A document written into a Dockerfile: `<<EOF … EOF`.

    `chomps` stands for `<<-`, which removes leading tabs. `content` is as written, tabs included.
    """

    name: str
    chomps: bool
    content: str = ""


@dataclass(frozen=True)
class Flag:
    """`--name=value`, or `--name` alone. Quotes around it are gone, variables are not expanded."""

    name: str
    value: str | None


@dataclass(frozen=True)
class Instruction:
    """One instruction, with its continued lines and heredocs.

    `keyword` is in upper case. `text` is what BuildKit keeps of the lines: joined, without comments
    and heredocs. Lines count from 1, and `end_line` is that of the last heredoc's end.

    `arguments` depend on the keyword: the words of `FROM`, `ARG`, `COPY`, `EXPOSE`…; the list of a
    JSON form; the whole command of a shell form as one; name and value of `ENV` and `LABEL` in
    turn. `ONBUILD` has one, its trigger with heredocs.
    """

    keyword: str
    text: str
    start_line: int
    end_line: int
    arguments: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    heredocs: tuple[Heredoc, ...] = ()
    is_json: bool = False

    def flag(self, name: str) -> str | None:
        """The value of the flag `name`; `"true"` where it stands without one."""
        return next(iter(self.flag_values(name)), None)

    def flag_values(self, name: str) -> tuple[str, ...]:
        """The values of a flag that may repeat, in order."""
        return tuple(
            "true" if flag.value is None else flag.value for flag in self.flags if flag.name == name
        )

    def is_enabled(self, name: str) -> bool:
        """Whether a switch such as `--link` is on."""
        return (self.flag(name) or "false").lower() == "true"
