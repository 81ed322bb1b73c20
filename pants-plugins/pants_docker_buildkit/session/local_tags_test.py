from __future__ import annotations

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
