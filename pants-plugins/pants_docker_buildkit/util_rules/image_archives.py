"""Is a file an image archive, and which image does it hold?

A process unpacks it, whose key is the file's content: so it is done once for all who share a cache.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.fs import CreateDigest, Digest, FileDigest, FileEntry, RemovePrefix

from pants_docker_buildkit.compat import create_digest, implicitly, remove_prefix, rule
from pants_docker_buildkit.dockerfile import context_entries
from pants_docker_buildkit.solver.archived_image import (
    ARCHIVE_FILE,
    ArchivedImage,
    parse_archived_image,
)
from pants_docker_buildkit.solver.input_tree import OUTPUT_LAYOUT
from pants_docker_buildkit.solver.main import ARCHIVE_COMMAND
from pants_docker_buildkit.util_rules.caught_errors import MayHaveFailed
from pants_docker_buildkit.util_rules.session import open_session
from pants_docker_buildkit.util_rules.session_process import (
    cached_process,
    run_in_session,
    why_failed,
)

_ENDING = ".tar"
_LIKE_ARCHIVES = re.compile(r"\.(tar(\.[a-z0-9]+)?|tgz|tzst)\Z")


@dataclass(frozen=True)
class ImageArchiveRequest:
    """Asks for the image that this file holds."""

    file: context_entries.FileEntry


@dataclass(frozen=True)
class ImageArchive(MayHaveFailed):
    """An image, and the layout that is it. `problem` says in words why the file is unusable.

    Without either, the file holds something else.
    """

    image: ArchivedImage | None
    layout: Digest
    problem: str = ""


def possible_archive(
    entries: Iterable[context_entries.ContextEntry],
) -> context_entries.FileEntry | None:
    """The one file of a context, if it may hold an image."""
    file = _only_file(entries)
    return file if file is not None and file.path.endswith(_ENDING) else None


def looks_like_archive(entries: Iterable[context_entries.ContextEntry]) -> bool:
    """Whether a context is one file that somebody may take for an image, compressed or not."""
    file = _only_file(entries)
    return file is not None and _LIKE_ARCHIVES.search(file.path) is not None


def _only_file(
    entries: Iterable[context_entries.ContextEntry],
) -> context_entries.FileEntry | None:
    others = [each for each in entries if not isinstance(each, context_entries.DirectoryEntry)]
    only = others[0] if len(others) == 1 else None
    return only if isinstance(only, context_entries.FileEntry) else None


@rule(desc="Unpack image archive")
async def unpack_image_archive(request: ImageArchiveRequest) -> ImageArchive:
    await open_session(**implicitly())
    file = request.file
    content = FileDigest(file.content_sha256, file.size)
    archive = await create_digest(CreateDigest((FileEntry(ARCHIVE_FILE, content),)))
    process = cached_process(
        ARCHIVE_COMMAND,
        description=f"Unpack the image in {file.path}",
        input_digest=archive,
        output_directories=(OUTPUT_LAYOUT,),
    )
    result = await run_in_session(process)
    if result.exit_code != 0:
        return ImageArchive(None, result.output_digest, why_failed(result))
    try:
        image = parse_archived_image(result.stdout)
    except ValueError as e:
        return ImageArchive(None, result.output_digest, f"What was cached of it is damaged: {e}")
    layout = await remove_prefix(RemovePrefix(result.output_digest, OUTPUT_LAYOUT))
    return ImageArchive(image, layout)
