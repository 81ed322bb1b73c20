"""Is what a record says still true?

What a rule gave in one session is taken over by the next one of the same process, if nothing that
it depends on has changed. Asking for each image in a rule that runs again in every session would
make Pants look at each image anew, which takes longer than the registry. So the images that were
confirmed once are asked for in a few shards, each in one rule, whose value stays the same as long
as the registry has them all: then nothing that depends on it runs again.

A session that needs one image asks for the others of its shard, too: so there are many shards.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from pants.engine.addresses import Address
from pants.engine.internals.session import RunId, SessionValues
from pants.option.options_bootstrapper import OptionsBootstrapper

from pants_docker_buildkit.compat import implicitly, rule, uncacheable_rule
from pants_docker_buildkit.errors import TagConflictError
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.confirmation import Confirmation, Missing, Present, Unknown
from pants_docker_buildkit.session.confirmed_images import shard_of
from pants_docker_buildkit.session.local_engine import LocalEngineError
from pants_docker_buildkit.solver.errors import EngineUnreachableError, SolverError
from pants_docker_buildkit.util_rules.session import (
    ask_registries,
    keep_session,
    running_session,
    wait_for,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageConfirmation:
    """What is known of an image in this session.

    `missing` are the references that their registry or engine does not have, `problem` is why it
    could not be asked. `refused_tags` are those that the engine could not set, and why.
    """

    missing: tuple[str, ...] = ()
    problem: str = ""
    refused_tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ConfirmationRequest:
    """Asks whether registries have an image under these pinned references.

    `was_pushed` tells that this session pushed it, perhaps after having asked for it.
    """

    references: tuple[ImageReference, ...]
    was_pushed: bool = False


@dataclass(frozen=True)
class SessionConfirmation:
    """What registries said in one session. Not equal to what they say in another one."""

    confirmation: ImageConfirmation
    session: RunId


@dataclass(frozen=True)
class LocalConfirmationRequest:
    """Asks whether the local engine has the image of a target, which then gets these tags.

    The generation makes it another question, so that the engine is asked again after a build.
    """

    address: Address
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


@dataclass(frozen=True)
class ShardRequest:
    """Asks to confirm again, in this session, what was confirmed of a shard."""

    shard: int


@dataclass(frozen=True)
class ShardConfirmation:
    """Whether registries still have all of a shard.

    If so, it is the same in every session. If not, it is another value in each, because what was
    done about a loss in one session says nothing about the next. So it is where the images of the
    shard have to be looked at one by one for another reason.
    """

    session_of_change: RunId | None = None


async def confirm_early(session_values: SessionValues) -> None:
    """Ask for what the same command needed before, while Pants still looks for its targets.

    The answers are for whoever asks later in this session. Does nothing in the first one.
    """
    bootstrapper = session_values.get(OptionsBootstrapper)
    if bootstrapper is None:
        return
    keeper = await keep_session(**implicitly())
    questions = keeper.confirmed.begin_session(bootstrapper.args)
    if questions:
        try:
            confirmations = (await running_session()).confirmations
        except Exception as e:
            # Whoever needs an answer says it better.
            logger.debug(f"Cannot ask registries before targets are found: {e}")
            return
        for each in questions:
            if each.tag is None:
                confirmations.submit(each.image)
            else:
                confirmations.submit_tagged(each.image, each.tag)


@uncacheable_rule(desc="Confirm images with their registries")
async def confirm_shard(request: ShardRequest, run_id: RunId) -> ShardConfirmation:
    keeper = await keep_session(**implicitly())
    is_tidied = keeper.confirmed.tidy(request.shard)
    references = keeper.confirmed.ask(request.shard)
    # Also where there is nothing to ask: `confirm_image` relies on it.
    answers = await ask_registries(references)
    if references:
        logger.debug(f"Asked registries for {', '.join(map(str, references))}.")
    lost = [each for each, answer in zip(references, answers) if not isinstance(answer, Present)]
    keeper.confirmed.remove(request.shard, lost)
    return ShardConfirmation(run_id if lost or is_tidied else None)


@uncacheable_rule(desc="Ask registries for image")
async def confirm_in_session(request: ConfirmationRequest, run_id: RunId) -> SessionConfirmation:
    answers = await ask_registries(request.references)
    confirmation = _read_answers(request.references, answers)
    if confirmation == ImageConfirmation():
        keeper = await keep_session(**implicitly())
        keeper.confirmed.add(request.references)
    return SessionConfirmation(confirmation, run_id)


@rule(desc="Confirm image with its registry")
async def confirm_image(request: ConfirmationRequest) -> ImageConfirmation:
    # A later session takes over that an image is there, as long as its shard is. Anything else
    # comes from `confirm_in_session`, so that the next session asks again.
    keeper = await keep_session(**implicitly())
    await confirm_shard(ShardRequest(shard_of(request.references)), **implicitly())
    if keeper.confirmed.has(request.references):
        return ImageConfirmation()
    # Which the shard's rule opened: asking for it here would make this run in every session.
    running = keeper.running
    confirmations = running.confirmations
    submit = confirmations.submit_pushed if request.was_pushed else confirmations.submit
    futures = [submit(reference) for reference in request.references]
    logger.debug(f"Asking registries for {', '.join(map(str, request.references))}.")
    await wait_for(running, futures)
    if all(isinstance(each.result(), Present) for each in futures):
        keeper.confirmed.add(request.references)
        return ImageConfirmation()
    answer = await confirm_in_session(request, **implicitly())
    return answer.confirmation


@uncacheable_rule(desc="Confirm image with the local engine")
async def confirm_local_image(request: LocalConfirmationRequest) -> ImageConfirmation:
    running = await running_session()
    local_tags, target = running.local_tags, request.address.spec
    for tag, other in local_tags.claim(target, request.reference, request.tags).items():
        raise TagConflictError(tag, (target, other))
    take_turn = partial(local_tags.turn, target, request.reference)
    answer = running.local_engine.find(request.reference, request.tags, take_turn)
    await wait_for(running, [answer])
    try:
        found = answer.result()
    except LocalEngineError as e:
        unreachable = EngineUnreachableError(running.local_engine.where, str(e))
        return ImageConfirmation(problem=str(unreachable))
    except SolverError as e:
        return ImageConfirmation(problem=str(e))
    missing = () if found.is_present else (request.reference,)
    return ImageConfirmation(missing, refused_tags=found.refused_tags)
