"""Are the layers of an image there, too, and not its manifest alone? Asked once a day for each."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from pathlib import Path

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.manifest import MAX_INDEX_DEPTH, InvalidManifestError, parse_manifest
from pants_docker_buildkit.oci.media_types import is_foreign_layer, is_manifest
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.errors import ManifestUnknownError, NameUnknownError

LAYERS_DIRECTORY = "layers"
"""Where this user's sessions note which layers were there, beside the directories of sessions."""

_DAY = 24 * 3600.0


def forget_layers(directory: Path) -> None:
    """Have each layer asked for again: one that was noted to be there was lost."""
    with suppress(OSError):
        for note in directory.iterdir():
            note.unlink(missing_ok=True)


class LayerCheck:
    """Asks for the layers of images. What was there is not asked for again for a day.

    `directory` is where that is noted, by all sessions of a user. Any thread may ask.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        with suppress(OSError):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            for note in directory.iterdir():
                if not self._is_of_today(note):
                    note.unlink(missing_ok=True)

    def has_all(
        self, client: RegistryClient, repository: str, content: Descriptor, depth: int = 0
    ) -> bool:
        """Whether a repository has all that some content, such as an image, consists of.

        What has parts is a manifest that the repository has. `depth` is how many indexes it is in.
        Raises a `RegistryError` where the registry does not say so.
        """
        note = self._note(f"{client.registry}/{repository}@{content.digest}")
        if self._is_of_today(note):
            return True
        if is_manifest(content.media_type):
            is_there = self._has_children(client, repository, content, depth)
        else:
            is_there = is_foreign_layer(content.media_type) or client.has_blob(
                repository, content.digest
            )
        if is_there:
            # Where nothing can be noted, it is asked for again.
            with suppress(OSError):
                note.touch()
        return is_there

    def _has_children(
        self, client: RegistryClient, repository: str, manifest: Descriptor, depth: int
    ) -> bool:
        if depth > MAX_INDEX_DEPTH:
            return False
        try:
            _, written = client.get_manifest(repository, manifest.digest)
            children = parse_manifest(written, manifest.media_type).children
        except (ManifestUnknownError, NameUnknownError, InvalidManifestError):
            return False
        return all(self.has_all(client, repository, each, depth + 1) for each in children)

    def _note(self, name: str) -> Path:
        return self._directory / hashlib.sha256(name.encode()).hexdigest()[:32]

    def _is_of_today(self, note: Path) -> bool:
        try:
            return 0 <= time.time() - note.stat().st_mtime < _DAY
        except OSError:
            return False
