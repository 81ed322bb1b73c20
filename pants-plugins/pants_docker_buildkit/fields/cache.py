"""Which BuildKit caches, which times, which builder, and for how long?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import (  # noqa: UP035 - Pants prints them in help
    Any,
    Dict,
    Iterable,
    Optional,
    Union,
)

from pants.engine.addresses import Address
from pants.engine.target import (
    BoolField,
    DictStringToStringField,
    InvalidFieldException,
    StringField,
    StringSequenceField,
    TriBoolField,
    ValidNumbers,
)
from pants.util.strutil import help_text

from pants_docker_buildkit.buildx.attributes import render_attributes
from pants_docker_buildkit.fields.numbers import NumberField


class BuildKitImageInlineCacheField(BoolField):
    alias = "inline_cache"
    default = True
    help = help_text(
        """
        Whether the image contains BuildKit's inline cache (`--cache-to type=inline`), which the
        next build imports from the repository's cache tag.

        Applies to pushed images only. The cache records when steps ran, so an image with
        `reproducible` has none.
        """
    )


class BuildKitImageReproducibleField(TriBoolField):
    alias = "reproducible"
    help = help_text(
        f"""
        Whether two builds of the same definition give the same image, bit by bit, on any builder
        (`--output …,rewrite-timestamp=true`). Defaults to `[docker-buildkit].reproducible`.

        With `True`, the times of files, layers and history are at most `SOURCE_DATE_EPOCH`, which
        is 0 unless the Dockerfile or `extra_build_args` sets it, and there is no
        `{BuildKitImageInlineCacheField.alias}`. Steps must be deterministic, and builders must have
        the same version of BuildKit. BuildKit compresses changed layers twice, and a step sees
        other file times than those in the image.

        With `False`, caching, speed and times are those of plain `docker buildx build`.

        Not supported with `output="docker"`, because the Docker Engine does not load rewritten
        layers.
        """
    )


class _CachesField(StringSequenceField):
    """Texts as buildx takes them. Maps, as `docker_image` has them, become such texts."""

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Iterable[Union[str, Dict[str, str]]]], address: Address
    ) -> Optional[tuple[str, ...]]:
        texts: Any = (raw_value,) if isinstance(raw_value, Mapping) else raw_value
        if isinstance(texts, (list, tuple)):
            texts = tuple(cls._text(each, address) for each in texts)
        return super().compute_value(texts, address)

    @classmethod
    def _text(cls, value: object, address: Address) -> str:
        if isinstance(value, str):
            return value
        if not isinstance(value, Mapping):
            must, found = "hold texts or maps, as 'type=gha' or {'type': 'gha'}", repr(value)
        elif all(isinstance(each, str) for pair in value.items() for each in pair):
            return render_attributes(value.items())
        else:
            must, found = "have texts in its maps, as {'type': 'gha'}", repr(dict(value))
        raise InvalidFieldException(
            f"The `{cls.alias}` field in target {address} must {must}, but one is {found}."
        )


class BuildKitImageCacheFromField(_CachesField):
    alias = "cache_from"
    default = ()
    help = help_text(
        """
        BuildKit caches to import (`--cache-from`), such as `type=registry,ref=ghcr.io/org/cache`
        or `type=gha`; a map such as `{"type": "gha"}` means the same. Added to
        `[docker-buildkit].cache_from`. A path (`type=local,src=PATH`) is relative to the build
        root, or to the BUILD file if it starts with `./`.

        They make builds faster, but do not affect whether the image is built.
        """
    )


class BuildKitImageCacheToField(_CachesField):
    alias = "cache_to"
    default = ()
    help = help_text(
        """
        Where BuildKit exports its cache after a build (`--cache-to`), such as
        `type=registry,ref=ghcr.io/org/cache,mode=max`; a map such as `{"type": "gha"}` means the
        same. Added to `[docker-buildkit].cache_to`. A path (`type=local,dest=PATH`) is relative to
        the build root, or to the BUILD file if it starts with `./`.

        `type=inline` adds nothing: the field `inline_cache` says whether an image contains a cache.

        An image that is not built exports nothing.
        """
    )


class BuildKitImageBuilderField(StringField):
    alias = "builder"
    help = help_text(
        """
        The name of the builder to use (`--builder`): one that `[docker-buildkit.builders]`
        describes, or else one that `docker buildx ls` lists.

        Defaults to `[docker-buildkit].builder`, then to the builder that `docker buildx use` chose.
        Changing it rebuilds nothing.
        """
    )


class BuildKitImageBuildTimeoutField(NumberField):
    alias = "build_timeout"
    valid_numbers = ValidNumbers.positive_only
    help = help_text(
        """
        How many seconds a build may take before it is cancelled and fails.

        Defaults to `[docker-buildkit].build_timeout`. Changing it rebuilds nothing.
        """
    )


class BuildKitImageResourcesField(DictStringToStringField):
    alias = "resources"
    help = help_text(
        """
        Limits of each `RUN` step (`--resource`, buildx 0.36 or later), such as `{'memory': '2g',
        'cpu-quota': '50000'}`. A BuildKit that is too old ignores them.

        Limits in `[docker-buildkit].resources` that are not named here still apply. Changing it
        rebuilds nothing.
        """
    )
