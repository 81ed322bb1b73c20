"""The process of one build: its contexts, its builder, and what came of it."""

from __future__ import annotations

import gc
import json
import shutil
import time
from dataclasses import replace
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
from pants_docker_buildkit.solver.definition import parse_job
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.errors import ContextNeededError, LayerLostError, TagMovedError
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


def run_build(session: SessionClient, docker: DockerCli, build_key: str, generation: int) -> str:
    """Build the job in the working directory, and say which image it gave.

    Raises a `SolverError`, `NoSessionError`, `SessionProblemError`, `UnusableDirectoryError` and
    `OSError`.
    """
    # It ends soon, and has one object or more for each path of its contexts.
    gc.disable()
    inputs = Path.cwd() / ROOT
    settings = session.settings(build_key)
    job = parse_job((inputs / JOB_FILE).read_bytes())
    # Before anything is asked of a builder: without all of its secrets, the build would fail.
    secrets = session.secrets(build_key) if settings.secrets else ()
    for name in pushed_names(job, settings):
        session.rehearse_push(name)
    normalize_modes(inputs)
    # A sandbox shows the directory of sessions under another path, which goes away with it.
    contexts = session.directory.resolve().parent / CONTEXTS_DIRECTORY
    contents = read_contents(permit_path(session.directory, build_key, generation))
    deliveries = deliveries_path(session.directory, build_key, generation)

    def say_waiting() -> None:
        tell(session.directory, f"{settings.target} waits for another session that builds it…")

    def build(directory: ContextDirectory) -> BuildResult | ArtifactsResult:
        with open_workplace(job, settings, docker, session, inputs) as place:
            place = replace(place, secrets=secrets, contexts=directory.path, lock=directory.lock)
            return build_image(job, settings, place)

    def prepare_again(lost: Loss) -> None:
        nonlocal job
        if isinstance(lost, LayerLostError):
            # Imports what a build that goes well imports later.
            from pants_docker_buildkit.registry.layer_check import LAYERS_DIRECTORY, forget_layers

            forget_layers(contexts.with_name(LAYERS_DIRECTORY))
            reason, misleads = f"the layer {lost.layer} was lost", True
        elif isinstance(lost, TagMovedError):
            reason, misleads = f"a tag of {lost.repository} moved", False
        else:
            reason = f"{lost.name} was lost ({lost.finding})"
            misleads = has_lost_snapshot(lost.finding)
        if misleads:
            # What is remembered of these steps, here or in an inline cache, leads to what was lost.
            job = replace(job, definition=replace(job.definition, no_cache=True))
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
