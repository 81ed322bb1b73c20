"""Run a structure test of an image by a build, and say what came of it.

The build has a Dockerfile of its own, which uses the image; no step is taken from a cache.
"""

from __future__ import annotations

import tarfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pants_docker_buildkit.buildx.attributes import render_attributes
from pants_docker_buildkit.buildx.command import BuildCommand
from pants_docker_buildkit.image_tests.dockerfile_text import IMAGE, render_dockerfile
from pants_docker_buildkit.image_tests.judgement import judge
from pants_docker_buildkit.image_tests.outcome import render_outcomes
from pants_docker_buildkit.image_tests.structure import StructureTest, parse_structure_test
from pants_docker_buildkit.oci.content import InvalidContentError, verify_content
from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest, parse_oci_digest
from pants_docker_buildkit.oci.image_config import ImageConfig
from pants_docker_buildkit.oci.json_object import InvalidJsonError
from pants_docker_buildkit.oci.layout import ImageLayout, InvalidLayoutError, why_unread
from pants_docker_buildkit.oci.manifest import ImageManifest, InvalidManifestError, parse_manifest
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.errors import RegistryError
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.session.questions import SessionClient
from pants_docker_buildkit.solver.build import run_buildx
from pants_docker_buildkit.solver.builder_choice import forget_builders
from pants_docker_buildkit.solver.definition import (
    IMAGE_SCHEME,
    BuildJob,
    ContextKind,
    NamedContext,
    parse_job,
)
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.errors import (
    EXIT_TESTS_FAILED,
    BuildFailedError,
    HelperImageError,
    TestsNotRunError,
    UntestedImageError,
)
from pants_docker_buildkit.solver.input_tree import DOCKERFILE, JOB_FILE, ROOT, TESTS_FILE
from pants_docker_buildkit.solver.lost_builder import build_again_if_lost
from pants_docker_buildkit.solver.session_registries import session_client
from pants_docker_buildkit.solver.workplace import Workplace, open_workplace

_MAX_LINE = 240


def run_structure_tests(session: SessionClient, docker: DockerCli, key: str) -> tuple[str, int]:
    """What came of the tests in the working directory, and the exit code that tells it.

    Raises as `build_image` does, and `UntestedImageError` and `TestsTimeoutError`.
    """
    inputs = Path.cwd() / ROOT
    settings = session.settings(key)
    job = parse_job((inputs / JOB_FILE).read_bytes())
    test = parse_structure_test((inputs / TESTS_FILE).read_bytes())
    (inputs / settings.context_name).mkdir()
    (inputs / DOCKERFILE).parent.mkdir()
    started = time.monotonic()

    def run() -> tuple[ImageConfig, Path]:
        with open_workplace(job, settings, docker, session, inputs) as place:
            config = _read_config(job, place)
            results = inputs.parent / "results"
            if test.commands or test.reads_files:
                _build(job, test, config, settings, place, results)
            return config, results

    config, results = build_again_if_lost(run, lambda _: forget_builders(session.directory))
    outcomes = judge(test, config, results)
    has_failed = any(each.problems for each in outcomes)
    text = render_outcomes(outcomes, round(time.monotonic() - started, 3))
    return text, EXIT_TESTS_FAILED if has_failed else 0


def _build(
    job: BuildJob,
    test: StructureTest,
    config: ImageConfig,
    settings: BuildSettings,
    place: Workplace,
    results: Path,
) -> None:
    helper = job.definition.sources[0].identifier[len(IMAGE_SCHEME) :]
    dockerfile = place.inputs / DOCKERFILE
    dockerfile.write_text(render_dockerfile(test, config, helper))
    command = BuildCommand(
        context=settings.context_name,
        dockerfile=DOCKERFILE,
        metadata_file=str(place.scratch / "metadata.json"),
        platforms=job.definition.platforms,
        outputs=(render_attributes([("type", "local"), ("dest", str(results))]),),
        builder=place.builder_name,
        inherited_build_args=tuple(name for name, _ in place.proxies),
        build_contexts=((IMAGE, _image(job).source(place.contexts)),),
        resources=settings.resources,
        no_cache=True,
    )
    user = test.user or config.user
    try:
        try:
            run_buildx(command, settings, place)
        except BuildFailedError as e:
            if not user.isdigit() or f"unable to find user {user}" not in str(e):
                raise
            # A container may have a number for a user that the image does not know, and has the
            # group 0 then. BuildKit wants that to be said.
            known = replace(test, user=f"{user}:0")
            dockerfile.write_text(render_dockerfile(known, config, helper))
            run_buildx(command, settings, place)
    except BuildFailedError as e:
        failure = "\n".join(map(_shortened, str(e).splitlines()))
        if f"failed to solve: {helper}: " in str(e):
            raise HelperImageError(helper, failure) from e
        raise TestsNotRunError(failure) from e


def _shortened(line: str) -> str:
    """A line of a message without the middle of the scripts that are run."""
    half = _MAX_LINE // 2
    return line if len(line) <= _MAX_LINE else f"{line[:half]} … {line[-half:]}"


def _image(job: BuildJob) -> NamedContext:
    (image,) = job.definition.named_contexts
    return image


def _read_config(job: BuildJob, place: Workplace) -> ImageConfig:
    """The configuration of the image, from where it is."""
    image = _image(job)
    try:
        if image.kind is ContextKind.IMAGE:
            return ImageConfig.parse(_config_in_registry(image.value, place.session))
        layout = place.inputs / image.directory
        if job.definition.output == "docker":
            _save(job.repositories[0], layout, place.docker)
        return ImageConfig.parse(_config_in_layout(layout, parse_oci_digest(image.value)))
    except InvalidJsonError as e:
        raise UntestedImageError(image.value, f"in its config, {e}") from e
    except (RegistryError, InvalidManifestError, InvalidContentError, InvalidLayoutError) as e:
        raise UntestedImageError(image.value, str(e)) from e


def _config_in_registry(reference: str, session: SessionClient) -> bytes:
    name = ImageReference.parse(reference)
    with session_client(session, name) as client:
        root, content = client.get_manifest(name.repository, name.digest or "")
        return client.read_blob(name.repository, _config(content, root.media_type))


def _config_in_layout(directory: Path, digest: OciDigest) -> bytes:
    layout = ImageLayout.open(directory)
    try:
        content = layout.blob_path(digest).read_bytes()
    except OSError as e:
        finding = why_unread(e, f"it has no blob {digest}", f"its blob {digest}")
        raise InvalidLayoutError(directory, finding) from e
    return layout.read(_config(verify_content(content, digest)))


def _config(manifest: bytes, media_type: str | None = None) -> Descriptor:
    parsed = parse_manifest(manifest, media_type)
    if not isinstance(parsed, ImageManifest):
        raise InvalidManifestError("it is not of one platform")
    return parsed.config


def _save(reference: str, layout: Path, docker: DockerCli) -> None:
    """Have the engine write one of its images as a layout."""
    archive = layout.with_suffix(".tar")
    layout.mkdir(parents=True, exist_ok=True)
    saved = docker.ask("image", "save", f"--output={archive}", reference)
    if saved.returncode != 0:
        raise UntestedImageError(reference, saved.stderr)
    with tarfile.open(archive) as members:
        for member in members:
            # The names in the archive are those of a layout, and of nothing else.
            file = members.extractfile(member) if member.isfile() else None
            if file is not None and ".." not in Path(member.name).parts:
                path = layout / member.name.lstrip("/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.read())
    with suppress(OSError):
        archive.unlink()
