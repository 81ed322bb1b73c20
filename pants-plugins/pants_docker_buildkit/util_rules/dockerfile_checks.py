"""What do BuildKit's checks find in the Dockerfile of an image?

No image is built for it, and no package: an `ARG` that names a target stands for `scratch`, and a
named context for an empty directory, which no check looks into.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pants.engine.fs import (
    AddPrefix,
    CreateDigest,
    Digest,
    Directory,
    FileContent,
    GlobMatchErrorBehavior,
    PathGlobs,
)

from pants_docker_buildkit.buildx.solve_status import UNUSED_DEFAULT
from pants_docker_buildkit.compat import (
    add_prefix,
    concurrently,
    create_digest,
    get_digest_contents,
    implicitly,
    path_globs_to_digest,
    rule,
)
from pants_docker_buildkit.dockerfile.analysis import OriginKind
from pants_docker_buildkit.dockerfile.bases import SCRATCH
from pants_docker_buildkit.dockerfile.ignorefile import IGNORE_FILE_NAME, ignore_file_candidates
from pants_docker_buildkit.dockerfile.stages import analyze
from pants_docker_buildkit.fields.naming import ImageOutput
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.oci.json_values import decode_json
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.solver.definition import (
    BuildDefinition,
    BuildJob,
    ContextKind,
    NamedContext,
    PinnedSource,
)
from pants_docker_buildkit.solver.input_tree import (
    CONTEXT_DIRECTORY,
    DOCKERFILE,
    JOB_FILE,
    MUTABLE_MARKER,
    NAMED_CONTEXTS_DIRECTORY,
    ROOT,
)
from pants_docker_buildkit.solver.main import LINT_COMMAND
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.base_images import resolve_base_image
from pants_docker_buildkit.util_rules.build_settings import BuildOptions, build_settings
from pants_docker_buildkit.util_rules.caught_errors import MayHaveFailed, describe
from pants_docker_buildkit.util_rules.dockerfile import ImageDockerfile, read_image_dockerfile
from pants_docker_buildkit.util_rules.image_lock import find_applied_lock
from pants_docker_buildkit.util_rules.session import running_session
from pants_docker_buildkit.util_rules.session_process import (
    cached_process,
    run_in_session,
    why_failed,
)
from pants_docker_buildkit.util_rules.upstream_targets import UpstreamTargets, find_upstream_targets


@dataclass(frozen=True)
class CheckFinding:
    """What one check found. `url` is the page about the check."""

    line: int
    rule: str
    detail: str
    url: str
    path: str = ""


@dataclass(frozen=True)
class DockerfileChecks(MayHaveFailed):
    """All findings; or in words for the user why there can be none."""

    findings: tuple[CheckFinding, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class _Checked:
    """What is checked: the job of the process, and its input tree."""

    dockerfile: ImageDockerfile
    job: BuildJob
    inputs: Digest
    given: frozenset[str]
    """The `ARG`s that name targets: a build gives them what those are."""

    def counts(self, finding: CheckFinding) -> bool:
        """Whether it is about what a build does: it uses no default of an `ARG` that is given."""
        if finding.rule != UNUSED_DEFAULT:
            return True
        bases = (stage.base for each in self.dockerfile.analyses for stage in each.stages)
        return not any(
            base.line == finding.line and self.given.intersection(base.arguments) for base in bases
        )

    @property
    def key(self) -> str:
        """A name of its own, that no build has."""
        return hashlib.sha256(b"lint\0" + self.job.to_json()).hexdigest()[:32]


def _images(
    dockerfile: ImageDockerfile, arguments: Mapping[str, str], contexts: Iterable[str]
) -> tuple[str, ...]:
    """The images that any stage of the Dockerfile names: the checks look at all stages."""
    found: dict[str, None] = {}
    names = tuple(contexts)
    targets = (None, *(each.name for each in dockerfile.analyses[0].stages if each.name))
    for target in dict.fromkeys(targets):
        analysis = analyze(
            dockerfile.parsed,
            build_args=arguments,
            target_platform=dockerfile.platforms[0],
            build_platform=dockerfile.build_platforms[0],
            target_stage=target,
            named_contexts=names,
        )
        found.update(dict.fromkeys(each.reference for each in analysis.materials))
        bases = (each.base for each in analysis.stages)
        found.update(dict.fromkeys(b.text for b in bases if b.kind is OriginKind.IMAGE))
    return tuple(sorted(found))


async def _pin(
    field_set: BuildKitImageFieldSet, subsystem: DockerBuildKitSubsystem, images: Iterable[str]
) -> tuple[PinnedSource, ...]:
    """The images as their tags are now. One that is not there BuildKit says better itself."""
    lock = await find_applied_lock(field_set, subsystem)
    references = [ImageReference.parse_familiar(each) for each in images]
    pinned = {each: each if each.is_pinned else lock.pin(each) for each in references}
    asked = [each for each, pin in pinned.items() if pin is None]
    answers = await concurrently(resolve_base_image(each, **implicitly()) for each in asked)
    pinned.update((each, answer.pinned) for each, answer in zip(asked, answers))
    return tuple(PinnedSource.image(str(each), str(pin or each)) for each, pin in pinned.items())


async def _ignore_file(field_set: BuildKitImageFieldSet, path: str | None, root: str) -> bytes:
    """The ignore file as it is: a check looks for what it excludes and an instruction copies."""
    if field_set.context.value:
        return b""
    candidates = ignore_file_candidates(path, field_set.context_directory(root))
    digest = await path_globs_to_digest(
        PathGlobs(candidates, GlobMatchErrorBehavior.ignore), **implicitly()
    )
    contents = {each.path: each.content for each in await get_digest_contents(digest)}
    return next((contents[each] for each in candidates if each in contents), b"")


def _named_contexts(upstream: UpstreamTargets) -> tuple[NamedContext, ...]:
    contexts = (*upstream.contexts, *upstream.others, *upstream.remote)
    names = sorted(name for name, _ in contexts)
    return (
        *(
            NamedContext(name, ContextKind.FILES, directory=f"{NAMED_CONTEXTS_DIRECTORY}/{name}")
            for name in names
        ),
        *(NamedContext(name, ContextKind.IMAGE, value) for name, value in upstream.images),
    )


async def _prepare(
    field_set: BuildKitImageFieldSet, subsystem: DockerBuildKitSubsystem
) -> _Checked:
    dockerfile = await read_image_dockerfile(field_set, **implicitly())
    upstream = await find_upstream_targets(field_set, **implicitly())
    given = {
        **dockerfile.names_out_of_reach,
        **{name: SCRATCH for name, _ in upstream.arguments},
    }
    arguments = {**dict(dockerfile.build_args.values), **given}
    contexts = _named_contexts(upstream)
    images = (
        *_images(dockerfile, arguments, (each.name for each in contexts)),
        *(value for _, value in upstream.images),
    )
    sources = await _pin(field_set, subsystem, images)
    ignore_file = await _ignore_file(field_set, dockerfile.path, subsystem.default_context_root)
    definition = BuildDefinition(
        dockerfile=dockerfile.sha256,
        context=hashlib.sha256(ignore_file).hexdigest(),
        platforms=(str(dockerfile.platforms[0]),),
        output=ImageOutput.OCI.value,
        named_contexts=contexts,
        sources=tuple(sorted(set(sources))),
        build_args=tuple(sorted(arguments.items())),
    )
    job = BuildJob("lint", definition, ())
    files = await create_digest(
        CreateDigest(
            (
                FileContent(JOB_FILE, job.to_json()),
                FileContent(DOCKERFILE, dockerfile.content),
                FileContent(f"{DOCKERFILE}{IGNORE_FILE_NAME}", ignore_file),
                Directory(CONTEXT_DIRECTORY),
            )
        )
    )
    inputs = await add_prefix(AddPrefix(files, ROOT))
    return _Checked(dockerfile, job, inputs, frozenset(given))


async def _check(field_set: BuildKitImageFieldSet, options: BuildOptions) -> DockerfileChecks:
    checked = await _prepare(field_set, options.subsystem)
    running = await running_session()
    settings = build_settings(field_set, options)
    settings = replace(settings, secrets=(), cache_from=(), cache_to=())
    running.answers.add_build(checked.key, settings)
    process = cached_process(
        *(LINT_COMMAND, checked.key),
        description=f"Check {checked.dockerfile.name} with BuildKit",
        input_digest=checked.inputs,
        output_files=(MUTABLE_MARKER,),
    )
    result = await run_in_session(process)
    if result.exit_code != 0:
        return DockerfileChecks(problem=why_failed(result))
    where = checked.dockerfile.remote or "instructions"
    path = checked.dockerfile.path or f"{field_set.address} ({where})"
    found = filter(checked.counts, decode_json(tuple[CheckFinding, ...], result.stdout))
    return DockerfileChecks(tuple(replace(each, path=path) for each in found))


@rule(desc="Check Dockerfile with BuildKit")
async def check_dockerfile_with_buildkit(
    field_set: BuildKitImageFieldSet, options: BuildOptions
) -> DockerfileChecks:
    try:
        return await _check(field_set, options)
    except Exception as e:
        # One linter that cannot do its work must not keep others from theirs.
        return DockerfileChecks(problem=describe(e))
