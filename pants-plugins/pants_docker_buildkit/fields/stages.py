"""Which stages of one Dockerfile are images, and in what do these differ?"""

from __future__ import annotations

import re
from typing import Iterable, Optional  # noqa: UP035 - Pants prints it in help

from pants.engine.addresses import Address
from pants.engine.target import InvalidFieldException, OverridesField, StringSequenceField
from pants.util.strutil import help_text

_STAGE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
"""What BuildKit takes for a name. It does not build a stage by number (`--target`)."""


class BuildKitImagesStagesField(StringSequenceField):
    alias = "stages"
    required = True
    value: tuple[str, ...]
    help = help_text(
        """
        The stages of the Dockerfile to build as images. Each becomes a target: `stages=["test",
        "release"]` of the target `:image` gives `:image#test` and `:image#release`.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[Iterable[str]], address: Address) -> tuple[str, ...]:
        """The names as written. BuildKit takes names that differ in case only for one."""
        stages = super().compute_value(raw_value, address) or ()
        names = [stage.lower() for stage in stages]
        finding = next(
            (f"{each!r} is not valid" for each in stages if not _STAGE.fullmatch(each)), None
        )
        if not stages:
            finding = "it is empty"
        elif finding is None and len(set(names)) < len(names):
            finding = f"{next(each for each in names if names.count(each) > 1)!r} is there twice"
        if finding is not None:
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} must hold the names of stages of the"
                f" Dockerfile, each once, but {finding}. Write names as they stand after `AS` in"
                " the Dockerfile."
            )
        return stages


class BuildKitImagesOverridesField(OverridesField):
    help = help_text(
        """
        Other values of `docker_buildkit_image` fields for some of the images, by the name of a
        stage or a tuple of names.

        Example: `overrides={"test": {"skip_push": True}}`.
        """
    )
