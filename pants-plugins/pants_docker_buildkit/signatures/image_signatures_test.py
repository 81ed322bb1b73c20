from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.secret_source import SecretSource
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.signatures.cosign import SigningKey
from pants_docker_buildkit.signatures.errors import SignatureError
from pants_docker_buildkit.signatures.image_signatures import ImageSignatures, SigningSettings
from pants_docker_buildkit.testing.processes import has_ended, wait_until


@contextmanager
def new_directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


@pytest.mark.parametrize("program", ["cosign", "signer"])
def test_no_program_outlives_its_session(tmp_path: Path, program: str) -> None:
    pid, path = tmp_path / "pid", tmp_path / "program"
    path.write_text(f"#!/bin/sh\necho $$ >{pid}.new\nmv {pid}.new {pid}\nexec sleep 600\n")
    path.chmod(0o755)
    settings = SigningSettings(signer=(str(path),))
    if program == "cosign":
        settings = SigningSettings(str(path), SigningKey(SecretSource.parse("env=KEY")))
    with FakeRegistry().running() as registry:
        clients = RegistryClients()
        client = clients.client(registry.address)
        image = SmallImage.create("image")
        descriptor = image.push(client, "app")
        signatures = ImageSignatures(
            settings,
            {"KEY": "key", "PATH": os.defpath},
            lambda _registry, _repository: client,
            tmp_path / "notes",
            new_directory,
        )

        def end_once_it_runs() -> None:
            wait_until(pid.exists)
            signatures.close()

        end = threading.Thread(target=end_once_it_runs)
        end.start()
        with pytest.raises(SignatureError, match="was stopped, because the command"):
            signatures.sign(client, "app", descriptor, image.manifest)
        end.join()
        assert has_ended(int(pid.read_text()))
        clients.close()
