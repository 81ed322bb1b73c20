"""Sign the images of a session, each once, and say which are signed."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Optional

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.manifest import ImageIndex, parse_manifest
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.oci.referrer import AnyReferrer
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.errors import RegistryError
from pants_docker_buildkit.registry.referrers import attach_all, list_referrers
from pants_docker_buildkit.registry.workers import Workers
from pants_docker_buildkit.signatures.cosign import Cosign, Scratch, SigningKey
from pants_docker_buildkit.signatures.errors import NotSignedError
from pants_docker_buildkit.signatures.rules import IGNORES_LOG, SignaturePolicies, SignatureRule
from pants_docker_buildkit.signatures.signer_program import SignerProgram
from pants_docker_buildkit.signatures.statement import Statement
from pants_docker_buildkit.signatures.verification import Verification

_PROGRAMS_AT_A_TIME = 4


@dataclass(frozen=True)
class SigningSettings:
    """How images are signed and verified: by `cosign` with `key`, or by the words of `signer`.

    With neither, no image is signed. With `of_platforms`, so is what an index lists for platforms.
    """

    cosign: str = "cosign"
    key: Optional[SigningKey] = None
    signer: tuple[str, ...] = ()
    of_platforms: bool = False
    policies: SignaturePolicies = field(default_factory=SignaturePolicies)

    @property
    def signs(self) -> bool:
        """Whether images that are published are signed."""
        return self.key is not None or bool(self.signer)


class ImageSignatures:
    """What one session signs and verifies.

    `environment` is the user's, in which secrets are read; `notes` a directory of the user's, for
    what was verified. What cosign reads and writes is in `scratch`.
    """

    def __init__(
        self,
        settings: SigningSettings,
        environment: Mapping[str, str],
        find_client: Callable[[str, str], RegistryClient],
        notes: Path,
        scratch: Scratch,
    ) -> None:
        self.settings = settings
        self._find_client = find_client
        self._is_over = threading.Event()
        self._cosign = Cosign(settings.cosign, environment, scratch, self._is_over)
        self._program = SignerProgram(settings.signer, environment, notes, self._is_over)
        self._verification = Verification(self._cosign, notes)
        self._workers = Workers("image-signatures", _PROGRAMS_AT_A_TIME)
        self._own_rule: SignatureRule | None = None
        self._made: dict[tuple[OciDigest, str], AnyReferrer] = {}
        self._locks: defaultdict[OciDigest, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def look_up(
        self, name: ImageReference, digests: Sequence[OciDigest], more: Sequence[Statement] = ()
    ) -> Future[bool]:
        """Whether images of a repository have signatures of ours, the first one `more`, too.

        Raises a `RegistryError` or a `SignatureError`, in the future.
        """

        def is_signed() -> bool:
            client = self._find_client(name.registry, name.repository)
            return not any(
                self._lacking(client, name.pinned(digest), statements)
                for digest, statements in self._wanted(digests, more).items()
            )

        return self._workers.submit(is_signed)

    def check(
        self, names: Sequence[ImageReference], rules: Sequence[SignatureRule]
    ) -> Future[None]:
        """Raise `NotSignedError` unless a pinned image is signed as one of the rules says.

        It is looked for in the repositories of `names`, of which one is enough. Also raises a
        `RegistryError` or a `SignatureError`, in the future.
        """
        return self._workers.submit(partial(self._check, names, rules))

    def sign(
        self,
        client: RegistryClient,
        repository: str,
        descriptor: Descriptor,
        manifest: bytes,
        more: Sequence[Statement] = (),
    ) -> int:
        """Sign an image that a repository has, unless that was done. Gives how often it did so.

        Raises a `RegistryError` or a `SignatureError`.
        """
        subjects = {each.digest: each for each in self._subjects(descriptor, manifest)}
        name = ImageReference(client.registry, repository)
        count = 0
        for digest, statements in self._wanted(tuple(subjects), more).items():
            # One after the other, so that one signature serves all repositories.
            with self._lock:
                lock = self._locks[digest]
            with lock:
                lacking = self._lacking(client, name.pinned(digest), statements)
                made = [self._make(subjects[digest], each) for each in lacking]
                attach_all(client, repository, made)
                count += len(made)
                if self.settings.key is not None:
                    for statement, each in zip(lacking, made):
                        rule = self._rule(self.settings.key)
                        self._verification.note_made(digest, each.digest, statement, rule)
        return count

    def close(self) -> None:
        """Begin nothing more, and have programs end that run. Waits for nothing."""
        self._is_over.set()
        self._workers.close()

    def _wanted(
        self, digests: Sequence[OciDigest], more: Sequence[Statement]
    ) -> Mapping[OciDigest, Sequence[Statement]]:
        """What is to be signed of each image. A program signs images and no statements."""
        wanted = {each: [Statement.of_signature(each)] for each in digests}
        if self.settings.key is not None:
            wanted[digests[0]] += more
        return wanted

    def _subjects(self, descriptor: Descriptor, manifest: bytes) -> list[Descriptor]:
        """The image, and where that is wanted its images for each platform."""
        content = parse_manifest(manifest, descriptor.media_type)
        if not self.settings.of_platforms or not isinstance(content, ImageIndex):
            return [descriptor]
        return [descriptor, *content.images]

    def _check(self, names: Sequence[ImageReference], rules: Sequence[SignatureRule]) -> None:
        problem: NotSignedError | RegistryError | None = None
        for name in names:
            client = self._find_client(name.registry, name.repository)
            try:
                self._verification.check(client, name, rules)
            except (NotSignedError, RegistryError) as e:
                problem = problem or e
            else:
                return
        if problem is not None:
            raise problem

    def _lacking(
        self, client: RegistryClient, name: ImageReference, statements: Sequence[Statement]
    ) -> Sequence[Statement]:
        """What of this is not signed by us yet."""
        if self.settings.key is not None:
            # It takes cosign a while to derive: not for an image that has no signature.
            own = partial(self._rule, self.settings.key)
            return self._verification.lacking(client, name, statements, own)
        policy = self.settings.policies.find(name)
        if policy is not None and policy.rules:
            try:
                self._verification.check(client, name, policy.rules)
            except NotSignedError:
                return statements
            return ()
        return [each for each in statements if not self._has_of_program(client, name, each)]

    def _has_of_program(
        self, client: RegistryClient, name: ImageReference, statement: Statement
    ) -> bool:
        """Whether an artifact of the type that the program makes is there. Nobody can verify it."""
        assert name.digest is not None
        listed = list_referrers(client, name.repository, name.digest)
        if not listed.entries:
            return False
        kind = self._program.noted_type
        if not kind:
            descriptor = client.head_manifest(name.repository, name.digest)
            if descriptor is None:
                return False
            kind = self._make(descriptor, statement).entry().artifact_type
        return listed.has(lambda each: each.artifact_type == kind)

    def _make(self, subject: Descriptor, statement: Statement) -> AnyReferrer:
        """A signature, made once in a session."""
        made = self._made.get((subject.digest, statement.identity))
        if made is None:
            if self.settings.key is None:
                made = self._program.sign(subject)
            else:
                bundle = self._cosign.sign(statement.content, self.settings.key)
                made = statement.referrer(subject, bundle)
            self._made[subject.digest, statement.identity] = made
        return made

    def _rule(self, key: SigningKey) -> SignatureRule:
        """What verifies signatures of the private key."""
        with self._lock:
            if self._own_rule is None:
                public_key = self._cosign.public_key(key)
                self._own_rule = SignatureRule((IGNORES_LOG,), public_key=public_key)
            return self._own_rule
