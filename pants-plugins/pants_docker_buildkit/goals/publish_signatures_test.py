"""What `publish` publishes is signed: once, before its tags move, and also what nobody built."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pants.core.goals.publish import PublishProcesses

from pants_docker_buildkit.goals.publish_test import GoalRun, run
from pants_docker_buildkit.oci.digest import OciDigest, sha256_digest
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.oci.platform_image import PlatformImage
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage, several_platforms
from pants_docker_buildkit.signatures.testing.real_cosign import KeyPair, cosign_program
from pants_docker_buildkit.testutil import ImageRunner

IMAGE, OTHER = SmallImage.create("signed"), SmallImage.create("other")
PROVENANCE = json.dumps(
    {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "app", "digest": {"sha256": IMAGE.digest.partition(":")[2]}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {"buildDefinition": {"externalParameters": {"target": "app"}}},
    }
).encode()
BUILD = """\
docker_buildkit_image(name="image", image_tags=["latest", "1.0"])
docker_buildkit_image(name="twin", repository="image")
docker_buildkit_image(name="skipped", skip_push=True)
docker_buildkit_image(name="everywhere", registries=["@dev", "@prod"])
"""
# Makes what the protocol asks for, with no cryptography: nobody here could verify it.
SIGNER = """\
#!/usr/bin/env python3
import hashlib, io, json, sys, tarfile
assert sys.argv[1:] == ["sign-oci-artifact", "--key", "a"], sys.argv
subject = json.load(sys.stdin)
tar = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
def add(name, content):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
def blob(content, kind):
    digest = hashlib.sha256(content).hexdigest()
    add("blobs/sha256/" + digest, content)
    return {"mediaType": kind, "digest": "sha256:" + digest, "size": len(content)}
oci = "application/vnd.oci."
manifest = blob(json.dumps({
    "schemaVersion": 2, "mediaType": oci + "image.manifest.v1+json", "artifactType": "text/x-seal",
    "config": blob(b"{}", oci + "empty.v1+json"), "layers": [blob(b"TEXT", "text/x-seal")],
    "subject": subject, "annotations": {"said": "TEXT"}}).encode(), oci + "image.manifest.v1+json")
add("index.json", json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode())
add("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
tar.close()
"""


@pytest.fixture(scope="module")
def runner() -> Iterator[ImageRunner]:
    runner = ImageRunner()
    runner.write({"app/BUILD": BUILD, "app/Dockerfile": "FROM scratch\n"})
    yield runner
    runner.close()


@pytest.fixture
def dev(request: Any) -> Iterator[FakeRegistry]:
    with FakeRegistry(supports_referrers=getattr(request, "param", True)).running() as registry:
        yield registry


@pytest.fixture
def prod() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


@pytest.fixture
def client(dev: FakeRegistry) -> Iterator[RegistryClient]:
    clients = RegistryClients()
    yield clients.client(dev.address)
    clients.close()


class Publishing:
    """Publishes images of `dev` in sessions that sign."""

    def __init__(self, runner: ImageRunner, dev: FakeRegistry, prod: FakeRegistry) -> None:
        self.runner, self.dev, self.prod = runner, dev, prod

    def session(
        self, *options: str, env: dict[str, str] | None = None, cosign: str | None = None
    ) -> None:
        """Begin a session with these options of signatures."""
        registries = (
            f"{{'dev': {{'address': '{self.dev.address}', 'default': True}},"
            f" 'prod': {{'address': '{self.prod.address}'}}}}"
        )
        self.runner.set_options(
            f"registries={registries}",
            "default-repository={name}",
            f"signatures-cosign={cosign or cosign_program()}",
            *(f"signatures-{each}" for each in options),
            env=env,
        )

    def forget_signatures(self) -> None:
        """Know as little of them as another machine."""
        directory = self.runner.keeper().running.directory.parent
        shutil.rmtree(directory / "signatures")

    def publish(
        self,
        target: str = "image",
        image: OciDigest = IMAGE.digest,
        platforms: tuple[OciDigest, ...] = (),
        provenance: bytes = b"",
    ) -> GoalRun:
        return run(self.plan(target, image, platforms, provenance))

    def plan(
        self,
        target: str,
        image: OciDigest,
        platforms: tuple[OciDigest, ...] = (),
        provenance: bytes = b"",
    ) -> PublishProcesses:
        """One target of several that are published at once."""
        repository = "image" if target == "twin" else target
        reference = f"{self.dev.address}/{repository}@{image}"
        native = ImagePlatform.create("linux", "amd64")
        images = [PlatformImage(native, each, each) for each in platforms]
        return self.runner.publish(
            f"app:{target}", image, reference, platforms=images, provenance=provenance
        )


@pytest.fixture
def publishing(runner: ImageRunner, dev: FakeRegistry, prod: FakeRegistry) -> Publishing:
    return Publishing(runner, dev, prod)


def by_file(keys: KeyPair, **others: str) -> tuple[list[str], dict[str, str]]:
    return [f"key=file={keys.private}"], {"COSIGN_PASSWORD": keys.password, **others}


def test_an_image_is_signed_once_and_later_without_a_build(
    publishing: Publishing,
    dev: FakeRegistry,
    client: RegistryClient,
    keys: KeyPair,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Where a killed process leaves files that nobody removes.
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    IMAGE.push(client, "image")
    publishing.session()
    assert publishing.publish().has_moved_all
    pinned = f"{dev.address}/image@{IMAGE.digest}"
    assert not keys.verifies(pinned)
    options, env = by_file(keys)
    publishing.session(*options, env=env)
    done = publishing.publish()
    # Its tags are where they were.
    assert f"✓ {pinned} signed.\n" in done.said
    entry = done.entries[pinned]
    assert (entry["published"], entry["status"], entry["signature"]) == (True, "signed", True)
    assert keys.verifies(pinned)

    # Provenance is signed as this run made it, beside the signature that is there.
    attestation = ("verify-attestation", "--type=slsaprovenance1")
    assert not keys.verifies(pinned, *attestation)
    publishing.session(*options, env=env)
    assert f"{pinned} signed" in publishing.publish(provenance=PROVENANCE).said
    assert keys.verifies(pinned, *attestation)
    manifests = dict(dev.repository("image").manifests)
    for reads in (False, True, False):
        # What was made or verified here is not read again.
        publishing.session(*options, env=env)
        if reads:
            publishing.forget_signatures()
        dev.requests.clear()
        again = publishing.publish(provenance=PROVENANCE)
        assert (again.said, again.exit_code) == ("", 0)
        assert (dev.count("GET", "/blobs/") > 0) == reads
    assert dev.count("PUT") == dev.count("POST") == 0
    assert dev.repository("image").manifests == manifests


@pytest.mark.parametrize("dev", [False], indirect=True)
def test_a_signature_of_cosign_counts_and_one_of_another_key_does_not(
    publishing: Publishing,
    dev: FakeRegistry,
    client: RegistryClient,
    keys: KeyPair,
    stranger: KeyPair,
) -> None:
    for image, owner in ((IMAGE, stranger), (OTHER, keys)):
        image.push(client, "image")
        owner.sign(f"{dev.address}/image@{image.digest}")
    options, env = by_file(keys)
    publishing.session(*options, env=env)
    done = run(publishing.plan("image", IMAGE.digest), publishing.plan("twin", OTHER.digest))
    assert done.said.count(" signed.\n") == 1
    assert f"✓ {dev.address}/image@{IMAGE.digest} signed.\n" in done.said
    assert keys.verifies(f"{dev.address}/image@{IMAGE.digest}")


@pytest.mark.parametrize("dev", [False], indirect=True)
def test_a_signature_that_only_a_list_still_names_is_made_again(
    publishing: Publishing, dev: FakeRegistry, client: RegistryClient, keys: KeyPair
) -> None:
    IMAGE.push(client, "image")
    options, env = by_file(keys)
    pinned = f"{dev.address}/image@{IMAGE.digest}"
    manifests = dev.repository("image").manifests
    before = set(manifests)
    publishing.session(*options, env=env)
    publishing.publish()
    # The list is the one new manifest that has a tag, and clean-ups leave it.
    (made,) = set(manifests) - before - set(dev.repository("image").tags.values())
    del manifests[made]
    assert not keys.verifies(pinned)
    publishing.session(*options, env=env)
    assert f"{pinned} signed" in publishing.publish().said
    assert keys.verifies(pinned)


def test_tags_move_to_what_is_signed(
    publishing: Publishing, dev: FakeRegistry, client: RegistryClient, keys: KeyPair
) -> None:
    IMAGE.push(client, "image")
    options, env = by_file(keys)
    publishing.session(*options, env={**env, "COSIGN_PASSWORD": "another"})
    done = publishing.publish()
    pinned = f"{dev.address}/image@{IMAGE.digest}"
    assert "decryption failed" in done.failure(pinned)
    assert dev.repository("image").tags == {}
    assert "the image could not be signed" in done.failure(f"{dev.address}/image:latest")

    publishing.session(*options, env=env, cosign="nowhere")
    said = publishing.publish().failure(pinned)
    assert "'nowhere' is not on '[docker-buildkit].executable_search_paths'" in said

    dev.plan(faults.status(403), "/image/referrers/", times=None)
    publishing.session(*options, env=env)
    said = publishing.publish().failure(f"{dev.address}/image:latest")
    assert "is signed is not known" in said
    assert dev.repository("image").tags == {}

    dev.behave()
    publishing.session(*options, env=env)
    dev.plan(faults.status(403), "/image/blobs/uploads", method="POST", times=None)
    done = publishing.publish()
    assert f"Could not sign {pinned}. Could not upload" in done.failure(pinned)
    assert "the image could not be signed" in done.failure(f"{dev.address}/image:1.0")
    assert dev.repository("image").tags == {}

    dev.behave()
    publishing.session(*options, env=env)
    assert publishing.publish().has_moved_all
    writes = [each.target for each in dev.requests if each.method == "PUT"]
    moved = [number for number, each in enumerate(writes) if each.endswith(("latest", "1.0"))]
    assert min(moved) > max(
        number for number, each in enumerate(writes) if "/manifests/sha256" in each
    )


def test_keys_come_from_variables_files_and_commands(
    publishing: Publishing, dev: FakeRegistry, client: RegistryClient, keys: KeyPair
) -> None:
    options = ["key=env=THE_KEY", f"password=command=echo '{keys.password}'"]
    pem = "\r\n".join(keys.private.read_text().splitlines())
    IMAGE.push(client, "image")
    publishing.session(*options, env={"THE_KEY": pem})
    assert publishing.publish().has_moved_all
    assert keys.verifies(f"{dev.address}/image@{IMAGE.digest}")


def test_a_key_that_is_written_into_an_option_is_not_repeated(
    publishing: Publishing, client: RegistryClient
) -> None:
    IMAGE.push(client, "image")
    publishing.session("key=-----BEGIN SECRET")
    with pytest.raises(Exception, match=r"key` must be `env=NAME`") as failure:
        publishing.publish()
    assert "BEGIN SECRET" not in str(failure.value)


def test_platforms_are_signed_where_that_is_wanted(
    publishing: Publishing, dev: FakeRegistry, client: RegistryClient, keys: KeyPair
) -> None:
    for each in (IMAGE, OTHER):
        each.push(client, "image")
    index = several_platforms(IMAGE, OTHER)
    client.put_manifest("image", sha256_digest(index), index, MediaType.OCI_IMAGE_INDEX.value)
    options, env = by_file(keys)
    publishing.session(*options, env=env)
    digest = sha256_digest(index)
    platforms = (IMAGE.digest, OTHER.digest)
    assert publishing.publish("image", digest, platforms).has_moved_all
    names = [f"{dev.address}/image@{each}" for each in (digest, IMAGE.digest, OTHER.digest)]
    assert [keys.verifies(each) for each in names] == [True, False, False]
    publishing.session(*options, "sign-platforms=true", env=env)
    assert f"{names[0]} signed" in publishing.publish("image", digest, platforms).said
    assert [keys.verifies(each) for each in names] == [True, True, True]


def test_every_registry_has_the_signature_and_what_is_skipped_has_none(
    publishing: Publishing,
    dev: FakeRegistry,
    prod: FakeRegistry,
    client: RegistryClient,
    keys: KeyPair,
) -> None:
    for name in ("everywhere", "skipped", "image"):
        IMAGE.push(client, name)
    options, env = by_file(keys)
    publishing.session(*options, env=env)
    targets = ("everywhere", "skipped", "image", "twin")
    done = run(*(publishing.plan(each, IMAGE.digest) for each in targets))
    assert done.exit_code == 0
    assert prod.repository("everywhere").tags["latest"] == IMAGE.digest
    for registry in (dev, prod):
        assert keys.verifies(f"{registry.address}/everywhere@{IMAGE.digest}")
    assert not keys.verifies(f"{dev.address}/skipped@{IMAGE.digest}")
    # Two targets with one image in one repository are one signature.
    assert done.said.count(f"✓ {dev.address}/image@{IMAGE.digest} signed.\n") == 1


def test_a_program_may_sign(
    publishing: Publishing, dev: FakeRegistry, client: RegistryClient, tmp_path: Path
) -> None:
    IMAGE.push(client, "image")
    program = tmp_path / "signer"

    def write(text: str) -> None:
        program.write_text(SIGNER.replace("TEXT", text))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    write("sealed")
    signer = f"signer=['{program}', '--key', 'a']"
    path = {"PATH": os.environ["PATH"]}
    publishing.session(signer, env=path)
    assert publishing.publish().has_moved_all
    manifests = dict(dev.repository("image").manifests)
    assert any(b"text/x-seal" in content for _, content in manifests.values())
    # One of the type that it made here before is there: it is not run, for that makes another.
    program.write_text("#!/bin/sh\nexit 1\n")
    publishing.session(signer, env=path)
    assert publishing.publish().said == ""
    # Nobody knows its type yet: one of the same type is there, whatever it says.
    program = program.rename(tmp_path / "renamed")
    write("sealed on another day")
    signer = signer.replace("signer'", "renamed'")
    publishing.session(signer, env=path)
    assert publishing.publish().said == ""
    assert dev.repository("image").manifests == manifests
    OTHER.push(client, "image")
    for content, finding in (
        ("#!/bin/sh\necho no key >&2; exit 3", "exit code 3: no key"),
        ("#!/bin/sh\nexit 2", "exit code 2: it printed no error"),
        ("#!/bin/sh\necho hello", "must print an OCI image layout as a tar"),
        (SIGNER.replace('"subject": subject', '"subject": manifest0'), "ended with exit code 1"),
    ):
        program.write_text(content)
        publishing.session(signer, env=path)
        done = publishing.publish(image=OTHER.digest)
        assert finding in done.failure(f"{dev.address}/image@{OTHER.digest}")


def test_a_key_and_a_program_exclude_each_other(
    publishing: Publishing, client: RegistryClient
) -> None:
    publishing.session("key=env=KEY", "signer=['signer']")
    with pytest.raises(Exception, match=r"signer` must be left out where `key` is set"):
        publishing.publish()
