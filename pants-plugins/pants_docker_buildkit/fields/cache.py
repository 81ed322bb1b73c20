"""Which BuildKit caches, and which builder? None of it decides whether an image is built."""

from __future__ import annotations

from pants.engine.target import BoolField, StringField, StringSequenceField
from pants.util.strutil import help_text


class BuildKitImageInlineCacheField(BoolField):
    alias = "inline_cache"
    default = True
    help = help_text(
        """
        Whether the image carries BuildKit's inline cache (`--cache-to type=inline`), and the next
        build imports it from the repository's moving cache tag.

        Only for images that are pushed. It records when steps were run, so two builds that share no
        BuildKit cache give different digests; turn it off for images that must be reproducible.
        """
    )


class BuildKitImageCacheFromField(StringSequenceField):
    alias = "cache_from"
    default = ()
    help = help_text(
        """
        BuildKit caches to import (`--cache-from`), such as `type=registry,ref=ghcr.io/org/cache`
        or `type=gha`. Added to `[docker-buildkit].cache_from`.

        Makes a build faster. Does not affect whether the image is built.
        """
    )


class BuildKitImageCacheToField(StringSequenceField):
    alias = "cache_to"
    default = ()
    help = help_text(
        """
        Where BuildKit exports its cache after a build (`--cache-to`), such as
        `type=registry,ref=ghcr.io/org/cache,mode=max`. Added to `[docker-buildkit].cache_to`.

        Nothing is exported for an image that was not built.
        """
    )


class BuildKitImageBuilderField(StringField):
    alias = "builder"
    help = help_text(
        """
        The name of the builder to use (`--builder`): one that `[docker-buildkit.builders]`
        describes, else one that `docker buildx ls` lists.

        Defaults to `[docker-buildkit].builder`, then to the one that `docker buildx use` chose. It
        does not affect whether the image is built.
        """
    )
