"""What a build process may know of this machine and this session, and never finds in its key.

It asks the session for it (`questions.py`); see `docs/decisions/0015-a-session-answers.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from pants_docker_buildkit.buildx.builder_description import BuilderDescription
from pants_docker_buildkit.registry.settings import Reach


@dataclass(frozen=True)
class Profile:
    """How this session reaches Docker, and servers.

    `docker` is the path or name of the program, if `[docker-buildkit].docker` says it.
    """

    reach: Reach
    docker: Optional[str] = None

    @property
    def environment(self) -> dict[str, str]:
        """All that `docker` gets to see."""
        return dict(self.reach.environment)


@dataclass(frozen=True)
class BuildSettings:
    """What one build is told besides its definition, none of which can change the image.

    `secrets` maps IDs to sources (`registry/secret_source.py`). With `passes_proxies`, `RUN` steps
    get the user's proxies. `progress` says how much of a running build goes into the session's
    `PROGRESS_FILE`. `build_timeout` is in seconds; with `is_test`, it is the `timeout` of a test.
    `max_builds` is how many builds run at once on the builder, from this machine. `resources` are
    limits of each `RUN` step.
    `described_builder` is what the options say of `builder`, unless that is one of the user's own.
    `context_name` is what a builder knows the context of this target in this checkout by;
    `mirrors` are the routes of `ImageMirrors`.
    """

    target: str
    context_name: str = "context"
    builder: Optional[str] = None
    described_builder: Optional[BuilderDescription] = None
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    inline_cache_tag: str = "buildcache"
    secrets: tuple[tuple[str, str], ...] = ()
    ssh: tuple[str, ...] = ()
    build_timeout: Optional[int] = None
    is_test: bool = False
    max_builds: Optional[int] = None
    resources: tuple[tuple[str, str], ...] = ()
    passes_proxies: bool = True
    progress: str = "quiet"
    mirrors: tuple[tuple[str, str], ...] = ()
