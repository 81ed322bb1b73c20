"""Images have provenance and SBOMs beside them, whether or not they are built."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from tests.integration.conftest import Machines
from tests.integration.workbench.machine import Checkout, Machine, repository_settings
from tests.integration.workbench.registry import OwnRegistry, Registry
from tests.integration.workbench.remote_cache import RemoteCache
from tests.integration.workbench.required import oras_program, syft_program

TARGET = "app:image"
PROVENANCE = "application/vnd.in-toto+json"
SBOM = "application/spdx+json"
PROVENANCE_ONLY = {"PANTS_DOCKER_BUILDKIT_PROVENANCE": "true"}
PACKAGES = """\
Package: tools
Status: install ok installed
Maintainer: nobody <nobody@invalid>
Architecture: all
Version: 1.2
Description: tools

"""


def oras(*arguments: str) -> Any:
    answer = subprocess.run(
        [str(oras_program()), *arguments],
        # It looks for logins at home, and ends where nobody has one.
        env={"HOME": "/nonexistent", **os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def discover(reference: str) -> list[dict[str, Any]]:
    """What oras finds beside an image, in a registry that has no API for that."""
    found = oras("discover", "--plain-http", "--format=json", reference)
    referrers: list[dict[str, Any]] = found["referrers"]
    return referrers


def test_images_that_are_not_built_have_provenance_and_sboms(
    machines: Machines, own_registry: OwnRegistry, repository: str, remote_cache: RemoteCache
) -> None:
    registry = own_registry
    files = {
        "pants.toml": repository_settings(registry.address, repository),
        "app/BUILD": "file(name='list', source='status')\n"
        "docker_buildkit_image(name='image', dependencies=[':list'], context_root='',"
        " platforms=['linux/amd64', 'linux/arm64'])",
        "app/Dockerfile": f"FROM scratch\nLABEL a={repository}\n"
        "COPY app/status /var/lib/dpkg/status\n",
        "app/status": PACKAGES,
    }
    checkout = machines.new("one", remote_cache=remote_cache).checkout("checkout", files)
    assert checkout.pants("package", TARGET).kinds == {TARGET: "built"}
    record = json.loads(checkout.record(TARGET))
    (reference,) = record["references"]
    assert discover(reference) == []

    run = checkout.pants("package", TARGET, env=attested(checkout))
    assert run.kinds == {TARGET: "unchanged"}
    assert run.docker_calls == ()
    found = {each["artifactType"]: each for each in discover(reference)}
    assert set(found) == {PROVENANCE, SBOM}
    name, digest = reference.partition("@")[0], record["image"]["digest"]
    statement = fetch(registry, f"{name}@{found[PROVENANCE]['digest']}", digest)
    assert (checkout.directory / "dist/app/image.provenance.json").read_bytes() == statement
    subjects = [each["digest"]["sha256"] for each in json.loads(statement)["subject"]]
    platforms = [each["digest"] for each in record["platforms"]]
    assert [f"sha256:{each}" for each in subjects] == [digest, *platforms]
    sbom = (checkout.directory / "dist/app/image.linux-arm64.spdx.json").read_bytes()
    assert "tools" in {each["name"] for each in json.loads(sbom)["packages"]}
    listed = [each["digest"] for each in discover(reference)]
    assert len(listed) == 3

    # Elsewhere nothing is scanned, and nothing added; what was lost comes back.
    other = machines.new("two", remote_cache=remote_cache, has_docker=False)
    restored = other.checkout("checkout", files)
    run = restored.pants("package", TARGET, env=attested(restored, scanner="nothing"))
    assert run.kinds == {TARGET: "restored"}
    assert [each["digest"] for each in discover(reference)] == listed
    tag = digest.replace(":", "-")
    registry.delete(f"{name}@{registry.digest(f'{name}:{tag}')}")
    assert discover(reference) == []
    restored.pants("package", TARGET, env=attested(restored, scanner="nothing"))
    assert sorted(each["digest"] for each in discover(reference)) == sorted(listed)


def test_a_plan_attests_nothing_and_package_attests_what_images_are_built_on(
    machine: Machine, registry: Registry, repository: str
) -> None:
    files = {
        "pants.toml": repository_settings(registry.address, repository),
        "app/BUILD": "docker_buildkit_image(name='image')\n"
        "archive(name='files', packages=[':image'], format='zip')",
        "app/Dockerfile": f"FROM scratch\nLABEL a={repository}\n",
        "web/BUILD": "docker_buildkit_image(name='image')\n"
        "docker_buildkit_image(name='listed', source=None, dependencies=['app:files'],"
        " context_root='', instructions=['FROM scratch', 'COPY app /'])",
        "web/Dockerfile": "ARG BASE=app:image\nFROM $BASE\nLABEL b=1\n",
    }
    checkout = machine.checkout("checkout", files)
    checkout.pants("package", "web::")
    checkout.pants("package", TARGET)
    (reference,) = json.loads(checkout.record(TARGET))["references"]

    # The scanner cannot be found.
    checkout.pants("plan-images", "web:image", env=attested(checkout, scanner="nothing"))
    checkout.pants("plan-images", "web::", env=PROVENANCE_ONLY)
    assert discover(reference) == []
    checkout.pants("package", "web:image", env=PROVENANCE_ONLY)
    assert [each["artifactType"] for each in discover(reference)] == [PROVENANCE]


def attested(checkout: Checkout, scanner: str = "syft") -> dict[str, str]:
    """Options for provenance and SBOMs, with a directory that has the scanner or has not."""
    directory = checkout.directory.parent / f"{scanner}-programs"
    directory.mkdir(exist_ok=True)
    program = directory / scanner
    if not program.exists():
        program.symlink_to(syft_program())
    return {
        "PANTS_DOCKER_BUILDKIT_PROVENANCE": "true",
        "PANTS_DOCKER_BUILDKIT_SBOM_COMMAND": "syft scan oci-dir:{layout} --source-name={name}"
        " --output=spdx-json",
        "PANTS_DOCKER_BUILDKIT_SBOM_SCANNER": "syft 1.18.1",
        "PANTS_DOCKER_BUILDKIT_EXECUTABLE_SEARCH_PATHS": f"['<PATH>', '{directory}']",
    }


def fetch(registry: Registry, reference: str, subject: str) -> bytes:
    """The document of a referrer, as oras reads it."""
    manifest = oras("manifest", "fetch", "--plain-http", reference)
    assert manifest["subject"]["digest"] == subject
    return registry.blob(reference.partition("@")[0], manifest["layers"][0]["digest"])


def test_attestations_of_buildkit_are_in_the_index(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    scan = json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "https://spdx.dev/Document",
            "predicate": {"spdxVersion": "SPDX-2.3", "name": "scanned"},
        }
    )
    scanner = f"{registry.address}/{repository}/scanner"
    both = "platforms=['linux/amd64', 'linux/arm64']"
    attest = f"{both}, attest=['type=sbom,generator={scanner}:1', 'type=provenance,mode=max']"
    files = {
        "pants.toml": repository_settings(registry.address, repository),
        "scanner/BUILD": f"docker_buildkit_image(repository='{repository}/scanner',"
        " image_tags=['1'])",
        "scanner/Dockerfile": f"FROM {busybox}\nCOPY <<EOF /document\n{scan}\nEOF\n"
        'ENTRYPOINT ["/bin/sh", "-c", "cp /document $BUILDKIT_SCAN_DESTINATION/a.spdx.json"]\n',
        "app/BUILD": f"docker_buildkit_image(name='image', {attest})\n"
        f"docker_buildkit_image(name='layout', image_tags=['layout'], output='oci', {attest})\n"
        f"docker_buildkit_image(name='child', image_tags=['child'], source=None, {both},"
        " build_contexts={'base': ':image'}, instructions=['FROM base', 'LABEL b=1'])\n",
        "app/Dockerfile": f"FROM {busybox}\nLABEL a={repository}\n",
    }
    checkout = machine.checkout("checkout", files)
    checkout.pants("publish", "scanner:scanner")
    targets = (TARGET, "app:layout", "app:child")
    built = checkout.pants("package", "publish", "list-images", *targets, env=PROVENANCE_ONLY)
    assert "no record" not in built.output
    assert set(built.kinds.values()) == {"built"}
    record = json.loads(checkout.record(TARGET))
    (reference,) = record["references"]
    platforms = [each["digest"] for each in record["platforms"]]
    listed = registry.manifest(reference)["manifests"]
    assert [each["digest"] for each in listed if "annotations" not in each] == platforms
    of_platforms = [each["annotations"] for each in listed if "annotations" in each]
    assert [each["vnd.docker.reference.digest"] for each in of_platforms] == platforms
    name = reference.partition("@")[0]
    attested = next(each["digest"] for each in listed if "annotations" in each)
    attestations = registry.manifest(f"{name}@{attested}")["layers"]
    statements = [json.loads(registry.blob(name, each["digest"])) for each in attestations]
    predicates = {each["predicateType"].rpartition("/")[0]: each for each in statements}
    assert predicates["https://spdx.dev"]["predicate"]["name"] == "scanned"
    assert any(each.startswith("https://slsa.dev/provenance") for each in predicates)
    pinned = registry.digest(f"{scanner}:1")
    assert pinned in {each["digest"] for each in record["materials"]}
    assert len(list((checkout.directory / "dist/app/layout.oci/blobs/sha256").iterdir())) >= 6

    again = checkout.pants("package", "list-images", *targets)
    assert set(again.kinds.values()) == {"unchanged"}
    assert reference in again.output
    assert "unknown" not in again.output
    assert json.loads(checkout.record(TARGET)) == record
    layout = f"{name}@{registry.digest(f'{name}:layout')}"
    of_layout = registry.manifest(layout)["manifests"]
    assert len([each for each in of_layout if "annotations" in each]) == len(platforms)
    # A layout gets its provenance beside it where it is published.
    for each in (reference, layout):
        assert [found["artifactType"] for found in discover(each)] == [PROVENANCE]
