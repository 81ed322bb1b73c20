"""Which platform does the node have that builds for a target platform?

It is what BuildKit calls the build platform: the first that its worker offers.
"""

from __future__ import annotations

from collections.abc import Sequence

from pants_docker_buildkit.oci.image_platform import ImagePlatform, InvalidImagePlatformError

_CHOSEN_BY_USER = "*"


def native_platforms(
    nodes: Sequence[Sequence[str]], targets: Sequence[ImagePlatform]
) -> tuple[ImagePlatform, ...]:
    """For each of `targets`, the platform of the node that buildx sends it to; none if unknown.

    `nodes` are the platforms of each node, as `docker buildx inspect` prints them.
    """
    known = [(_parse(node), _native(node)) for node in nodes]
    natives = []
    for target in targets:
        able = [native for platforms, native in known if target in platforms]
        native = next(iter([*able, *(native for _, native in known)]), None)
        if native is None:
            return ()
        natives.append(native)
    return tuple(natives)


def _native(node: Sequence[str]) -> ImagePlatform | None:
    """The node's own platform: those that its user chose (`*`) stand before it."""
    chosen = [each for each in node if each.endswith(_CHOSEN_BY_USER)]
    own = [each for each in node if not each.endswith(_CHOSEN_BY_USER)]
    platforms = _parse(own[:1] or chosen[:1])
    if not platforms:
        return None
    (platform,) = platforms
    plain = ImagePlatform.create(platform.os, platform.architecture)
    # A choice is not listed twice: what is left of `linux/amd64*` is `linux/amd64/v2`.
    return plain if plain in _parse(chosen) else platform


def _parse(node: Sequence[str]) -> list[ImagePlatform]:
    platforms = []
    for text in node:
        try:
            platforms.append(ImagePlatform.parse(text.rstrip(_CHOSEN_BY_USER)))
        except InvalidImagePlatformError:
            # A platform that this version does not know is not the one that is looked for.
            continue
    return platforms
