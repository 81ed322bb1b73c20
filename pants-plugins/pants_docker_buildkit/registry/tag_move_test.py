from __future__ import annotations

import time
from typing import Optional

import pytest

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.oci.referrer import Referrer
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.conftest import ClientFactory
from pants_docker_buildkit.registry.errors import RegistryError
from pants_docker_buildkit.registry.image_content import RepositoryContent
from pants_docker_buildkit.registry.known_manifests import KnownManifests
from pants_docker_buildkit.registry.referrers import attach, list_referrers
from pants_docker_buildkit.registry.tag_move import RepositoryMoves, TagMove, move_tags
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.faults import Fault
from pants_docker_buildkit.registry.testing.images import SmallImage

OLD, NEW, THIRD = (SmallImage.create(each) for each in ("old", "new", "third"))
REPOSITORY = "org/app"

Problems = dict[str, Optional[RegistryError]]


@pytest.fixture(autouse=True)
def images(registry: FakeRegistry, client: RegistryClient) -> None:
    """Three images, of which `latest` is the old one. Requests are counted from here on."""
    OLD.push(client, REPOSITORY, "latest")
    NEW.push(client, REPOSITORY)
    THIRD.push(client, REPOSITORY)
    registry.requests.clear()


def wanted(client: RegistryClient, **before: OciDigest | None) -> RepositoryMoves:
    moves = tuple(TagMove(tag, digest) for tag, digest in before.items())
    return RepositoryMoves(client.registry, REPOSITORY, NEW.digest, moves)


def problems(client: RegistryClient, **before: OciDigest | None) -> Problems:
    found = move_tags(client, wanted(client, **before))
    return {move.tag: problem for move, problem in found}


def problem(client: RegistryClient, before: OciDigest | None = OLD.digest) -> str:
    """The text of the error for `latest`, without the address of the registry."""
    return str(problems(client, latest=before)["latest"]).replace(client.registry, "REGISTRY")


def tags(registry: FakeRegistry) -> dict[str, str]:
    return registry.repository(REPOSITORY).tags


def move_meanwhile(registry: FakeRegistry, digest: OciDigest | None) -> Fault:
    """Somebody else moves `latest` while it is being written."""

    def answer(handler):  # type: ignore[no-untyped-def]
        if digest is None:
            del tags(registry)["latest"]
        else:
            tags(registry)["latest"] = digest
        faults.status(201)(handler)

    return answer


def test_tags_are_created_and_moved_and_nothing_else_is_written(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    assert problems(client, latest=OLD.digest, v1=None) == {"latest": None, "v1": None}
    assert tags(registry) == {"latest": NEW.digest, "v1": NEW.digest}
    assert registry.count("PUT") == registry.count("PUT", "/manifests/(latest|v1)$") == 2
    assert registry.count("GET", "/blobs/") == registry.count("POST") == 0


def test_a_tag_that_somebody_else_moved_to_the_same_image_is_left_alone(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    tags(registry)["latest"] = NEW.digest
    assert problems(client, latest=OLD.digest) == {"latest": None}
    assert registry.count("PUT") == 0


@pytest.mark.parametrize(
    ("before", "now", "finding"),
    [
        pytest.param(
            OLD.digest,
            THIRD.digest,
            f"somebody else moved it from {OLD.digest} to {THIRD.digest} meanwhile",
            id="moved",
        ),
        pytest.param(
            None, THIRD.digest, f"somebody else set it to {THIRD.digest} meanwhile", id="set"
        ),
        pytest.param(
            OLD.digest, None, f"somebody else removed it from {OLD.digest} meanwhile", id="removed"
        ),
    ],
)
def test_a_tag_that_somebody_else_moved_is_left_where_it_is(
    registry: FakeRegistry,
    client: RegistryClient,
    before: OciDigest | None,
    now: OciDigest | None,
    finding: str,
) -> None:
    tags(registry).pop("latest")
    if now is not None:
        tags(registry)["latest"] = now
    assert problem(client, before) == (
        f"Could not move REGISTRY/org/app:latest to {NEW.digest} ({finding})."
        " It was left as it is: publish again to move it from there."
    )
    assert tags(registry).get("latest") == now


@pytest.mark.parametrize(
    ("now", "finding"),
    [
        pytest.param(THIRD.digest, f"it was moved, but then was at {THIRD.digest}", id="moved"),
        pytest.param(None, "it was moved, but is gone", id="removed"),
    ],
)
def test_a_tag_that_somebody_else_moves_right_after_us_is_told(
    registry: FakeRegistry, client: RegistryClient, now: OciDigest | None, finding: str
) -> None:
    registry.plan(move_meanwhile(registry, now), "/manifests/latest", method="PUT")
    assert problem(client) == (
        f"Could not move REGISTRY/org/app:latest to {NEW.digest} ({finding})."
        " Somebody else published the same tag at the same time, or the registry does not let it"
        " move: look at what it should point to, and publish again."
    )


def test_a_registry_that_takes_a_moment_to_agree_is_asked_again(
    registry: FakeRegistry, client: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pants_docker_buildkit.registry.late_answers._WAITS_SECONDS", (0.01, 0.01))
    stale = faults.status(
        200,
        headers={
            "Docker-Content-Digest": OLD.digest,
            "Content-Type": "application/vnd.oci.image.manifest.v1+json",
        },
    )
    registry.plan(move_meanwhile(registry, NEW.digest), "/manifests/latest", method="PUT")
    registry.plan(stale, "/manifests/latest", method="HEAD", times=3)
    assert problems(client, latest=OLD.digest) == {"latest": None}
    assert registry.count("HEAD", "/manifests/latest") == 4


def test_a_registry_that_says_what_it_stored_is_not_asked_again(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    assert problems(client, latest=OLD.digest) == {"latest": None}
    methods = [each.method for each in registry.requests]
    assert methods == ["GET", "HEAD", "PUT"]


def test_a_tag_that_was_seen_just_now_is_not_looked_at_again(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    now = time.monotonic()
    moves = (TagMove("latest", OLD.digest, now), TagMove("v1", None, now - 60))
    wanted = RepositoryMoves(client.registry, REPOSITORY, NEW.digest, moves)
    assert [problem for _, problem in move_tags(client, wanted)] == [None, None]
    assert registry.count("HEAD", "/manifests/latest$") == 0
    assert registry.count("HEAD", "/manifests/v1$") == 1


def test_a_manifest_is_read_once_for_all_tags_of_an_image_that_is_there(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    known = KnownManifests()
    for tag in ("v1", "v2"):
        moves = (TagMove(tag, None),)
        wanted = RepositoryMoves(client.registry, REPOSITORY, NEW.digest, moves, has_image=True)
        assert [problem for _, problem in move_tags(client, wanted, known=known)] == [None]
    assert registry.count("GET") == 1
    assert tags(registry)["v1"] == tags(registry)["v2"] == NEW.digest


def test_a_manifest_that_is_known_is_read_where_the_repository_may_not_have_it(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    """Some registries take a manifest whose layers they do not have."""
    known = KnownManifests()
    known.add(*client.get_manifest(REPOSITORY, NEW.digest))
    there = RepositoryContent(client, REPOSITORY, NEW.digest)
    wanted = RepositoryMoves(client.registry, "org/copy", NEW.digest, (TagMove("v1", None),))
    assert [problem for _, problem in move_tags(client, wanted, (there,), known)] == [None]
    assert NEW.layer_blob.digest in registry.repository("org/copy").blobs


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        pytest.param(
            faults.oci_error(400, "TAG_INVALID", "the tag is immutable"),
            "(HTTP 400 TAG_INVALID: the tag is immutable)."
            " The tag may not move, whoever asks: use another one, or let it move in the registry's"
            " settings.",
            id="immutable-tag",
        ),
        pytest.param(
            faults.oci_error(412, "PRECONDITION", "configured as immutable"),
            "(HTTP 412 PRECONDITION: configured as immutable)."
            " The tag may not move, whoever asks: use another one, or let it move in the registry's"
            " settings.",
            id="immutable-tag-by-precondition",
        ),
        pytest.param(
            faults.oci_error(403, "DENIED", "adding 12 MiB would exceed the quota"),
            "(HTTP 403 DENIED: adding 12 MiB would exceed the quota)."
            " There is no room left, whoever asks: delete images that nobody needs any more, or"
            " have the limit raised.",
            id="quota",
        ),
        pytest.param(
            faults.oci_error(404, "NAME_UNKNOWN", "no such repository"),
            "(HTTP 404 NAME_UNKNOWN: no such repository)."
            " Check the name of the repository, or create it if the registry needs that.",
            id="no-repository",
        ),
        pytest.param(
            faults.oci_error(401, "UNAUTHORIZED"),
            "(HTTP 401 UNAUTHORIZED)."
            " No credentials for REGISTRY were found: log in with 'docker login REGISTRY'.",
            id="not-logged-in",
        ),
        pytest.param(
            faults.status(503),
            "(HTTP 503). Check that REGISTRY is up and reachable from here, then run again.",
            id="unavailable",
        ),
    ],
)
def test_a_tag_that_the_registry_refuses_is_told_and_the_next_one_moved(
    registry: FakeRegistry, client: RegistryClient, fault: Fault, text: str
) -> None:
    registry.plan(fault, "/manifests/latest", method="PUT", times=None)
    found = problems(client, latest=OLD.digest, v1=None)
    message = str(found["latest"]).replace(client.registry, "REGISTRY")
    assert message == f"Could not write REGISTRY/org/app:latest {text}"
    assert found["v1"] is None
    assert tags(registry) == {"latest": OLD.digest, "v1": NEW.digest}


def test_an_image_that_is_nowhere_moves_no_tag(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    del registry.repository(REPOSITORY).manifests[NEW.digest]
    text = problem(client)
    assert text.startswith(f"Could not read REGISTRY/org/app@{NEW.digest} (HTTP 404")
    assert text.endswith("Check the tag or digest, or build and push the image first.")
    assert tags(registry) == {"latest": OLD.digest}


def test_an_image_that_only_another_registry_has_is_copied_first(
    registry: FakeRegistry,
    client: RegistryClient,
    other_registry: FakeRegistry,
    make_client: ClientFactory,
) -> None:
    other = make_client(other_registry.address)
    there = RepositoryContent(client, REPOSITORY, NEW.digest)
    gone = RepositoryContent(client, "org/gone", NEW.digest)
    moves = RepositoryMoves(other.registry, "copies/app", NEW.digest, (TagMove("v1", None),))
    size = len(NEW.manifest)
    subject = Descriptor(MediaType.OCI_IMAGE_MANIFEST.value, NEW.digest, size)
    said = Referrer(subject, "application/vnd.in-toto+json", b"{}")
    attach(client, REPOSITORY, [said])
    assert [problem for _, problem in move_tags(other, moves, (gone, there))] == [None]
    assert other_registry.repository("copies/app").tags == {"v1": NEW.digest}
    copied = list_referrers(other, "copies/app", NEW.digest).entries
    assert [each.digest for each in copied] == [said.digest]


def test_a_manifest_whose_parts_the_registry_lost_gets_no_tag(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    del registry.repository(REPOSITORY).blobs[NEW.layer_blob.digest]
    found = problem(client)
    assert "MANIFEST_BLOB_UNKNOWN" in found
    assert "Run `package` with --docker-buildkit-check-layers" in found
    assert tags(registry) == {"latest": OLD.digest}


def invalid_digest() -> Fault:
    return faults.oci_error(400, "DIGEST_INVALID", "provided digest did not match")


def test_a_tag_is_moved_once_more_where_another_client_stores_the_same_manifest(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.plan(invalid_digest(), method="PUT")
    assert problems(client, latest=OLD.digest) == {"latest": None}
    assert tags(registry) == {"latest": NEW.digest}


def test_a_tag_that_somebody_moved_before_that_is_left_where_it_is(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    def refuse_and_move(handler):  # type: ignore[no-untyped-def]
        tags(registry)["latest"] = THIRD.digest
        invalid_digest()(handler)

    registry.plan(refuse_and_move, method="PUT")
    assert "It was left as it is" in problem(client)
    assert tags(registry) == {"latest": THIRD.digest}


def test_a_manifest_that_stays_invalid_is_refused(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.plan(invalid_digest(), method="PUT", times=None)
    assert "HTTP 400 DIGEST_INVALID" in problem(client)
    assert [each.method for each in registry.requests].count("PUT") == 2
