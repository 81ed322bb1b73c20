"""How are the layers of an image compressed?"""

from __future__ import annotations

from enum import Enum

from pants.engine.target import BoolField, StringField
from pants.util.strutil import help_text

from pants_docker_buildkit.fields.numbers import NumberField


class LayerCompression(str, Enum):
    """What BuildKit compresses layers with."""

    GZIP = "gzip"
    ZSTD = "zstd"
    ESTARGZ = "estargz"
    UNCOMPRESSED = "uncompressed"

    @property
    def highest_level(self) -> int | None:
        """The level that compresses most; `None` where there are no levels."""
        return _HIGHEST_LEVELS[self.value]


_HIGHEST_LEVELS = {"gzip": 9, "estargz": 9, "zstd": 22, "uncompressed": None}


class BuildKitImageCompressionField(StringField):
    alias = "compression"
    valid_choices = LayerCompression
    help = help_text(
        """
        The compression of the image's layers (`--output=…,compression=`).

        Defaults to BuildKit's default, `gzip`. Layers of base images are not recompressed, unless
        `force_compression` is set. `estargz` lets a snapshotter read a layer before it is fully
        downloaded; `zstd` needs Docker 23 or containerd 1.5 where the image is pulled.
        """
    )


class BuildKitImageCompressionLevelField(NumberField):
    alias = "compression_level"
    help = help_text(
        f"""
        The compression level (`compression-level`): 0 to 9 for `gzip` and `estargz`, 0 to 22 for
        `zstd`. Without `{BuildKitImageCompressionField.alias}` it applies to `gzip`.
        """
    )


class BuildKitImageForceCompressionField(BoolField):
    alias = "force_compression"
    default = False
    help = help_text(
        f"""
        Whether to recompress layers that have a different compression, such as those of base images
        (`force-compression`), so that all layers of the image have the one of
        `{BuildKitImageCompressionField.alias}`.
        """
    )
