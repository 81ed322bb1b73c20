"""Open the session that a rule runs in, and ask registries as that session.

What belongs to one session is no value that rules hand on, or all that depends on it would run
again in the next one. It is in the `SessionKeeper` of the graph, of which there is one. A rule that
needs it asks for the `Session` first, or has both as parameters: the former is the same value in
every session, and opens it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pants.engine.fs import EMPTY_FILE_DIGEST, NativeDownloadFile
from pants.engine.internals.session import RunId, SessionValues
from pants.option.global_options import NamedCachesDirOption

from pants_docker_buildkit.compat import download_file, implicitly, rule
from pants_docker_buildkit.errors import UnusableCacheError
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.confirmation import Confirmation
from pants_docker_buildkit.registry.credentials import invalid_configurations
from pants_docker_buildkit.registry.layer_check import LAYERS_DIRECTORY, LayerCheck
from pants_docker_buildkit.registry.settings import Patience, Reach
from pants_docker_buildkit.session.directory import UnusableDirectoryError, session_directory
from pants_docker_buildkit.session.local_engine import LocalEngine
from pants_docker_buildkit.session.profile import Profile
from pants_docker_buildkit.session.running import RunningSession, Services, SessionKeeper
from pants_docker_buildkit.solver.chosen_docker import engine_socket
from pants_docker_buildkit.solver.engine_search import EngineSearch
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem, SignaturesSubsystem
from pants_docker_buildkit.util_rules.credentials import find_accounts, source_environment
from pants_docker_buildkit.util_rules.docker_environment import (
    DockerEnvironment,
    resolve_docker_environment,
)
from pants_docker_buildkit.util_rules.option_values import seconds
from pants_docker_buildkit.util_rules.registries import (
    ConfiguredRegistries,
    read_configured_registries,
)
from pants_docker_buildkit.util_rules.signing_settings import signing_settings

logger = logging.getLogger(__name__)


@rule
async def keep_session() -> SessionKeeper:
    return SessionKeeper()


@dataclass(frozen=True)
class Session:
    """The session is open. The same value in every session of one Pants process."""

    directory: Path


@dataclass(frozen=True)
class SessionMark:
    """Another value in every session: a rule that asks for it runs again in the next one."""

    run_id: RunId


@rule
async def mark_session(run_id: RunId) -> SessionMark:
    return SessionMark(run_id)


def _profile(
    registries: ConfiguredRegistries, docker: DockerEnvironment, subsystem: DockerBuildKitSubsystem
) -> Profile:
    settings = tuple(registries.settings.items())
    timeout = seconds("registry_timeout", subsystem.registry_timeout)
    patience = Patience(read_timeout=float(timeout))
    return Profile(Reach(docker.variables, settings, patience), docker.docker)


@rule(desc="Open session")
async def open_session(
    named_caches: NamedCachesDirOption,
    run_id: RunId,
    session_values: SessionValues,
    subsystem: DockerBuildKitSubsystem,
    signatures: SignaturesSubsystem,
) -> Session:
    docker = await resolve_docker_environment(**implicitly())
    registries = await read_configured_registries(**implicitly())
    accounts = (await find_accounts(**implicitly())).accounts
    keeper = await keep_session(**implicitly())
    directory = session_directory(Path(named_caches.val))
    environment = source_environment(session_values, docker)
    signing = signing_settings(signatures, environment)

    def begin() -> RunningSession:
        for problem in invalid_configurations(environment):
            logger.warning(problem)
        profile = _profile(registries, docker, subsystem)
        return RunningSession(
            directory,
            profile,
            environment,
            accounts,
            Services(
                RegistryClients(profile.reach, accounts=accounts, memory=keeper.memory),
                LocalEngine(
                    EngineSearch(dict(docker.variables)).described,
                    partial(engine_socket, profile, directory),
                ),
                LayerCheck(directory.parent / LAYERS_DIRECTORY) if subsystem.check_layers else None,
                signing,
                # It is another one in each session.
                lambda: keeper.show_progress(),
            ),
        )

    try:
        keeper.open(str(run_id), begin)
    except UnusableDirectoryError as e:
        raise UnusableCacheError(str(e)) from e
    return Session(directory)


async def running_session() -> RunningSession:
    """The session that a rule runs in, open."""
    await open_session(**implicitly())
    return (await keep_session(**implicitly())).running


async def wait_for(
    running: RunningSession, futures: Sequence[Future[Any]], *, blocks: bool = True
) -> None:
    """Have the answers of `futures`, without keeping a thread of Pants meanwhile.

    With `blocks` it may be kept for a moment, which is cheaper for answers that come soon.
    """
    url = running.waits.join(futures, blocks=blocks)
    if url is not None:
        try:
            await download_file(NativeDownloadFile(url, EMPTY_FILE_DIGEST))
        except Exception as e:
            # Whoever needs the answers blocks then.
            logger.debug(f"Cannot wait by a file: {e}")
        running.waits.end(url)


async def ask_registries(references: Sequence[ImageReference]) -> tuple[Confirmation, ...]:
    """What registries say of each reference in this session. The rule waits without a thread.

    Only for rules that run again in every session: the answers are of this one.
    """
    running = await running_session()
    futures = [running.confirmations.submit(each) for each in references]
    await wait_for(running, futures)
    return tuple(future.result() for future in futures)
