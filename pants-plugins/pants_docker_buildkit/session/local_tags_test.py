from __future__ import annotations

import threading

from pants_docker_buildkit.session.local_tags import LocalTags


def test_a_tag_that_two_targets_have_for_different_images_is_taken() -> None:
    tags = LocalTags()
    assert tags.claim("a:image", "a@1", ["app:1", "app:2"]) == {}
    assert tags.claim("b:image", "b@2", ["app:2", "app:3"]) == {"app:2": "a:image"}
    assert tags.claim("a:image", "a@1", ["app:2"]) == {"app:2": "b:image"}


def test_one_image_may_be_named_by_several_targets() -> None:
    tags = LocalTags()
    assert tags.claim("a:image", "a@1", ["app:1"]) == {}
    assert tags.claim("b:image", "a@1", ["app:1"]) == {}


def test_a_target_that_was_built_again_has_its_tags_for_the_new_image() -> None:
    tags = LocalTags()
    assert tags.claim("a:image", "a@1", ["app:1"]) == {}
    assert tags.claim("a:image", "a@2", ["app:1"]) == {}


def test_tags_are_set_for_the_image_that_a_target_was_found_to_have() -> None:
    tags = LocalTags()
    with tags.turn("a:image", "a@1") as is_current:
        assert is_current
    tags.note("a:image", "a@2")
    for reference in ("a@1", "a@2"):
        with tags.turn("a:image", reference) as is_current:
            assert is_current is (reference == "a@2")
    with tags.turn("b:image", "b@1") as is_current:
        assert is_current


def test_who_sets_tags_for_the_image_before_is_waited_for() -> None:
    tags = LocalTags()
    order: list[str] = []

    def set_tags() -> None:
        with tags.turn("a:image", "a@2"):
            order.append("a@2")

    with tags.turn("a:image", "a@1"):
        tags.note("a:image", "a@2")
        thread = threading.Thread(target=set_tags)
        thread.start()
        thread.join(0.05)
        order.append("a@1")
    thread.join(5)
    assert order == ["a@1", "a@2"]
