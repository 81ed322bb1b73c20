from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.settings import Reach
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage, several_platforms
from pants_docker_buildkit.session.profile import Profile
from pants_docker_buildkit.solver import sbom
from pants_docker_buildkit.solver.errors import ImageNotScannedError
from pants_docker_buildkit.solver.sbom import CYCLONEDX, SPDX, sbom_media_type, scan_image

SCANNER = """\
#!/bin/sh
[ "$1" = fail ] && { echo "no $2" >&2; exit 3; }
cat "$1/index.json" >&2
printf '{"spdxVersion": "SPDX-2.3", "name": "%s", "from": "%s", "files": "%s"}' \\
  "$2" "$3" "$(find "$1" -type f | wc -l)"
"""


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A session whose programs are in a directory of the test."""
    program = tmp_path / "bin" / "scanner"
    program.parent.mkdir()
    program.write_text(SCANNER)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    place = tmp_path / "sandbox"
    place.mkdir()
    monkeypatch.chdir(place)
    environment = {"PATH": f"{program.parent}:/usr/bin:/bin"}
    profile = Profile(Reach(tuple(environment.items())))

    @contextmanager
    def client(_session: object, name: ImageReference) -> Iterator[RegistryClient]:
        clients = RegistryClients()
        try:
            yield clients.client(name.registry, name.repository)
        finally:
            clients.close()

    monkeypatch.setattr(sbom, "session_client", client)
    return SimpleNamespace(profile=profile)


def push(registry: FakeRegistry, content: bytes = b"") -> str:
    clients = RegistryClients()
    image = SmallImage.create("scanned")
    client = clients.client(registry.address)
    digest = image.push(client, "app").digest
    if content:
        digest = sha256_digest(content)
        client.put_manifest("app", digest, content, "application/vnd.oci.image.index.v1+json")
    clients.close()
    return f"{registry.address}/app@{digest}"


def test_a_scanner_gets_a_layout_and_what_it_prints_is_the_sbom(
    registry: FakeRegistry, session: Any
) -> None:
    reference = push(registry)
    printed = scan_image(session, reference, ["scanner", "{layout}", "{name}", "{digest}"])
    name, _, digest = reference.partition("@")
    assert json.loads(printed) == {
        "spdxVersion": "SPDX-2.3",
        "name": name,
        "from": digest,
        # The index, the marker, and three blobs.
        "files": "5",
    }


@pytest.mark.parametrize(
    ("command", "said"),
    [
        pytest.param(["scanner", "fail", "luck"], "ended with exit code 3: no luck", id="fails"),
        pytest.param(["false"], "ended with exit code 1: it printed no error", id="fails-silently"),
        pytest.param(["nothing-of-this-name"], "'nothing-of-this-name' is not on", id="missing"),
        pytest.param(["yes"], r"'yes' printed more than 67108864 bytes\.", id="endless"),
        pytest.param(["echo", "{}"], "must be SPDX or CycloneDX in JSON", id="other"),
        pytest.param(["echo", "text"], "it must be JSON", id="text"),
    ],
)
def test_what_is_no_sbom_is_said(
    registry: FakeRegistry, session: Any, command: list[str], said: str
) -> None:
    with pytest.raises(ImageNotScannedError, match=said):
        scan_image(session, push(registry), command)


def test_an_image_of_several_platforms_is_not_one_to_scan(
    registry: FakeRegistry, session: Any
) -> None:
    reference = push(registry, several_platforms(SmallImage.create("scanned")))
    with pytest.raises(ImageNotScannedError, match="it is not of one platform"):
        scan_image(session, reference, ["scanner", "{layout}", "", ""])


def test_an_image_that_is_not_there_is_said(registry: FakeRegistry, session: Any) -> None:
    reference = f"{registry.address}/app@{'sha256:' + 'a' * 64}"
    with pytest.raises(ImageNotScannedError, match="HTTP 404"):
        scan_image(session, reference, ["scanner", "{layout}", "", ""])


def test_kinds_of_documents_are_told_apart() -> None:
    assert sbom_media_type(b'{"spdxVersion": "SPDX-2.3"}') == SPDX
    assert sbom_media_type(b'{"bomFormat": "CycloneDX"}') == CYCLONEDX
