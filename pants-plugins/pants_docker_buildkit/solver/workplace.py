"""Where does a build run: with which CLI, on which builder, and as whom to registries?"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from pants_docker_buildkit.buildx.builder import Builder
from pants_docker_buildkit.buildx.user_policy import POLICY_VARIABLE
from pants_docker_buildkit.oci.mirrors import ImageMirrors
from pants_docker_buildkit.registry.settings import Reach
from pants_docker_buildkit.session.directory import scratch_directory
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.session.questions import BuildSecret, SessionClient
from pants_docker_buildkit.solver.build_platforms import check_build_platforms
from pants_docker_buildkit.solver.build_repositories import add_references, build_repositories
from pants_docker_buildkit.solver.builder_choice import engine_host
from pants_docker_buildkit.solver.builder_pool import reserve_builder
from pants_docker_buildkit.solver.builder_template import template_path
from pants_docker_buildkit.solver.buildx_plugin import with_plugin
from pants_docker_buildkit.solver.chosen_docker import LOCAL_OUTPUT
from pants_docker_buildkit.solver.cloud_caches import warn_of_dropped_caches
from pants_docker_buildkit.solver.context_memory import CONTEXTS_DIRECTORY, node_identity
from pants_docker_buildkit.solver.definition import BuildDefinition, BuildJob
from pants_docker_buildkit.solver.described_builder import ChosenBuilder
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.docker_config import allow_logins, with_private_config
from pants_docker_buildkit.solver.engine_bridge import BUILDER_NAME, Engine, bridged_builder
from pants_docker_buildkit.solver.engine_search import DEFAULT_CONTEXT, engine_environment
from pants_docker_buildkit.solver.errors import ContainerdStoreError, DockerCliNeededError
from pants_docker_buildkit.solver.proxy_args import proxy_build_args
from pants_docker_buildkit.solver.source_policy import named_in_git, render_source_policy
from pants_docker_buildkit.solver.versions import (
    buildx_says,
    check_versions,
    compares_commits,
)


@dataclass(frozen=True)
class Workplace:
    """Where one build runs: the CLI and builder, the input tree, and a directory of its own.

    `secrets` are those that the builder may ask for, `reach` says how registries are reached,
    `proxies` are build arguments for its steps. A builder of the plugin's own lies in
    `own_buildx_config`. `attempt` is a name that no other build has. The contexts lie in
    `contexts`, which nobody else changes as long as `lock`, a descriptor, is open anywhere. With
    `git_by_name`, the builder looks up branches and tags of Git, which may have moved.
    """

    docker: DockerCli
    builder: Builder
    builder_name: str | None
    inputs: Path
    scratch: Path
    session: SessionClient
    secrets: tuple[BuildSecret, ...] = ()
    reach: Reach = field(default_factory=Reach)
    proxies: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    own_buildx_config: str | None = None
    contexts: Path = Path()
    lock: int | None = None
    git_by_name: bool = False
    attempt: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def users_builder_name(self) -> str | None:
        """What the user calls the builder, which has another name where it is an engine."""
        return self.builder.name if self.builder.is_docker_engine else self.builder_name


def _build_environment(policy: Path) -> dict[str, str]:
    """What buildx finds in its environment, whatever the user's is."""
    return {
        POLICY_VARIABLE: str(policy),
        "BUILDX_METADATA_PROVENANCE": "max",
        # The sandbox may lie in somebody's worktree, whose commit is none of the build's.
        "BUILDX_GIT_INFO": "false",
        "NO_COLOR": "1",
    }


def _at_engine(chosen: ChosenBuilder) -> DockerCli:
    """The CLI for the engine that is the builder, if one is."""
    docker, builder = chosen.docker, chosen.builder
    if not builder.is_docker_engine:
        return docker
    docker = docker.with_environment(engine_environment(docker.environment))
    # buildx uses the builder of a context only where that is the current one.
    is_current = builder.endpoint == DEFAULT_CONTEXT
    return docker if is_current else docker.at_engine(builder.endpoint)


def _accept(
    definition: BuildDefinition, repositories: dict[str, str], config: Path, chosen: ChosenBuilder
) -> None:
    """Make ready for a builder, and refuse one that would make another image."""
    if chosen.builder.images:
        # The build boots the builder, which pulls what it runs.
        add_references(repositories, chosen.builder.images)
        allow_logins(config, repositories)
    check_build_platforms(definition, chosen)


def _check_builder(
    docker: DockerCli,
    builder: Builder,
    definition: BuildDefinition,
    settings: BuildSettings,
    session: Path,
) -> None:
    """Refuse a builder that cannot do what it is told, or would ignore it without a word."""
    if builder.is_docker_engine and not builder.has_containerd_store:
        raise ContainerdStoreError(definition.output)
    check_versions(
        docker,
        builder,
        session,
        has_policies=bool(definition.policies),
        has_resources=bool(settings.resources),
    )


def _may_name_git(
    docker: DockerCli, builder: Builder, definition: BuildDefinition, session: Path
) -> bool:
    """Whether there are branches or tags of Git that the builder can look up without harm."""
    return bool(named_in_git(definition)) and compares_commits(docker, builder, session)


@contextmanager
def open_workplace(
    job: BuildJob,
    settings: BuildSettings,
    docker: DockerCli,
    session: SessionClient,
    inputs: Path,
    *,
    git_by_commit: bool = False,
) -> Iterator[Workplace]:
    """A workplace for this job, which ends with the block. Raises a `SolverError`.

    With `git_by_commit`, branches and tags of Git are read by their commits on any builder.
    """
    output = job.definition.output
    if output == "docker" and docker.is_standalone_buildx:
        raise DockerCliNeededError(LOCAL_OUTPUT, docker.search_path)
    caches = (*settings.cache_from, *settings.cache_to)
    warn_of_dropped_caches(session.directory, caches, docker.environment)
    proxies: tuple[tuple[str, str], ...] = ()
    if settings.passes_proxies:
        proxies = proxy_build_args(docker.environment, job.definition)
    with ExitStack() as stack:
        scratch = stack.enter_context(scratch_directory(session.directory))
        repositories = build_repositories(job, settings)
        policy = scratch / "source-policy.json"
        docker = docker.with_environment(_build_environment(policy))
        docker = with_private_config(docker, session.directory, scratch / "docker", repositories)
        docker = with_plugin(docker, session.directory)
        accept = partial(_accept, job.definition, repositories, scratch / "docker")
        chosen = stack.enter_context(
            reserve_builder(docker, settings, job.definition.platforms, session.directory, accept)
        )
        docker, builder = _at_engine(chosen), chosen.builder
        _check_builder(docker, builder, job.definition, settings, session.directory)
        git_by_name = not git_by_commit and _may_name_git(
            docker, builder, job.definition, session.directory
        )
        mirrors = ImageMirrors(settings.mirrors)
        policy.write_bytes(render_source_policy(job.definition, mirrors, git_by_name=git_by_name))
        place = Workplace(
            docker,
            builder,
            chosen.name,
            inputs,
            scratch,
            session,
            proxies=proxies,
            reach=session.profile.reach,
            own_buildx_config=chosen.own_buildx_config,
            git_by_name=git_by_name,
        )
        if builder.is_docker_engine and output == "registry":
            engine = Engine(engine_host(docker, builder), builder.name)
            root = session.directory.parent
            identity = node_identity(root / CONTEXTS_DIRECTORY)
            template = template_path(root, buildx_says(docker, session.directory))
            with bridged_builder(docker, engine, scratch, identity, template) as bridged:
                yield replace(place, docker=bridged, builder_name=BUILDER_NAME)
        else:
            yield place
