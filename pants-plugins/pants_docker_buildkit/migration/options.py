"""Which `[docker-buildkit]` options are those of `[docker]` in a configuration file?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEADER = re.compile(r"\s*\[(?P<name>[^\[\]]+)\]\s*(#.*)?")
_OPTION = re.compile(r"(?P<name>[\w-]+)(\.(add|remove))?\s*=")
_STRING = re.compile(r'"(\\.|[^"\\])*"|\'[^\']*\'|#.*')

_OURS = frozenset(
    {
        *("default_repository", "default_context_root", "registries", "build_args", "env_vars"),
        *("executable_search_paths", "run_args", "tailor"),
    }
)
_TABLE = "[docker-buildkit]\n"
_OLD_NAMES = 'default_repository = "{name}"  # the default of [docker]\n'
_GONE = {
    "use_buildx": "buildx always builds",
    "tools": "credential helpers are found on `executable_search_paths`",
    "optional_tools": "credential helpers are found on `executable_search_paths`",
    "publish_noninteractively": "`publish` needs no terminal",
    "suggest_renames": "a path that no dependency provides is an error with a suggestion",
    "push_on_package": "`package` pushes by digest; `output` of a target says otherwise",
    "build_target_stage": "set `target_stage`, in `__defaults__` for all",
    "build_hosts": "set `extra_build_hosts`, in `__defaults__` for all",
    "build_no_cache": "set `no_cache`, in `__defaults__` for all",
    "build_extra_options": "most have a field: `shm_size`, `ulimits`, `entitlements`, …",
    "experimental_enable_podman": "`docker` names the program; podman has no buildx",
    "build_verbose": 'set `progress = "plain"`',
}


@dataclass(frozen=True)
class _Lines:
    """Lines that belong together: a header, an option with all of its value, or what is neither."""

    option: str | None
    text: str


def move_options(text: str) -> str:
    """The tables to write in place of `[docker]` and those below it. Empty if there are none."""
    moved = []
    for table, lines in _tables(text):
        if not _is_docker(table):
            continue
        moved.append(f"[docker-buildkit{table[len('docker') :]}]\n")
        moved += (_move(each) if table == "docker" else each.text for each in lines)
    return re.sub(r"\n{3,}", "\n\n", "".join(moved)).strip("\n") + "\n" if moved else ""


def names_images(options: str) -> bool:
    """Whether tables that `move_options` gave say how repositories are called."""
    return any(line.startswith("default_repository") for line in options.splitlines())


def name_as_before(options: str) -> str:
    """These tables with the default that `docker_image` has for the names of repositories."""
    if _TABLE in options:
        return options.replace(_TABLE, f"{_TABLE}{_OLD_NAMES}", 1)
    return f"{_TABLE}{_OLD_NAMES}\n{options}".rstrip("\n") + "\n"


def _is_docker(table: str) -> bool:
    return table == "docker" or table.startswith("docker.")


def _move(lines: _Lines) -> str:
    if lines.option is None or lines.option in _OURS:
        return lines.text
    if lines.option == "build_verbose" and lines.text.partition("=")[2].strip() == "true":
        return 'progress = "plain"\n'
    reason = _GONE.get(lines.option, "there is no such option")
    return f"# {lines.option}: {reason}.\n"


def _tables(text: str) -> Iterator[tuple[str, list[_Lines]]]:
    """The tables of a file, each with the lines below its header."""
    table, below = "", list[_Lines]()
    for lines in _logical_lines(text):
        header = _HEADER.fullmatch(lines.text.rstrip("\n"))
        if header is None:
            below.append(lines)
        else:
            yield table, below
            table, below = header["name"].strip(), []
    yield table, below


def _logical_lines(text: str) -> Iterator[_Lines]:
    waiting: list[str] = []
    depth = 0
    for line in text.splitlines(keepends=True):
        waiting.append(line if line.endswith("\n") else f"{line}\n")
        if len(waiting) == 1 and _HEADER.fullmatch(line.rstrip("\n")):
            yield _Lines(None, waiting.pop())
            continue
        bare = _STRING.sub("", line)
        depth += sum(bare.count(each) for each in "[{") - sum(bare.count(each) for each in "]}")
        if depth <= 0:
            option = _OPTION.match(waiting[0].lstrip())
            yield _Lines(None if option is None else option["name"], "".join(waiting))
            waiting, depth = [], 0
