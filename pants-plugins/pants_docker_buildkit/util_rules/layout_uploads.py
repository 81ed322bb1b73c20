"""Upload OCI image layouts from the sandboxes that Pants puts them into.

A layout is a tree in Pants' store. A process that gets it as input says where its sandbox is, and
keeps it until the upload is done, by a thread of Pants. So no layout is on disk twice, and not more
of them at a time than processes may run.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pants.engine.fs import Digest
from pants.engine.process import FallibleProcessResult, Process, ProcessCacheScope
from pants.util.logging import LogLevel

from pants_docker_buildkit.oci.layout import ImageLayout, InvalidLayoutError
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.errors import RegistryError
from pants_docker_buildkit.registry.image_content import LayoutContent
from pants_docker_buildkit.registry.image_copy import copy_image
from pants_docker_buildkit.registry.workers import Workers
from pants_docker_buildkit.session.directory import PROCESS_PATH
from pants_docker_buildkit.util_rules.file_watch import FileWatch

_ANNOUNCED = ".sandbox"
_DONE = ".done"

_SANDBOX_SCRIPT = f"""\
pwd -P >"$1/$2.new" && mv "$1/$2.new" "$1/$2{_ANNOUNCED}" || exit 1
until [ -e "$1/$2{_DONE}" ] || [ ! -d "$1" ]; do sleep 0.02; done
"""

Problems = Mapping[str, str]
"""Why some repositories did not get an image, by `registry/repository`."""


@dataclass(frozen=True)
class LayoutUpload:
    """An upload to some repositories that goes on while `process` runs."""

    process: Process
    repositories: tuple[ImageReference, ...]
    _problems: Future[Problems]

    def outcome(self, result: FallibleProcessResult) -> Problems:
        """Why some of the repositories did not get the image, once the process ended."""
        if result.exit_code == 0:
            return self._problems.result()
        said = result.stderr.decode("utf-8", "replace").strip()
        return {
            each.name: f"Could not upload the image to {each.name} ({said})."
            for each in self.repositories
        }


class LayoutUploads:
    """The uploads of one session."""

    def __init__(self, find_client: Callable[[str, str], RegistryClient], workers: Workers) -> None:
        self._find_client = find_client
        self._workers = workers
        self._watch = FileWatch("uploads")

    def prepare(
        self, layout: Digest, repositories: Sequence[ImageReference], session: Path
    ) -> LayoutUpload:
        """An upload of one image, under its digest, to these repositories."""
        upload = uuid.uuid4().hex
        wanted = tuple(repositories)
        problems: Future[Problems] = Future()
        directory = self._watch.call_when(
            f"{upload}{_ANNOUNCED}", session, partial(self._begin, wanted, problems)
        )
        process = Process(
            ("/bin/sh", "-c", _SANDBOX_SCRIPT, "upload", str(directory), upload),
            description=f"Upload {', '.join(each.name for each in wanted)}",
            env={"PATH": PROCESS_PATH},
            input_digest=layout,
            cache_scope=ProcessCacheScope.PER_SESSION,
            level=LogLevel.INFO,
        )
        return LayoutUpload(process, wanted, problems)

    def _begin(
        self, repositories: Sequence[ImageReference], problems: Future[Problems], announced: Path
    ) -> None:
        self._workers.submit(partial(self._upload, repositories, problems, announced))

    def _upload(
        self, repositories: Sequence[ImageReference], problems: Future[Problems], announced: Path
    ) -> None:
        try:
            sandbox = Path(announced.read_text().rstrip("\n"))
            found = {each.name: self._problem(sandbox, each) for each in repositories}
            problems.set_result({name: problem for name, problem in found.items() if problem})
        except Exception as e:
            problems.set_exception(e)
        # Without its directory, the session is over, and so is the process.
        with suppress(OSError):
            announced.with_suffix(_DONE).touch()

    def _problem(self, sandbox: Path, repository: ImageReference) -> str | None:
        try:
            content = LayoutContent(ImageLayout.open(sandbox))
            client = self._find_client(repository.registry, repository.repository)
            copy_image(content, client, repository.repository)
        except (RegistryError, InvalidLayoutError) as e:
            return str(e)
        return None
