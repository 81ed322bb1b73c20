"""Read what a build pushed, and give it tags, as the session that pushed it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TypeVar

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.media_types import is_manifest
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.errors import (
    BlobUnknownError,
    ManifestUnknownError,
    NameUnknownError,
    RegistryError,
)
from pants_docker_buildkit.registry.late_answers import ask_again
from pants_docker_buildkit.session.questions import SessionClient
from pants_docker_buildkit.solver.errors import BuildFailedError
from pants_docker_buildkit.solver.session_registries import session_client

_ABSENT = (BlobUnknownError, ManifestUnknownError, NameUnknownError)

_T = TypeVar("_T")


class PushedImage:
    """Some repositories, each given as `registry/repository`, to which one image was pushed.

    Nothing is asked before something is read or tagged. Connections close with the `with` block.
    """

    def __init__(self, repositories: Sequence[str], session: SessionClient) -> None:
        self._repositories = tuple(ImageReference.parse(each) for each in repositories)
        self._session = session
        self._open = ExitStack()
        self._clients: dict[ImageReference, RegistryClient] = {}
        self._manifests: dict[OciDigest, tuple[Descriptor, bytes]] = {}

    def __enter__(self) -> PushedImage:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def is_anywhere(self) -> bool:
        """Whether there are repositories."""
        return bool(self._repositories)

    def read_digest(self, digest: OciDigest) -> bytes:
        """The manifest that a digest names, checked against it. Raises `BuildFailedError`."""
        try:
            return self._manifest(digest)[1]
        except RegistryError as e:
            raise _unreadable(e) from e

    def read(self, descriptor: Descriptor) -> bytes:
        """The manifest or config that a descriptor names, checked against it. Raises as above."""
        if is_manifest(descriptor.media_type):
            return descriptor.verify(self.read_digest(descriptor.digest))
        first = self._repositories[0]
        client = self._client(first)
        try:
            return _read_late(lambda: client.read_blob(first.repository, descriptor))
        except RegistryError as e:
            raise _unreadable(e) from e

    def put_tag(self, repository: str, digest: OciDigest, tag: str) -> None:
        """Point a tag of one of the repositories to the image. Raises a `RegistryError`."""
        reference = ImageReference.parse(repository)
        described, content = self._manifest(digest)
        self._client(reference).put_manifest(
            reference.repository, tag, content, described.media_type
        )

    def _manifest(self, digest: OciDigest) -> tuple[Descriptor, bytes]:
        if digest not in self._manifests:
            self._manifests[digest] = self._get_manifest(digest)
        return self._manifests[digest]

    def _get_manifest(self, digest: OciDigest) -> tuple[Descriptor, bytes]:
        first = self._repositories[0]
        client = self._client(first)
        return _read_late(lambda: client.get_manifest(first.repository, digest))

    def _client(self, name: ImageReference) -> RegistryClient:
        if name not in self._clients:
            self._clients[name] = self._open.enter_context(session_client(self._session, name))
        return self._clients[name]


def _read_late(read: Callable[[], _T]) -> _T:
    """What was pushed a moment ago, where the registry shows it a little later."""

    def ask() -> _T | RegistryError:
        try:
            return read()
        except _ABSENT as e:
            return e

    answer = ask_again(ask, lambda answer: isinstance(answer, RegistryError))
    if isinstance(answer, RegistryError):
        raise answer
    return answer


def _unreadable(error: RegistryError) -> BuildFailedError:
    finding = str(error)
    if isinstance(error, _ABSENT):
        # It was pushed a moment ago: to push it first is no advice.
        kept = (
            "The registry took it without an error: check whether a retention policy or a proxy in"
            " front of it drops images, then run this again."
        )
        finding = f"{finding.removesuffix(error.next_step)}{kept}"
    return BuildFailedError(f"The image was pushed, but cannot be read: {finding}")
