from __future__ import annotations

import json
import logging
import stat
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pants.engine.addresses import Address
from pants.engine.internals.scheduler import ExecutionError
from pants.engine.rules import QueryRule

from pants_docker_buildkit.fields.naming import ImageOutput
from pants_docker_buildkit.image_record import ImageRecord
from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.platform_image import PlatformImage
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.referrers import list_referrers
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.solver.definition import BuildDefinition
from pants_docker_buildkit.solver.result import BuildResult
from pants_docker_buildkit.testutil import ImageRunner, create_rule_runner
from pants_docker_buildkit.util_rules.attestations import Attestations, AttestationsRequest

ADDRESS = Address("src/app", target_name="image")
DEFINITION = BuildDefinition("f" * 64, "blake3:" + "2" * 64, ("linux/amd64",), "registry")
SCANNER = """\
#!/bin/sh
echo "$@" >> {log}
printf '{{"spdxVersion": "SPDX-2.3", "id": "%s"}}' "$$"
"""


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    rule = QueryRule(Attestations, (AttestationsRequest,))
    return ImageRunner(create_rule_runner(rules=[rule]))


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Where a program called `scanner` writes how it was called."""
    program = tmp_path / "bin" / "scanner"
    program.parent.mkdir()
    program.write_text(SCANNER.format(log=tmp_path / "scans"))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return tmp_path / "scans"


def push(registry: FakeRegistry) -> AttestationsRequest:
    """An image that the registry has, and no cache of this machine knows."""
    clients = RegistryClients()
    image = SmallImage.create(uuid.uuid4().hex)
    pushed = image.push(clients.client(registry.address), "app")
    clients.close()
    platform = ImagePlatform.parse("linux/amd64")
    result = BuildResult(
        "blake3:" + "1" * 64,
        pushed.digest,
        pushed.media_type,
        pushed.size,
        (PlatformImage(platform, pushed.digest, sha256_digest(image.config)),),
        (),
    )
    record = ImageRecord(ADDRESS.spec, DEFINITION.context, result, (f"{registry.address}/app",))
    return AttestationsRequest(ADDRESS, record, DEFINITION, ImageOutput.REGISTRY, was_built=False)


def attest(runner: ImageRunner, request: AttestationsRequest, *options: str) -> dict[str, bytes]:
    """What is said of an image, in a new session."""
    runner.set_options(*options)
    return dict(runner.runner.request(Attestations, (request,)).files)


def listed(registry: FakeRegistry, request: AttestationsRequest) -> list[str]:
    """The artifact types of what the registry lists beside the image."""
    clients = RegistryClients()
    digest = request.record.image_digest
    found = list_referrers(clients.client(registry.address), "app", digest).entries
    clients.close()
    return sorted(json.loads(each.text)["artifactType"] for each in found)


def scanning(scans: Path, scanner: str = "scanner 1") -> tuple[str, ...]:
    return (
        f"executable-search-paths=['{scans.parent / 'bin'}', '<PATH>']",
        "sbom-command=scanner {name} {layout}",
        f"sbom-scanner={scanner}",
    )


def test_nothing_is_said_by_default(runner: ImageRunner, registry: FakeRegistry) -> None:
    request = push(registry)
    before = len(registry.requests)
    assert attest(runner, request) == {}
    assert len(registry.requests) == before


def test_what_a_registry_lost_is_attached_in_the_next_session(
    runner: ImageRunner, registry: FakeRegistry
) -> None:
    request = push(registry)
    files = attest(runner, request, "provenance=true")
    assert list(files) == ["provenance.json"]
    assert listed(registry, request) == ["application/vnd.in-toto+json"]
    puts = registry.count("PUT")
    assert attest(runner, request, "provenance=true") == files
    assert registry.count("PUT") == puts
    manifests = registry.repository("app").manifests
    for digest in [each for each in manifests if each != request.record.image_digest]:
        del manifests[digest]
    assert listed(registry, request) == []
    attest(runner, request, "provenance=true")
    assert listed(registry, request) == ["application/vnd.in-toto+json"]


def test_an_image_is_scanned_once_for_each_scanner(
    runner: ImageRunner, registry: FakeRegistry, scans: Path
) -> None:
    request = push(registry)
    first = attest(runner, request, *scanning(scans))
    assert list(first) == ["linux-amd64.spdx.json"]
    assert listed(registry, request) == ["application/spdx+json"]
    assert attest(runner, request, *scanning(scans)) == first
    assert scans.read_text().splitlines() == [f"{registry.address}/app image"]
    second = attest(runner, request, *scanning(scans, "scanner 2"))
    assert second != first
    assert len(scans.read_text().splitlines()) == 2
    assert listed(registry, request) == ["application/spdx+json"] * 2


def test_a_scanner_has_a_version(runner: ImageRunner, registry: FakeRegistry) -> None:
    with pytest.raises(ExecutionError, match=r"`\[docker-buildkit\]\.sbom_scanner` must name"):
        attest(runner, push(registry), "sbom-command=scanner")


def test_a_scanner_that_is_not_there_is_said(runner: ImageRunner, registry: FakeRegistry) -> None:
    options = ("sbom-command=no-such-scanner", "sbom-scanner=none 1")
    with pytest.raises(ExecutionError) as caught:
        attest(runner, push(registry), *options)
    assert "src/app:image must have an SBOM." in str(caught.value)
    assert "'no-such-scanner' is not on '" in str(caught.value)


@pytest.mark.parametrize("output", [ImageOutput.OCI, ImageOutput.DOCKER])
def test_an_image_that_is_in_no_registry_has_its_provenance_in_a_file(
    runner: ImageRunner, registry: FakeRegistry, scans: Path, output: ImageOutput
) -> None:
    request = replace(push(registry), output=output)
    before = len(registry.requests)
    files = attest(runner, request, "provenance=true", *scanning(scans))
    assert list(files) == ["provenance.json"]
    assert len(registry.requests) == before


@pytest.mark.parametrize("status", [401, 403, 405])
def test_whoever_may_not_write_is_warned_unless_the_image_was_built(
    runner: ImageRunner, registry: FakeRegistry, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    request = push(registry)
    registry.plan(faults.status(status), method="POST", times=None)
    caplog.set_level(logging.WARNING)
    attest(runner, request, "provenance=true")
    assert "src/app:image lacks what is said of it" in caplog.text
    with pytest.raises(ExecutionError, match="What is said of src/app:image must be beside"):
        attest(runner, replace(request, was_built=True), "provenance=true")


def test_a_registry_that_is_gone_is_an_error(runner: ImageRunner, registry: FakeRegistry) -> None:
    request = push(registry)
    gone = replace(request, record=replace(request.record, repositories=("127.0.0.1:1/app",)))
    with pytest.raises(ExecutionError, match=r"Check that 127\.0\.0\.1:1 is up"):
        attest(runner, gone, "provenance=true")
