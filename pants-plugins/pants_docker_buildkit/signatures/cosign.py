"""Have cosign sign statements and verify signatures. It never talks to a registry.

A private key is in the environment of the process that signs, and nowhere else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from pants_docker_buildkit.registry.program_output import Limits, ProgramError, run_program
from pants_docker_buildkit.registry.secret_source import (
    SecretKind,
    SecretSource,
    SecretUnavailableError,
)
from pants_docker_buildkit.signatures.errors import NotSignedError, SignatureError

Scratch = Callable[[], "AbstractContextManager[Path]"]
"""Gives a directory to write to, which is gone afterwards."""

KEY_STORES = ("awskms://", "gcpkms://", "azurekms://", "hashivault://", "k8s://", "pkcs11:")
"""What the names of keys begin with that cosign does not read but asks for signatures."""

PASSWORD_VARIABLE = "COSIGN_PASSWORD"

_KEY_VARIABLE = "PANTS_DOCKER_BUILDKIT_SIGNING_KEY"
_SECONDS = 120.0
_SHOWN = 600


def is_in_key_store(key: str) -> bool:
    """Whether `key` names a key in a store, and no file."""
    return key.startswith(KEY_STORES)


def with_plain_lines(pem: bytes) -> bytes:
    """A key in PEM with the line breaks that cosign reads."""
    return b"\n".join(line.rstrip() for line in pem.strip().splitlines()) + b"\n"


@dataclass(frozen=True)
class SigningKey:
    """A private key: where its PEM comes from, or what cosign calls a key in a store.

    Without a `password`, that of `COSIGN_PASSWORD` counts, or none.
    """

    source: SecretSource | None
    store: str = ""
    password: SecretSource | None = None

    @property
    def sources(self) -> tuple[SecretSource, ...]:
        """All secrets that are read."""
        return tuple(each for each in (self.source, self.password) if each is not None)


@dataclass(frozen=True)
class Cosign:
    """A cosign, by name or path, that has this environment, which is the user's.

    None runs on after `is_over` was set.
    """

    program: str
    environment: Mapping[str, str] = field(repr=False)
    scratch: Scratch = field(repr=False)
    is_over: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)

    def sign(self, statement: bytes, key: SigningKey) -> bytes:
        """A bundle of `statement`. Raises `SignatureError`."""
        with self.scratch() as directory:
            given, bundle = directory / "statement.json", directory / "bundle.json"
            given.write_bytes(statement)
            key_name, variables = self._key(key)
            self._run(
                "attest-blob",
                *("--statement", str(given), "--key", key_name, "--bundle", str(bundle), "--yes"),
                # Nothing is sent to a transparency log: it would publish names of images.
                *("--use-signing-config=false", "--tlog-upload=false"),
                variables=variables,
            )
            try:
                return bundle.read_bytes()
            except OSError as e:
                raise SignatureError(f"{self.program!r} wrote no bundle.") from e

    def public_key(self, key: SigningKey) -> bytes:
        """The public key of a private one, in PEM. Raises `SignatureError`."""
        key_name, variables = self._key(key)
        return self._run("public-key", "--key", key_name, variables=variables)

    def verify(self, layout: Path, arguments: Sequence[str]) -> None:
        """Raise `NotSignedError` unless the image of a layout is signed as the arguments want it.

        The layout is as `cosign save` writes it. Other problems are a `SignatureError`.
        """
        self._run("verify", *arguments, "--local-image", str(layout), failure=NotSignedError)

    def _key(self, key: SigningKey) -> tuple[str, Mapping[str, str]]:
        password = self.environment.get(PASSWORD_VARIABLE, "")
        if key.password is not None:
            read = self._read(key.password)
            # A file that an editor wrote ends with a line break, which is no part of it.
            password = (read.removesuffix(b"\n").removesuffix(b"\r")).decode("utf-8", "replace")
        # Without a password cosign would ask for one.
        variables = {PASSWORD_VARIABLE: password}
        if key.source is None:
            return key.store, variables
        pem = with_plain_lines(self._read(key.source)).decode("utf-8", "replace")
        return f"env://{_KEY_VARIABLE}", {**variables, _KEY_VARIABLE: pem}

    def _read(self, source: SecretSource) -> bytes:
        try:
            value = source.read(self.environment)
        except SecretUnavailableError as e:
            raise SignatureError(f"Of {_name(source)}, {e.finding}.") from e
        if b"\0" in value:
            raise SignatureError(f"What {_name(source)} gives is no text.")
        return value

    def _run(
        self,
        command: str,
        *arguments: str,
        variables: Mapping[str, str] | None = None,
        failure: type[SignatureError] = SignatureError,
    ) -> bytes:
        words = (self.program, command, *arguments)
        environment = {**self.environment, **(variables or {})}
        try:
            done = run_program(words, environment, Limits(_SECONDS, is_over=self.is_over))
        except ProgramError as e:
            raise SignatureError(f"{self.program!r} {e.finding}.") from e
        if done.exit_code != 0:
            raise failure(f"{self.program!r} says: {_complaint(done.complaint)}.")
        return done.printed


def _name(source: SecretSource) -> str:
    return "a command" if source.kind is SecretKind.COMMAND else f"'{source}'"


def _complaint(said: bytes) -> str:
    """What matters of what cosign says: its error, which it says twice."""
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    return ("; ".join(errors) or " ".join(lines) or "nothing")[:_SHOWN].rstrip(".")
