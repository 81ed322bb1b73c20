"""The cosign that tests are given, and pairs of keys that it made."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

WITHOUT_NETWORK = ("--use-signing-config=false", "--tlog-upload=false", "--yes")


def cosign_program() -> str:
    """Where cosign is. `./pants test` says so."""
    program = os.environ.get("BUILDKIT_TESTS_COSIGN")
    assert program, "set BUILDKIT_TESTS_COSIGN to the `cosign` program; './pants test' does"
    return program


@contextmanager
def new_directory() -> Iterator[Path]:
    """An empty directory, which is removed afterwards."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def run_cosign(*arguments: str, password: str = "") -> subprocess.CompletedProcess[str]:
    """Run cosign as a user would, and give what it said."""
    return subprocess.run(
        [cosign_program(), *arguments],
        env={"HOME": "/nonexistent", "PATH": os.defpath, "COSIGN_PASSWORD": password},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@dataclass(frozen=True)
class KeyPair:
    """A private key, which is encrypted with the password, and the public one, in files."""

    private: Path
    public: Path
    password: str = ""

    @classmethod
    def create(cls, directory: Path, name: str = "cosign", password: str = "") -> KeyPair:
        """A new pair."""
        prefix = str(directory / name)
        done = run_cosign("generate-key-pair", "--output-key-prefix", prefix, password=password)
        assert done.returncode == 0, done.stderr
        return cls(Path(f"{prefix}.key"), Path(f"{prefix}.pub"), password)

    def sign(self, reference: str, *options: str) -> None:
        """`cosign sign`, which talks to the registry itself."""
        key = ("--key", str(self.private), "--allow-http-registry", *WITHOUT_NETWORK)
        done = run_cosign("sign", *key, *options, reference, password=self.password)
        assert done.returncode == 0, done.stderr

    def verifies(self, reference: str, command: str = "verify", *options: str) -> bool:
        """Whether cosign, asking the registry itself, finds that this key signed an image."""
        key = ("--key", str(self.public), "--allow-http-registry", "--insecure-ignore-tlog=true")
        return run_cosign(command, *key, *options, reference).returncode == 0
