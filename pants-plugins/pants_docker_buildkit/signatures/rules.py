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
_ROOT_FILE = "trusted_root.json"


@dataclass(frozen=True)
class SignatureRule:
    """One way in which an image may be signed: `arguments` of `cosign verify`, and what it reads.

    The key is in PEM, as `public_key` or in the file `key_file`; without either, the arguments name
    one, or an identity. Whom to trust beside it is in `trusted_root` or the file `root_file`, or
    what cosign knows of that.
    """

    arguments: tuple[str, ...] = ()
    key_file: Path | None = None
    public_key: bytes = b""
    root_file: Path | None = None
    trusted_root: bytes = b""

    def read(self) -> SignatureRule:
        """The rule with what its files say now. Raises `SignatureError`."""
        key, root = self.public_key, self.trusted_root
        if self.key_file is not None:
            key = with_plain_lines(_read("public key", self.key_file))
        if self.root_file is not None:
            root = _read("trusted root", self.root_file)
        return SignatureRule(self.arguments, public_key=key, trusted_root=root)

    @property
    def is_lasting(self) -> bool:
        """Whether a signature that is accepted now always will be.

        What a key store or Sigstore's repository says may change, and a certificate counts as long
        as it is valid where no log says that it was used before.
        """
        if IGNORES_LOG in self.arguments:
            return bool(self.public_key)
        return bool(self.trusted_root)

    @property
    def identity(self) -> str:
        """Another text for another rule."""
        parts = (*self.arguments, self.public_key.hex(), self.trusted_root.hex())
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def arguments_in(self, directory: Path) -> tuple[str, ...]:
        """All arguments, once key and trusted root are in `directory`."""
        arguments = self.arguments
        for flag, name, content in (
            ("--key", _KEY_FILE, self.public_key),
            ("--trusted-root", _ROOT_FILE, self.trusted_root),
        ):
            if content:
                path = directory / name
                path.write_bytes(content)
                arguments = (*arguments, flag, str(path))
        return arguments


def _read(name: str, path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as e:
        raise SignatureError(f"The {name} {path} cannot be read: {e.strerror}.") from e
    if not content.strip():
        raise SignatureError(f"The {name} {path} is empty.")
    return content


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
