"""Signatures are found, and verified, wherever cosign puts them, and nothing else is one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.oci.referrer import Referrer
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.referrers import attach
from pants_docker_buildkit.registry.secret_source import SecretKind, SecretSource
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage, several_platforms
from pants_docker_buildkit.signatures.cosign import Cosign, SigningKey
from pants_docker_buildkit.signatures.errors import NotSignedError, SignatureError
from pants_docker_buildkit.signatures.rules import IGNORES_LOG, SignatureRule
from pants_docker_buildkit.signatures.statement import BUNDLE_TYPE, Statement
from pants_docker_buildkit.signatures.testing.real_cosign import (
    KeyPair,
    cosign_program,
    new_directory,
)
from pants_docker_buildkit.signatures.verification import Verification

IMAGE, OTHER = SmallImage.create("signed"), SmallImage.create("other")
NOTHING = "Nothing beside it is a signature"
ANOTHER_KEY = "accepted signatures do not match"


@cache
def bundle_of(statement: Statement, keys: KeyPair) -> bytes:
    """A signed statement, made once for all registries."""
    environment = {
        "HOME": "/nonexistent",
        "PATH": "/usr/bin:/bin",
        "COSIGN_PASSWORD": keys.password,
    }
    key = SigningKey(SecretSource(SecretKind.FILE, str(keys.private)))
    return Cosign(cosign_program(), environment, new_directory).sign(statement.content, key)


class Scene:
    """A registry with the image, and what says whether that is signed."""

    def __init__(self, registry: FakeRegistry, client: RegistryClient, directory: Path) -> None:
        self.registry, self.client, self.notes = registry, client, directory / "notes"
        environment = {"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"}
        self.cosign = Cosign(cosign_program(), environment, new_directory)
        self.image = IMAGE.push(client, "app")
        self.name = ImageReference(registry.address, "app").pinned(self.image.digest)

    def sign(self, keys: KeyPair, subject: Descriptor | None = None, bundle: bytes = b"") -> None:
        """Put a signature of the image beside it, or that of another one."""
        statement = Statement.of_signature((subject or self.image).digest)
        signed = bundle or bundle_of(statement, keys)
        attach(self.client, "app", [statement.referrer(self.image, signed)])

    def finding(self, *keys: KeyPair, name: ImageReference | None = None) -> str | None:
        """Why the image is not signed by one of these keys; `None` where it is."""
        rules = [SignatureRule((IGNORES_LOG,), each.public) for each in keys]
        try:
            self.verification.check(self.client, name or self.name, rules)
        except NotSignedError as e:
            return str(e)
        return None

    @property
    def verification(self) -> Verification:
        return Verification(self.cosign, self.notes)


@pytest.fixture
def scene(request: Any, tmp_path: Path) -> Iterator[Scene]:
    clients = RegistryClients()
    has_api = getattr(request, "param", True)
    with FakeRegistry(supports_referrers=has_api).running() as registry:
        yield Scene(registry, clients.client(registry.address), tmp_path)
    clients.close()


EITHER_WAY = pytest.mark.parametrize("scene", [True, False], ids=["api", "tag"], indirect=True)


@EITHER_WAY
def test_only_a_signature_of_the_image_by_the_key_counts(
    scene: Scene, keys: KeyPair, stranger: KeyPair
) -> None:
    assert NOTHING in (scene.finding(keys) or "")
    scene.sign(keys, Descriptor.of(OTHER.manifest, MediaType.OCI_IMAGE_MANIFEST.value))
    assert "does not match any digest" in (scene.finding(keys) or "")
    scene.sign(stranger)
    assert ANOTHER_KEY in (scene.finding(keys) or "")
    scene.sign(keys, bundle=b'{"mediaType": "broken')
    assert scene.finding(keys) is not None
    assert scene.finding(stranger) is None
    assert scene.finding(keys, stranger) is None
    scene.sign(keys)
    assert scene.finding(keys) is None


def test_what_was_verified_is_not_verified_again(scene: Scene, keys: KeyPair) -> None:
    scene.sign(keys)
    assert scene.finding(keys) is None
    assert len(list(scene.notes.iterdir())) == 1
    scene.cosign = Cosign("nowhere", {"PATH": ""}, new_directory)
    assert scene.finding(keys) is None
    for note in scene.notes.iterdir():
        note.unlink()
    with pytest.raises(SignatureError, match="'nowhere' is not on '"):
        scene.finding(keys)


def test_what_cosign_put_there_itself_counts(
    scene: Scene, keys: KeyPair, stranger: KeyPair
) -> None:
    keys.sign(str(scene.name))
    assert scene.finding(keys) is None
    assert ANOTHER_KEY in (scene.finding(stranger) or "")


@pytest.mark.parametrize(("scene", "is_index"), [(False, False), (True, True)], indirect=["scene"])
def test_signatures_of_cosign_2_count(
    scene: Scene, keys: KeyPair, stranger: KeyPair, *, is_index: bool
) -> None:
    name = scene.name
    if is_index:
        OTHER.push(scene.client, "app")
        index = several_platforms(IMAGE, OTHER)
        kind = MediaType.OCI_IMAGE_INDEX.value
        digest = sha256_digest(index)
        scene.client.put_manifest("app", digest, index, kind)
        name = name.pinned(digest)
    keys.sign(str(name), "--new-bundle-format=false")
    assert any(each.endswith(".sig") for each in scene.registry.repository("app").tags)
    assert scene.finding(keys, name=name) is None
    assert scene.finding(stranger, name=name) is not None


@EITHER_WAY
def test_artifacts_that_are_no_signatures_are_passed_over(scene: Scene, keys: KeyPair) -> None:
    attach(scene.client, "app", [Referrer(scene.image, "application/spdx+json", b"{}")])
    assert NOTHING in (scene.finding(keys) or "")
    # A registry may list what is not there, or refers to something else.
    empty = Referrer(scene.image, BUNDLE_TYPE, json.dumps({"a": "b"}).encode())
    attach(scene.client, "app", [empty])
    repository = scene.registry.repository("app")
    del repository.blobs[sha256_digest(empty.document)]
    assert NOTHING in (scene.finding(keys) or "")
    scene.sign(keys)
    assert scene.finding(keys) is None


def test_a_statement_that_must_be_exact_is_no_other_of_its_kind(
    scene: Scene, keys: KeyPair
) -> None:
    scene.sign(keys)
    own = SignatureRule((IGNORES_LOG,), keys.public).read()
    signature = Statement.of_signature(scene.image.digest)
    other = Statement(b"{}", signature.predicate_type, is_exact=True)
    wanted = (signature, other)
    assert scene.verification.lacking(scene.client, scene.name, wanted, lambda: own) == [other]


@pytest.mark.parametrize(
    ("rule", "is_lasting"),
    [
        (SignatureRule((IGNORES_LOG,), public_key=b"a"), True),
        (SignatureRule((), public_key=b"a", trusted_root=b"b"), True),
        (SignatureRule((), public_key=b"a"), False),
        (SignatureRule((IGNORES_LOG, "--key", "awskms:///alias/a")), False),
        (SignatureRule(("--certificate-identity", "a"), trusted_root=b"b"), True),
        (SignatureRule(("--certificate-identity", "a", IGNORES_LOG), trusted_root=b"b"), False),
        (SignatureRule(("--certificate-identity", "a")), False),
    ],
)
def test_what_may_change_is_verified_again(rule: SignatureRule, *, is_lasting: bool) -> None:
    assert rule.is_lasting == is_lasting
    assert rule.identity != SignatureRule(rule.arguments, public_key=b"c").identity


def test_a_public_key_that_cannot_be_read_is_no_unsigned_image(scene: Scene) -> None:
    with pytest.raises(SignatureError, match="cannot be read: No such file"):
        scene.finding(KeyPair(Path("a"), Path("/nonexistent/cosign.pub")))


def test_public_keys_may_have_the_line_breaks_of_windows(
    scene: Scene, keys: KeyPair, tmp_path: Path
) -> None:
    scene.sign(keys)
    copy = tmp_path / "windows.pub"
    copy.write_bytes(keys.public.read_bytes().replace(b"\n", b"\r\n"))
    assert scene.finding(KeyPair(keys.private, copy)) is None
