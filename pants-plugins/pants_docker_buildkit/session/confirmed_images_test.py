from __future__ import annotations

import pytest

from pants_docker_buildkit.oci.digest import parse_oci_digest
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.session.confirmed_images import (
    ConfirmedImages,
    LikelyQuestion,
    shard_of,
)

IMAGE = ImageReference.parse_familiar(f"ghcr.io/org/app@sha256:{'1' * 64}")
SHARD = shard_of([IMAGE])
TAGS = [ImageReference.parse_familiar(f"ghcr.io/org/app:{tag}") for tag in ("latest", "1", "2")]
assert IMAGE.digest is not None
DIGEST = IMAGE.digest


@pytest.fixture
def confirmed() -> ConfirmedImages:
    """One whose first session ran `package` and needed the image."""
    confirmed = ConfirmedImages()
    confirmed.begin_session(["package"])
    confirmed.ask(SHARD)
    confirmed.add([IMAGE])
    return confirmed


def test_a_command_needs_what_it_needed_before(confirmed: ConfirmedImages) -> None:
    assert confirmed.begin_session(["list"]) == ()
    assert confirmed.begin_session(["package"]) == (LikelyQuestion(IMAGE),)
    # It asked for nothing.
    assert confirmed.begin_session(["package"]) == ()


def test_what_is_lost_is_not_needed(confirmed: ConfirmedImages) -> None:
    confirmed.remove(SHARD, [IMAGE])
    assert confirmed.begin_session(["package"]) == ()


def test_of_many_commands_the_latest_are_known(confirmed: ConfirmedImages) -> None:
    for number in range(100):
        confirmed.begin_session([str(number)])
    assert confirmed.begin_session(["package"]) == ()


def test_without_a_command_nothing_is_lost() -> None:
    confirmed = ConfirmedImages()
    confirmed.add([IMAGE])
    assert confirmed.ask(SHARD) == (IMAGE,)


def test_a_tag_that_was_at_the_image_is_asked_for_in_its_place(confirmed: ConfirmedImages) -> None:
    for tag in TAGS:
        confirmed.note_tag(tag, DIGEST)
    # What another command asks for is not what this one will.
    assert confirmed.begin_session(["list"]) == ()
    assert confirmed.begin_session(["package"]) == (LikelyQuestion(IMAGE, TAGS[0]),)


def test_a_tag_counts_for_the_session_that_comes_next_only(confirmed: ConfirmedImages) -> None:
    confirmed.note_tag(TAGS[0], DIGEST)
    confirmed.begin_session(["package"])
    confirmed.ask(SHARD)
    assert confirmed.begin_session(["package"]) == (LikelyQuestion(IMAGE),)


def test_a_tag_of_another_image_tells_nothing(confirmed: ConfirmedImages) -> None:
    confirmed.note_tag(TAGS[0], parse_oci_digest(f"sha256:{'2' * 64}"))
    assert confirmed.begin_session(["package"]) == (LikelyQuestion(IMAGE),)
