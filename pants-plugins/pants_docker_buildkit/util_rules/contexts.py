"""How do files get into the directory that BuildKit reads contexts from?

Only where no cache has the image. Then a process brings those that are not there yet.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path, PurePath

from pants.engine.fs import CreateDigest, Digest, FileDigest, FileEntry

from pants_docker_buildkit.compat import (
    create_digest,
    execute_process,
    get_digest_contents,
    implicitly,
)
from pants_docker_buildkit.dockerfile import context_entries
from pants_docker_buildkit.errors import ImageBuildError, UnwritableContextError
from pants_docker_buildkit.session.context_files import (
    DIRECTORY,
    FILE,
    LINK,
    PROGRAM,
    ContextPath,
    context_row,
    write_contents,
)
from pants_docker_buildkit.session.directory import (
    CACHE_LINK,
    DELIVERED_FILES,
    DELIVERY_MARKER,
    DELIVERY_SCRIPT,
    deliveries_path,
    delivery_name,
    permit_path,
)
from pants_docker_buildkit.solver.context_memory import (
    CONTEXTS_DIRECTORY,
    files_to_bring,
    memory_path,
    read_lying,
)
from pants_docker_buildkit.solver.failure import describe_killing
from pants_docker_buildkit.util_rules.definition import ImageDefinition
from pants_docker_buildkit.util_rules.session_process import said, session_process

_MOST_BYTES = 64 * 1024
_MOST_FILES = 32
_MOST_ENTRIES = 4 * _MOST_FILES


def context_rows(definition: ImageDefinition, context_name: str) -> list[str]:
    """What lies where in the directory of a build whose main context is called `context_name`."""
    directories = {each.name: each.directory for each in definition.job.definition.named_contexts}
    directories[""] = context_name
    return [
        row for name, entries in definition.contexts for row in _rows(directories[name], entries)
    ]


def _rows(directory: str, entries: Iterable[context_entries.ContextEntry]) -> Iterator[str]:
    yield context_row(directory, DIRECTORY)
    for entry in entries:
        path = f"{directory}/{entry.path}"
        if isinstance(entry, context_entries.FileEntry):
            kind = PROGRAM if entry.is_executable else FILE
            yield context_row(path, kind, entry.content_sha256, entry.size)
        elif isinstance(entry, context_entries.SymlinkEntry):
            yield context_row(path, LINK, entry.target)
        else:
            yield context_row(path, DIRECTORY)


def takes_no_process(definition: ImageDefinition) -> bool:
    """Whether the contexts of a build are so little that a rule lays out all of them."""
    contexts = [entries for _, entries in definition.contexts]
    if sum(len(entries) for entries in contexts) > _MOST_ENTRIES:
        return False
    files = [each for each in chain(*contexts) if isinstance(each, context_entries.FileEntry)]
    return _is_little(files)


async def prepare_contexts(
    definition: ImageDefinition,
    generation: int,
    session: Path,
    context_name: str,
    attempt: int,
    *,
    with_all: bool,
) -> None:
    """Let a build have its contexts, and allow its process to run.

    Brings the files that are not in their directory as far as is known, or `with_all` of them.
    `attempt` is a number that no other has.
    """
    rows = context_rows(definition, context_name)
    memory = memory_path(session.parent / CONTEXTS_DIRECTORY, context_name)
    wanted = files_to_bring(rows, () if with_all else read_lying(memory, int(time.time())))
    try:
        await _deliver(definition, wanted, generation, session, attempt)
        write_contents(permit_path(session, definition.key, generation), rows)
    except OSError as e:
        raise _unwritable(definition, session, e.strerror or str(e)) from e


async def _deliver(
    definition: ImageDefinition,
    wanted: Mapping[str, ContextPath],
    generation: int,
    session: Path,
    attempt: int,
) -> None:
    """Bring files to where the build finds them. Raises `OSError`."""
    if not wanted:
        return
    files = await create_digest(
        CreateDigest(
            FileEntry(
                f"{DELIVERED_FILES}/{path}",
                FileDigest(file.value, file.size),
                is_executable=file.kind == PROGRAM,
            )
            for path, file in wanted.items()
        )
    )
    if _is_little(wanted.values()):
        await _write(files, deliveries_path(session, definition.key, generation) / str(attempt))
    else:
        await _bring(definition, files, generation, session, attempt)


def _is_little(files: Collection[ContextPath] | Collection[context_entries.FileEntry]) -> bool:
    """Whether the rule may hold these files in memory, where Pants keeps them for a while."""
    return len(files) <= _MOST_FILES and sum(each.size for each in files) <= _MOST_BYTES


async def _write(files: Digest, delivery: Path) -> None:
    """Deliver a few files without a process, which takes more than all else that is done here."""
    # A session's directory that vanished is not to be there again, without all else.
    delivery.parents[1].mkdir(mode=0o700, exist_ok=True)
    for each in await get_digest_contents(files):
        place = delivery / PurePath(each.path).relative_to(DELIVERED_FILES)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.write_bytes(each.content)


async def _bring(
    definition: ImageDefinition, files: Digest, generation: int, session: Path, attempt: int
) -> None:
    """Have a process deliver files, which Pants lays out for it."""
    process = session_process(
        *(DELIVERY_SCRIPT, "bring", delivery_name(definition.key, generation), str(attempt)),
        description=f"Bring the context of {definition.address} up to date",
        input_digest=files,
        output_files=(DELIVERY_MARKER,),
    )
    result = await execute_process(process, **implicitly())
    if result.exit_code != 0:
        end = describe_killing("The process that brings files", result.exit_code)
        if end:
            raise ImageBuildError(definition.address, f"{said(result)}\n{end}")
        # It knows the session by another path, which is gone when it ends.
        finding = said(result).replace(f"{CACHE_LINK}/{session.name}", str(session))
        raise _unwritable(definition, session, finding)


def _unwritable(definition: ImageDefinition, session: Path, found: str) -> UnwritableContextError:
    return UnwritableContextError(definition.address, session, found if session.is_dir() else None)
