"""What was built here before, so that the next build can say why it runs.

One file per target and checkout below the user's cache. It decides nothing: a history that is lost
or wrong only makes the reason vaguer.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pants_docker_buildkit.solver.definition import IMAGE_SCHEME

HISTORY_DIRECTORY = "history"
_MANY_FILES = 2000
_SHOWN_FILES = 2


@dataclass(frozen=True)
class PastBuild:
    """The last build of a target: its definition, and the hash of each file of its context.

    `files` is empty for a context too large to remember.
    """

    build_digest: str
    definition: Mapping[str, Any]
    files: Mapping[str, str]

    @classmethod
    def create(
        cls, build_digest: str, definition: Mapping[str, Any], files: Mapping[str, str]
    ) -> PastBuild:
        """What is worth remembering of a build."""
        plain = json.loads(json.dumps(definition))
        return cls(build_digest, plain, dict(files) if len(files) <= _MANY_FILES else {})


def history_path(root: Path, buildroot: str, address: str) -> Path:
    """Where the history of a target of a checkout lies."""
    key = hashlib.sha256(f"{buildroot}\0{address}".encode()).hexdigest()[:32]
    return root / HISTORY_DIRECTORY / f"{key}.json"


def read_past_build(path: Path) -> PastBuild | None:
    """The last build, `None` if there is none or its history cannot be read."""
    try:
        document = json.loads(path.read_bytes())
        definition, files = dict(document["definition"]), dict(document["files"])
        return PastBuild(document["build_digest"], definition, files)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def write_past_build(path: Path, build: PastBuild) -> None:
    """Remember a build. A history that cannot be written is not worth failing for."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(asdict(build)))
        os.replace(temporary, path)
    except OSError:
        return


def explain_build(past: PastBuild | None, now: PastBuild) -> str:
    """Why `now` has to be built, as the rest of a sentence that starts with the image."""
    if past is None:
        return "first build here"
    if past.build_digest == now.build_digest:
        return "no cached record"
    changed = [key for key, value in now.definition.items() if past.definition.get(key) != value]
    if "dockerfile" in changed and past.files == now.files:
        # Of the context, only the Dockerfile in it is another.
        changed = [key for key in changed if key != "context"]
    try:
        reasons = [_explain(key, past, now) for key in sorted(changed)]
    except (LookupError, TypeError):
        # Another version of the plugin wrote this history.
        return "definition changed"
    return ", ".join(dict.fromkeys(filter(None, reasons))) or "definition changed"


def _explain(key: str, past: PastBuild, now: PastBuild) -> str:
    if key == "dockerfile":
        return "Dockerfile changed"
    if key == "context":
        return _explain_files(past.files, now.files)
    before, after = past.definition.get(key), now.definition[key]
    if key in ("build_args", "labels", "annotations") and isinstance(before, list):
        names = sorted({pair[0] for pair in _difference(before, after)})
        return (
            f"{key.replace('_', ' ').rstrip('s')} {names[0]} changed" if names else f"{key} changed"
        )
    if key == "named_contexts" and isinstance(before, list):
        names = sorted({each["name"] for each in _difference(before, after)})
        return f"{names[0]} changed" if names else "named contexts changed"
    if key == "sources" and isinstance(before, list):
        return _explain_sources(_difference(before, after))
    return f"{key.replace('_', ' ')} changed"


def _explain_sources(changed: list[Any]) -> str:
    """What has moved. What names its own digest changed with the text or argument that names it."""
    moved = sorted(
        {each["identifier"] for each in changed if each["identifier"] != each["pinned"]}
        | {each["identifier"] for each in changed if each["checksum"]}
    )
    return f"{moved[0].removeprefix(IMAGE_SCHEME)} changed" if moved else ""


def _difference(before: list[Any], after: list[Any]) -> list[Any]:
    return [each for each in (*before, *after) if (each in before) != (each in after)]


def _explain_files(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    if not before or not after:
        return "context changed"
    paths = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    if not paths:
        return "context changed"
    shown = ", ".join(_how(path, before, after) for path in paths[:_SHOWN_FILES])
    more = len(paths) - _SHOWN_FILES
    return f"{shown} and {more} more" if more > 0 else shown


def _how(path: str, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    if path not in before:
        return f"{path} added"
    return f"{path} changed" if path in after else f"{path} removed"
