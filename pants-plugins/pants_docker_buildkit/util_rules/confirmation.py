"""Is what a record says still true, and what did this session do for it?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.process import Process, ProcessCacheScope
from pants.engine.rules import Rule, collect_rules
from pants.util.logging import LogLevel

from pants_docker_buildkit.compat import execute_process, implicitly, uncacheable_rule
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.confirmation import Missing, Unknown
from pants_docker_buildkit.solver.local_image import LocalImage
from pants_docker_buildkit.solver.main import CHECK_COMMAND
from pants_docker_buildkit.solver.profile import event_path, settings_path
from pants_docker_buildkit.util_rules.registries import (
    RegistryAccessRequest,
    prepare_registry_access,
)
from pants_docker_buildkit.util_rules.session import (
    CACHE_LINK,
    CACHE_NAME,
    PROCESS_PATH,
    RUN_SCRIPT,
    SESSION_IN_SANDBOX,
    WAITS_DIRECTORY,
    SessionRequest,
    open_session,
)

# It also ends with its session, so that it is never left behind.
_WAIT_SCRIPT = f"""\
waits="{SESSION_IN_SANDBOX}/{WAITS_DIRECTORY}"
until [ -e "$waits/$1" ] || [ ! -d "$waits" ]; do sleep 0.01; done
"""


@dataclass(frozen=True)
class ConfirmationRequest:
    """Asks about the result of one build.

    `references` are pinned and in registries; `local_reference` is pinned and in the local engine,
    where it also gets `local_tags`. A layout has neither.
    """

    build_key: str
    generation: int
    references: tuple[str, ...] = ()
    local_reference: str | None = None
    local_tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageConfirmation:
    """What is known of an image in this session.

    `missing` are the references that their registry or engine does not have, `problem` is why it
    could not be asked. `was_requested` tells whether this session looked for the record,
    `was_built` whether it ran the build.
    """

    missing: tuple[str, ...]
    problem: str
    was_requested: bool
    was_built: bool


@uncacheable_rule(desc="Confirm image with its registry")
async def confirm_image(request: ConfirmationRequest) -> ImageConfirmation:
    session = await open_session(SessionRequest(), **implicitly())
    missing: tuple[str, ...] = ()
    problem = ""
    was_built = event_path(session.path, request.build_key, request.generation).exists()
    if request.references:
        access = await prepare_registry_access(RegistryAccessRequest(), **implicitly())
        references = [ImageReference.parse(text) for text in request.references]
        if was_built:
            # An earlier generation may have asked before the build pushed the same digest.
            for reference in references:
                access.confirmations.forget(reference)
        futures = [access.confirmations.submit(reference) for reference in references]
        token = access.waits.join(futures, session.path / WAITS_DIRECTORY)
        if token is not None:
            await execute_process(_wait_process(token), **implicitly())
        answers = [future.result() for future in futures]
        missing = tuple(
            text for text, answer in zip(request.references, answers) if isinstance(answer, Missing)
        )
        problem = next((str(each.error) for each in answers if isinstance(each, Unknown)), "")
    if request.local_reference is not None:
        check = _engine_check(request)
        answer = await execute_process(check, **implicitly())
        if answer.exit_code != 0:
            problem = answer.stderr.decode("utf-8", "replace").strip()
        elif answer.stdout.decode().strip() != LocalImage.PRESENT.value:
            missing = (request.local_reference,)
    return ImageConfirmation(
        missing,
        problem,
        was_requested=settings_path(session.path, request.build_key).exists(),
        was_built=was_built,
    )


def _wait_process(token: str) -> Process:
    return Process(
        argv=("/bin/sh", "-c", _WAIT_SCRIPT, "wait", token),
        description="Wait for registries",
        env={"PATH": PROCESS_PATH},
        append_only_caches={CACHE_NAME: CACHE_LINK},
        cache_scope=ProcessCacheScope.PER_SESSION,
        level=LogLevel.DEBUG,
    )


def _engine_check(request: ConfirmationRequest) -> Process:
    assert request.local_reference is not None
    # The generation makes it another process, so that the engine is asked again after a build.
    arguments = (str(request.generation), request.local_reference, *request.local_tags)
    return Process(
        argv=("/bin/sh", "-c", RUN_SCRIPT, CHECK_COMMAND, CHECK_COMMAND, *arguments),
        description=f"Look for {request.local_reference} in the local Docker Engine",
        env={"PATH": PROCESS_PATH},
        append_only_caches={CACHE_NAME: CACHE_LINK},
        cache_scope=ProcessCacheScope.PER_SESSION,
        level=LogLevel.DEBUG,
    )


def rules() -> Iterable[Rule]:
    return collect_rules()
