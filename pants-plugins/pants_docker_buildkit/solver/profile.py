"""What a build process may know of this machine and this session, and never finds in its key.

The rules write it below an append-only cache directory that only the user can read; see
`docs/decisions/0001-out-of-band-profile.md`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Optional

PROFILE_FILE = "profile.json"
SETTINGS_DIRECTORY = "builds"
EVENTS_DIRECTORY = "events"
PROGRESS_FILE = "progress.log"


@dataclass(frozen=True)
class Profile:
    """How this session reaches Docker. `environment` is all that `docker` gets to see.

    `docker` is the path or name of the program, if `[docker-buildkit].docker` says it.
    """

    environment: tuple[tuple[str, str], ...]
    docker: Optional[str] = None

    def to_json(self) -> bytes:
        """As `parse_profile` reads it."""
        return json.dumps(asdict(self)).encode()


@dataclass(frozen=True)
class BuildSettings:
    """What one build is told besides its definition, none of which can change the image.

    `secrets` maps IDs to absolute paths. `insecure_registries` are spoken to in plain HTTP.
    With `shows_progress`, what BuildKit says goes into the session's `PROGRESS_FILE` as it comes.
    """

    target: str
    builder: str | None = None
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    inline_cache_tag: str = "buildcache"
    secrets: tuple[tuple[str, str], ...] = ()
    ssh: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    shows_progress: bool = False

    def to_json(self) -> bytes:
        """As `parse_settings` reads it."""
        return json.dumps(asdict(self)).encode()


def parse_profile(text: bytes) -> Profile:
    """What `Profile.to_json` wrote."""
    return Profile(**_frozen_fields(text))


def parse_settings(text: bytes) -> BuildSettings:
    """What `BuildSettings.to_json` wrote."""
    return BuildSettings(**_frozen_fields(text))


def settings_path(session: Path, build_key: str) -> Path:
    """Where the settings of the build with this key lie."""
    return session / SETTINGS_DIRECTORY / f"{build_key}.json"


def event_path(session: Path, build_key: str, generation: int) -> Path:
    """What exists once this session has run the build."""
    return session / EVENTS_DIRECTORY / f"{build_key}.{generation}.json"


def _frozen_fields(text: bytes) -> dict[str, Any]:
    return {key: _frozen(value) for key, value in json.loads(text).items()}


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
