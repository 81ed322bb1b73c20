from __future__ import annotations

import pytest

from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.session.confirmed_images import ConfirmedImages, shard_of

IMAGE = ImageReference.parse_familiar(f"ghcr.io/org/app@sha256:{'1' * 64}")
SHARD = shard_of([IMAGE])


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
    assert confirmed.begin_session(["package"]) == (IMAGE,)
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
