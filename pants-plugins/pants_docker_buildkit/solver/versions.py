"""Are buildx and BuildKit new enough to keep what is not in the key out of a build?

What is older ignores a source policy without a word.
"""

from __future__ import annotations

import re
from pathlib import Path

from pants_docker_buildkit.buildx.builder import Builder
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.errors import (
    NoPoliciesError,
    NoResourcesError,
    OldBuildKitError,
    OldBuildxError,
)
from pants_docker_buildkit.solver.remembered import remember

Version = tuple[int, int]

OLDEST_BUILDX: Version = (0, 13)
"""It sends source policies since 0.11, and says since 0.13 which image was built of what."""

OLDEST_BUILDKIT: Version = (0, 12)
"""It obeys source policies since 0.11, and since 0.12 also where it looks up what a tag is."""

OLDEST_BUILDKIT_FOR_COMMITS: Version = (0, 22)
"""It compares the commit of a Git reference with `git.checksum`, which others ignore."""

OLDEST_API_FOR_COMMITS: Version = (1, 50)
"""That of Docker Engine 28.2, the first with such a BuildKit."""

OLDEST_BUILDX_FOR_REGO: Version = (0, 32)
"""It obeys policies in Rego since 0.31, and since 0.32 also those that lie outside of a context."""

OLDEST_BUILDX_FOR_RESOURCES: Version = (0, 36)
"""It has `--resource`."""

_API_VERSION = re.compile(r"(\d+)\.(\d+)")
_VERSION = re.compile(r"(?<![\w.])v?(\d+)\.(\d+)\.\d+")


def parse_version(text: str) -> Version | None:
    """The first version in `text`. Some distributions build programs that do not know theirs."""
    found = _VERSION.search(text)
    version = (int(found.group(1)), int(found.group(2))) if found else None
    return version if version != (0, 0) else None


def buildx_says(docker: DockerCli, session: Path) -> str:
    """What buildx says of its version. It is asked once in a session, or the CLI was."""
    if docker.plugin is not None:
        return docker.plugin.version
    return remember(
        session,
        "buildx",
        docker.binary,
        lambda: docker.ask("buildx", "version").stdout,
    )


def buildx_version(docker: DockerCli, session: Path) -> Version | None:
    """The version of buildx; `None` where it is unknown."""
    return parse_version(buildx_says(docker, session))


def check_versions(
    docker: DockerCli,
    builder: Builder,
    session: Path,
    *,
    has_policies: bool = False,
    has_resources: bool = False,
) -> None:
    """Raise `OldBuildxError`, `OldBuildKitError`, `NoPoliciesError` or `NoResourcesError`.

    A version that is not known is let through, unless a policy in Rego might be ignored.
    """
    buildx = buildx_version(docker, session)
    if buildx is not None and buildx < OLDEST_BUILDX:
        raise OldBuildxError(buildx, OLDEST_BUILDX)
    if has_policies and (buildx is None or buildx < OLDEST_BUILDX_FOR_REGO):
        raise NoPoliciesError(buildx, OLDEST_BUILDX_FOR_REGO)
    if has_resources and buildx is not None and buildx < OLDEST_BUILDX_FOR_RESOURCES:
        raise NoResourcesError(buildx, OLDEST_BUILDX_FOR_RESOURCES)
    for text in builder.buildkit_versions:
        version = parse_version(text)
        if version is not None and version < OLDEST_BUILDKIT:
            raise OldBuildKitError(builder.called, version, OLDEST_BUILDKIT)


def compares_commits(docker: DockerCli, builder: Builder, session: Path) -> bool:
    """Whether a builder is known to refuse a Git reference that is another commit than it says.

    The BuildKit of an engine that a distribution built may not know its version. Then it is asked
    for the version of its API, once in a session.
    """
    versions = [parse_version(text) for text in builder.buildkit_versions]
    if builder.is_docker_engine and None in versions and not docker.is_standalone_buildx:
        place = (docker.environment.get(each, "") for each in ("DOCKER_HOST", "DOCKER_CONTEXT"))
        question = ("version", "--format", "{{.Server.APIVersion}}")
        said = remember(session, "api", "\0".join(place), lambda: docker.ask(*question).stdout)
        api = _API_VERSION.match(said)
        return api is not None and (int(api[1]), int(api[2])) >= OLDEST_API_FOR_COMMITS
    # Of a node that is not booted, nothing is known.
    return len(versions) >= max(len(builder.node_platforms), 1) and all(
        version is not None and version >= OLDEST_BUILDKIT_FOR_COMMITS for version in versions
    )
