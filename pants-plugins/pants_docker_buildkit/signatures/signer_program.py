"""Have a program of the user's sign, which gets a descriptor and gives an artifact.

The protocol is that of rules_img:
https://github.com/bazel-contrib/rules_img/blob/main/docs/image-signing.md#writing-your-own-signer-plugin
"""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pants_docker_buildkit.oci.content import InvalidContentError
from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.layout import blob_name
from pants_docker_buildkit.oci.manifest import (
    ImageIndex,
    ImageManifest,
    InvalidManifestError,
    parse_manifest,
)
from pants_docker_buildkit.oci.referrer import GivenReferrer
from pants_docker_buildkit.registry.program_output import Limits, ProgramError, run_program
from pants_docker_buildkit.signatures.errors import SignatureError
from pants_docker_buildkit.signatures.notes import note_path, write_note

_COMMAND = "sign-oci-artifact"
_SECONDS = 300.0
_SHOWN = 600


@dataclass(frozen=True)
class SignerProgram:
    """The words of a command, in the user's environment.

    What type of artifact it makes is noted in a directory of this user, for it may not be run to
    ask: each signature may cost something, and be seen in a log. It does not run on after `is_over`
    was set.
    """

    words: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    notes: Path
    is_over: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)

    @property
    def noted_type(self) -> str:
        """The type of the last artifact that it made here; empty where none is known."""
        with suppress(OSError, UnicodeDecodeError):
            return self._note.read_text()
        return ""

    def sign(self, subject: Descriptor) -> GivenReferrer:
        """What the program makes for an image. Raises `SignatureError`."""
        program, *options = self.words
        given = json.dumps(subject.to_document()).encode()
        words = (program, _COMMAND, *options)
        try:
            limits = Limits(_SECONDS, is_over=self.is_over)
            done = run_program(words, self.environment, limits, given)
        except ProgramError as e:
            raise self._error(e.finding) from e
        if done.exit_code != 0:
            said = done.complaint.decode("utf-8", "replace").strip()[-_SHOWN:].rstrip(".")
            raise self._error(
                f"ended with exit code {done.exit_code}: {said or 'it printed no error'}"
            )
        try:
            made = read_signature(done.printed, subject)
        except (tarfile.TarError, InvalidManifestError, InvalidContentError, ValueError) as e:
            finding = str(e).rstrip(".")
            raise self._error(f"must print an OCI image layout as a tar: {finding}") from e
        write_note(self._note, made.entry().artifact_type)
        return made

    @property
    def _note(self) -> Path:
        return note_path(self.notes, "signer", *self.words)

    def _error(self, finding: str) -> SignatureError:
        return SignatureError(f"The signer {self.words[0]!r} {finding}.")


def read_signature(archive: bytes, subject: Descriptor) -> GivenReferrer:
    """The artifact in a layout, which must refer to `subject`. Raises `ValueError` and the like."""
    files = dict(_files(archive))
    index = parse_manifest(_file(files, "index.json"))
    if not isinstance(index, ImageIndex) or len(index.manifests) != 1:
        raise ValueError("its index.json must list one artifact")
    (root,) = index.manifests
    content = root.verify(_file(files, blob_name(root.digest)))
    manifest = parse_manifest(content, root.media_type)
    if not isinstance(manifest, ImageManifest):
        raise ValueError("its artifact must be an image manifest")
    if manifest.subject is None or manifest.subject.digest != subject.digest:
        raise ValueError(f"the subject of its artifact must be {subject.digest}")
    blobs = {each: each.verify(_file(files, blob_name(each.digest))) for each in manifest.children}
    return GivenReferrer(subject, content, blobs)


def _files(archive: bytes) -> list[tuple[str, bytes]]:
    found = []
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isreg() else None
            if file is not None:
                found.append((member.name.removeprefix("./"), file.read()))
    return found


def _file(files: Mapping[str, bytes], path: str) -> bytes:
    if path not in files:
        raise ValueError(f"it lacks {path}")
    return files[path]
