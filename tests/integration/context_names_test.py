"""A builder never takes a file from the context of another image, however alike the two are."""

from __future__ import annotations

import json
import tarfile
import time
from pathlib import Path

import pytest

from pants_docker_buildkit.session.context_files import FILE, context_row, write_contents
from pants_docker_buildkit.session.directory import BUILD_COMMAND, deliveries_path, permit_path
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.session.testing.fake_session import FakeSession
from pants_docker_buildkit.solver.definition import BuildDefinition, BuildJob
from pants_docker_buildkit.solver.input_tree import (
    DOCKERFILE,
    JOB_FILE,
    OUTPUT_LAYOUT,
    ROOT,
)
from pants_docker_buildkit.solver.main import main
from tests.integration.workbench.machine import Machine

KEY = "0123abcd"
LONG_AGO = 1_000_000_000
# Times are made of it, so all files have one time, as if by bad luck.
ONE_HASH = "0" * 64


def build_layout(
    sandbox: Path,
    context_name: str,
    content: str,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
) -> bytes:
    """The file of an image with one file, as a build process in `sandbox` makes it."""
    (sandbox / ROOT / DOCKERFILE).parent.mkdir(parents=True)
    (sandbox / ROOT / DOCKERFILE).write_text("FROM scratch\nADD . /")
    definition = BuildDefinition("", "", ("linux/amd64",), "oci")
    (sandbox / ROOT / JOB_FILE).write_bytes(BuildJob("blake3:0", definition, ()).to_json())
    session = FakeSession(sandbox / "session")
    session.be(None, **machine.environment)
    session.add_build(KEY, BuildSettings(context_name, context_name))
    delivered = deliveries_path(session.directory, KEY, 0) / "1" / context_name / "file"
    delivered.parent.mkdir(parents=True)
    delivered.write_text(content)
    file = context_row(f"{context_name}/file", FILE, ONE_HASH, len(content))
    write_contents(permit_path(session.directory, KEY, 0), [file])
    monkeypatch.setattr(time, "time", lambda: LONG_AGO)
    monkeypatch.chdir(sandbox)
    assert main(str(session.directory), BUILD_COMMAND, KEY, "0") == 0
    return only_file(sandbox / OUTPUT_LAYOUT)


def only_file(layout: Path) -> bytes:
    def read(digest: str) -> Path:
        return layout / "blobs" / digest.replace(":", "/")

    (manifest,) = json.loads((layout / "index.json").read_text())["manifests"]
    (layer,) = json.loads(read(manifest["digest"]).read_text())["layers"]
    with tarfile.open(read(layer["digest"])) as archive:
        (member,) = [each for each in archive if each.isfile()]
        file = archive.extractfile(member)
        assert file is not None
        return file.read()


def test_files_of_one_path_size_mode_and_time_are_those_of_their_own_image(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two", "six"):
        content = build_layout(tmp_path / name, f"context-{name}", name, machine, monkeypatch)
        assert content == name.encode()
