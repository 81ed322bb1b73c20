"""Have a program of the user's scan an image, which it gets as an OCI image layout.

So it needs neither credentials nor an engine, and what it reads is the image of the digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pants_docker_buildkit.oci.content import InvalidContentError
from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.json_object import InvalidJsonError, JsonObject
from pants_docker_buildkit.oci.layout import write_layout_files
from pants_docker_buildkit.oci.manifest import ImageManifest, InvalidManifestError, parse_manifest
from pants_docker_buildkit.oci.media_types import is_foreign_layer
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.errors import RegistryError
from pants_docker_buildkit.registry.program_output import Limits, ProgramError, run_program
from pants_docker_buildkit.session.questions import SessionClient
from pants_docker_buildkit.solver.errors import ImageNotScannedError
from pants_docker_buildkit.solver.session_registries import session_client

SPDX = "application/spdx+json"
CYCLONEDX = "application/vnd.cyclonedx+json"

_LAYOUT = "image"
_SCAN_SECONDS = 3600
_MAX_SIZE = 64 * 1024 * 1024
_SHOWN_COMPLAINT = 2000


def scan_image(session: SessionClient, reference: str, command: Sequence[str]) -> str:
    """What `command` prints of a pinned image for one platform: SPDX or CycloneDX in JSON.

    It is run in a directory of its own; `{layout}`, `{name}` and `{digest}` in its words stand for
    the image. Raises `ImageNotScannedError`.
    """
    name = ImageReference.parse(reference)
    place = Path.cwd() / "scan"
    place.mkdir()
    try:
        with session_client(session, name) as client:
            _download(client, name, place / _LAYOUT)
    except (RegistryError, InvalidManifestError, InvalidContentError) as e:
        raise ImageNotScannedError(reference, str(e)) from e
    values = {"{layout}": _LAYOUT, "{name}": name.name, "{digest}": str(name.digest)}
    words = [_fill_in(word, values) for word in command]
    printed = _run(reference, words, session.profile.environment, place)
    try:
        sbom_media_type(printed)
    except ValueError as e:
        raise ImageNotScannedError(reference, f"what {words[0]!r} printed is no SBOM: {e}.") from e
    return printed.decode()


def sbom_media_type(document: bytes) -> str:
    """Which kind of SBOM a document is. Raises `ValueError` for anything else."""
    try:
        members = JsonObject.parse(document)
        if members.optional_text("bomFormat") == "CycloneDX":
            return CYCLONEDX
        if members.optional_text("spdxVersion"):
            return SPDX
    except InvalidJsonError as e:
        raise ValueError(str(e)) from e
    raise ValueError("it must be SPDX or CycloneDX in JSON")


def _fill_in(word: str, values: Mapping[str, str]) -> str:
    for placeholder, value in values.items():
        word = word.replace(placeholder, value)
    return word


def _run(
    reference: str, words: Sequence[str], environment: Mapping[str, str], place: Path
) -> bytes:
    try:
        done = run_program(words, environment, Limits(_SCAN_SECONDS, _MAX_SIZE), directory=place)
    except ProgramError as e:
        raise ImageNotScannedError(reference, f"{words[0]!r} {e.finding}.") from e
    if done.exit_code != 0:
        said = done.complaint[-_SHOWN_COMPLAINT:].decode("utf-8", "replace").strip()
        finding = f"{words[0]!r} ended with exit code {done.exit_code}"
        raise ImageNotScannedError(reference, f"{finding}: {said or 'it printed no error'}")
    return done.printed


def _download(client: RegistryClient, name: ImageReference, layout: Path) -> None:
    """The layout of an image for one platform."""
    root, content = client.get_manifest(name.repository, name.digest or "")
    manifest = parse_manifest(content, root.media_type)
    if not isinstance(manifest, ImageManifest):
        raise InvalidManifestError("it is not of one platform")
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    for blob in {each.digest: each for each in manifest.children}.values():
        if is_foreign_layer(blob.media_type) and not client.has_blob(name.repository, blob.digest):
            continue
        _write(blobs, blob, client.get_blob(name.repository, blob))
    _write(blobs, root, [content])
    write_layout_files(layout, root.to_document())


def _write(blobs: Path, blob: Descriptor, chunks: Iterable[bytes]) -> None:
    with (blobs / blob.digest.partition(":")[2]).open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
