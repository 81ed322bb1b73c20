"""Is what a record says still true?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pants.engine.internals.session import RunId
from pants.engine.process import Process, ProcessCacheScope
from pants.engine.rules import Rule, collect_rules
from pants.util.logging import LogLevel

from pants_docker_buildkit.compat import execute_process, implicitly, rule, uncacheable_rule
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.confirmation import Confirmation, Missing, Present, Unknown
from pants_docker_buildkit.solver.local_image import LocalImage
from pants_docker_buildkit.solver.main import CHECK_COMMAND
from pants_docker_buildkit.util_rules.confirmed_images import (
    ConfirmedImagesRequest,
    ShardRequest,
    confirm_shard,
    keep_confirmed_images,
    shard_of,
)
from pants_docker_buildkit.util_rules.registry_access import (
    KeptAccessRequest,
    RegistryAccessRequest,
    keep_registry_access,
    prepare_registry_access,
)
from pants_docker_buildkit.util_rules.registry_wait import WaitRequest, wait_for_registries
from pants_docker_buildkit.util_rules.session import (
    CACHE_LINK,
    CACHE_NAME,
    PROCESS_PATH,
    RUN_SCRIPT,
    WAITS_DIRECTORY,
    SessionRequest,
    open_session,
)


@dataclass(frozen=True)
class ImageConfirmation:
    """What is known of an image in this session.

    `missing` are the references that their registry or engine does not have, `problem` is why it
    could not be asked.
    """

    missing: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class ConfirmationRequest:
    """Asks whether registries have an image under these pinned references.

    `was_pushed` tells that this session pushed it, perhaps after having asked for it.
    """

    references: tuple[ImageReference, ...]
    was_pushed: bool = False


@dataclass(frozen=True)
class RegistryAnswers:
    """What registries said in one session. Not equal to what they say in another one."""

    confirmation: ImageConfirmation
    session: RunId


@dataclass(frozen=True)
class LocalConfirmationRequest:
    """Asks whether the local engine has an image, which then gets these tags.

    The generation makes it another question, so that the engine is asked again after a build.
    """

    generation: int
    reference: str
    tags: tuple[str, ...]


def _read_answers(
    references: Sequence[ImageReference], answers: Iterable[Confirmation]
) -> ImageConfirmation:
    missing, problem = [], ""
    for reference, answer in zip(references, answers):
        if isinstance(answer, Missing):
            missing.append(str(reference))
        elif isinstance(answer, Unknown):
            problem = problem or str(answer.error)
    return ImageConfirmation(tuple(missing), problem)


@uncacheable_rule(desc="Ask registries for image")
async def ask_registries(request: ConfirmationRequest, run_id: RunId) -> RegistryAnswers:
    confirmed = await keep_confirmed_images(ConfirmedImagesRequest(), **implicitly())
    access = await prepare_registry_access(RegistryAccessRequest(), **implicitly())
    session = await open_session(SessionRequest(), **implicitly())
    futures = [access.confirmations.submit(each) for each in request.references]
    token = access.waits.join(futures, session.path / WAITS_DIRECTORY)
    if token is not None:
        await wait_for_registries(WaitRequest(token), **implicitly())
    confirmation = _read_answers(request.references, [each.result() for each in futures])
    if confirmation == ImageConfirmation():
        confirmed.add(request.references)
    return RegistryAnswers(confirmation, run_id)


@rule(desc="Confirm image with its registry")
async def confirm_image(request: ConfirmationRequest) -> ImageConfirmation:
    # A later session takes over that an image is there, as long as its shard is. Anything else
    # comes from `ask_registries`, so that the next session asks again.
    confirmed = await keep_confirmed_images(ConfirmedImagesRequest(), **implicitly())
    await confirm_shard(ShardRequest(shard_of(request.references)), **implicitly())
    if confirmed.has(request.references):
        return ImageConfirmation()
    # Which the shard's rule prepared: asking for it here would make this run in every session.
    access = (await keep_registry_access(KeptAccessRequest(), **implicitly())).current
    confirmations = access.confirmations
    if request.was_pushed:
        for reference in request.references:
            confirmations.forget(reference)
    futures = [confirmations.submit(reference) for reference in request.references]
    is_answered = access.waits.block(futures)
    if is_answered and all(isinstance(each.result(), Present) for each in futures):
        confirmed.add(request.references)
        return ImageConfirmation()
    answers = await ask_registries(request, **implicitly())
    return answers.confirmation


@uncacheable_rule(desc="Confirm image with the local engine")
async def confirm_local_image(request: LocalConfirmationRequest) -> ImageConfirmation:
    await open_session(SessionRequest(), **implicitly())
    arguments = (str(request.generation), request.reference, *request.tags)
    process = Process(
        argv=("/bin/sh", "-c", RUN_SCRIPT, CHECK_COMMAND, CHECK_COMMAND, *arguments),
        description=f"Look for {request.reference} in the local Docker Engine",
        env={"PATH": PROCESS_PATH},
        append_only_caches={CACHE_NAME: CACHE_LINK},
        cache_scope=ProcessCacheScope.PER_SESSION,
        level=LogLevel.DEBUG,
    )
    answer = await execute_process(process, **implicitly())
    if answer.exit_code != 0:
        return ImageConfirmation(problem=answer.stderr.decode("utf-8", "replace").strip())
    is_present = answer.stdout.decode().strip() == LocalImage.PRESENT.value
    return ImageConfirmation(() if is_present else (request.reference,))


def rules() -> Iterable[Rule]:
    return collect_rules()
