"""The process of one build: its contexts, its builder, and what came of it."""

from __future__ import annotations

import gc
import json
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

from pants_docker_buildkit.session.context_files import read_contents
from pants_docker_buildkit.session.directory import deliveries_path, event_path, permit_path
from pants_docker_buildkit.session.questions import SessionClient
from pants_docker_buildkit.solver.build import build_image
from pants_docker_buildkit.solver.build_repositories import pushed_names
from pants_docker_buildkit.solver.builder_choice import forget_builders
from pants_docker_buildkit.solver.context_directory import (
    ContextDirectory,
    open_contexts,
    remove_unused_contexts,
)
from pants_docker_buildkit.solver.context_memory import CONTEXTS_DIRECTORY
from pants_docker_buildkit.solver.definition import BuildJob, parse_job
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.errors import (
    ContextNeededError,
    GitNameError,
    LayerLostError,
    TagMovedError,
)
from pants_docker_buildkit.solver.input_tree import (
    EXPORT_DIRECTORY,
    JOB_FILE,
    OUTPUT_ARTIFACTS,
    OUTPUT_LAYOUT,
    ROOT,
    normalize_modes,
)
from pants_docker_buildkit.solver.lost_builder import (
    Loss,
    build_again_if_lost,
    has_lost_snapshot,
)
from pants_docker_buildkit.solver.progress import tell
from pants_docker_buildkit.solver.result import ArtifactsResult, BuildResult
from pants_docker_buildkit.solver.workplace import open_workplace


@dataclass(frozen=True)
class _Attempt:
    """What is built, and whether branches and tags of Git are read by their commits."""

    job: BuildJob
    git_by_commit: bool = False

    def without_cache(self) -> _Attempt:
        """The same, but for what is remembered of its steps, here or in an inline cache."""
        definition = replace(self.job.definition, no_cache=True)
        return replace(self, job=replace(self.job, definition=definition))


def _after(lost: Loss, attempt: _Attempt, contexts: Path) -> tuple[_Attempt, str]:
    """How to build again, and why. What leads to something that was lost is forgotten."""
    if isinstance(lost, GitNameError):
        reason = f"a branch or tag of Git is read by its commit ({lost.finding})"
        return replace(attempt, git_by_commit=True), reason
    if isinstance(lost, TagMovedError):
        return attempt, f"a tag of {lost.repository} moved"
    if isinstance(lost, LayerLostError):
        # Imports what a build that goes well imports later.
        from pants_docker_buildkit.registry.layer_check import LAYERS_DIRECTORY, forget_layers

        forget_layers(contexts.with_name(LAYERS_DIRECTORY))
        return attempt.without_cache(), f"the layer {lost.layer} was lost"
    reason = f"{lost.name} was lost ({lost.finding})"
    return attempt.without_cache() if has_lost_snapshot(lost.finding) else attempt, reason


def run_build(session: SessionClient, docker: DockerCli, build_key: str, generation: int) -> str:
    """Build the job in the working directory, and say which image it gave.

    Raises a `SolverError`, `NoSessionError`, `SessionProblemError`, `UnusableDirectoryError` and
    `OSError`.
    """
    # It ends soon, and has one object or more for each path of its contexts.
    gc.disable()
    inputs = Path.cwd() / ROOT
    settings = session.settings(build_key)
    attempt = _Attempt(parse_job((inputs / JOB_FILE).read_bytes()))
    # Before anything is asked of a builder: without all of its secrets, the build would fail.
    secrets = session.secrets(build_key) if settings.secrets else ()
    for name in pushed_names(attempt.job, settings):
        session.rehearse_push(name)
    normalize_modes(inputs)
    # A sandbox shows the directory of sessions under another path, which goes away with it.
    contexts = session.directory.resolve().parent / CONTEXTS_DIRECTORY
    contents = read_contents(permit_path(session.directory, build_key, generation))
    deliveries = deliveries_path(session.directory, build_key, generation)

    def say_waiting() -> None:
        tell(session.directory, f"{settings.target} waits for another session that builds it…")

    def build(directory: ContextDirectory) -> BuildResult | ArtifactsResult:
        by_commit = attempt.git_by_commit
        with open_workplace(
            attempt.job, settings, docker, session, inputs, git_by_commit=by_commit
        ) as place:
            place = replace(place, secrets=secrets, contexts=directory.path, lock=directory.lock)
            return build_image(attempt.job, settings, place)

    def prepare_again(lost: Loss) -> None:
        nonlocal attempt
        attempt, reason = _after(lost, attempt, contexts)
        tell(session.directory, f"{settings.target} is built again: {reason}.")
        forget_builders(session.directory)
        for name in (OUTPUT_LAYOUT, OUTPUT_ARTIFACTS, EXPORT_DIRECTORY):
            shutil.rmtree(inputs.parent / name, ignore_errors=True)

    remove_unused_contexts(contexts)
    with open_contexts(contexts, settings.context_name, say_waiting) as directory:
        if not directory.bring_up_to_date(contents, deliveries):
            raise ContextNeededError
        shutil.rmtree(deliveries, ignore_errors=True)
        started = time.monotonic()
        result = build_again_if_lost(lambda: build(directory), prepare_again).to_json()
    event = {"seconds": round(time.monotonic() - started, 1)}
    event_path(session.directory, build_key, generation).write_text(json.dumps(event))
    return result
