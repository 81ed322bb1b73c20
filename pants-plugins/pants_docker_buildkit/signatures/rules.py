"""How must an image be signed? By whom, for images whose names match a pattern."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.signatures.cosign import with_plain_lines
from pants_docker_buildkit.signatures.errors import SignatureError

IGNORES_LOG = "--insecure-ignore-tlog=true"
"""What cosign is told of signatures that are in no transparency log."""

_KEY_FILE = "cosign.pub"


@dataclass(frozen=True)
class SignatureRule:
    """One way in which an image may be signed: `arguments` of `cosign verify`, and a public key.

    The key is in PEM, as `public_key` or in the file `key_file`; without either, the arguments name
    one, or an identity.
    """

    arguments: tuple[str, ...] = ()
    key_file: Path | None = None
    public_key: bytes = b""

    def read(self) -> SignatureRule:
        """The rule with what its file says now. Raises `SignatureError`."""
        if self.key_file is None:
            return self
        try:
            content = self.key_file.read_bytes()
        except OSError as e:
            finding = f"The public key {self.key_file} cannot be read: {e.strerror}."
            raise SignatureError(finding) from e
        return SignatureRule(self.arguments, public_key=with_plain_lines(content))

    @property
    def identity(self) -> str:
        """Another text for another rule."""
        parts = (*self.arguments, self.public_key.hex())
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def arguments_in(self, directory: Path) -> tuple[str, ...]:
        """All arguments, once the key is in `directory`."""
        if not self.public_key:
            return self.arguments
        path = directory / _KEY_FILE
        path.write_bytes(self.public_key)
        return (*self.arguments, "--key", str(path))


@dataclass(frozen=True)
class SignaturePolicy:
    """Images whose names match `pattern` must be signed as one of the rules says.

    Without rules they need no signature.
    """

    pattern: str
    rules: tuple[SignatureRule, ...]

    def fits(self, reference: ImageReference) -> bool:
        """Whether the pattern matches the name of an image, in full or as people write it."""
        tagged = reference.with_tag(reference.tag) if reference.tag else None
        bare = ImageReference(reference.registry, reference.repository)
        names = [bare.name, bare.familiar]
        if tagged is not None:
            names += [str(tagged), tagged.familiar]
        return any(fnmatchcase(name, self.pattern) for name in names)


@dataclass(frozen=True)
class SignaturePolicies:
    """All of them. Of several that fit, the one with the longest pattern counts."""

    policies: tuple[SignaturePolicy, ...] = ()

    def find(self, reference: ImageReference) -> SignaturePolicy | None:
        """The one that counts for an image, if any does."""
        fitting = [each for each in self.policies if each.fits(reference)]
        return max(fitting, key=lambda each: len(each.pattern)) if fitting else None
