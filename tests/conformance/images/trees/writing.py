"""The words that the lists of trees are written with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.conformance.images.tree import Expected, Files, Special, Tree

SCRATCH = "FROM scratch"
BASE = "FROM %BUSYBOX%"
ACCOUNTS: Files = {
    "passwd": "root:x:0:0::/:/bin/sh\nada:x:1001:1002::/home/ada:/bin/sh\n",
    "group": "root:x:0:\nstaff:x:1002:\nwheel:x:1003:\n",
}
COPY_ACCOUNTS = "COPY passwd group /etc/"


def tree(
    name: str,
    *lines: str,
    files: Files | None = None,
    contexts: Mapping[str, Files] | None = None,
    forced: tuple[Expected, ...] = (),
    sources: tuple[str, ...] = ("**", "!BUILD"),
    **fields: Any,
) -> Tree:
    """A tree whose Dockerfile has these lines, and whose image target these fields."""
    return Tree(
        name,
        "\n".join(lines) + "\n",
        {} if files is None else files,
        fields,
        {} if contexts is None else contexts,
        forced,
        sources=sources,
    )


def program(content: str = "#!/bin/sh\necho program\n") -> Special:
    return Special(content, mode=0o755)
