"""Which Dockerfile, and which stage of it?"""

from __future__ import annotations

from typing import Optional

from pants.engine.addresses import Address
from pants.engine.fs import GlobMatchErrorBehavior
from pants.engine.target import (
    InvalidFieldException,
    OptionalSingleSourceField,
    StringField,
    StringSequenceField,
)
from pants.util.strutil import help_text


class BuildKitImageSourceField(OptionalSingleSourceField):
    none_is_valid_value = True
    default = "Dockerfile"
    # A missing default Dockerfile is no error where `instructions` take its place.
    default_glob_match_error_behavior = GlobMatchErrorBehavior.ignore
    help = help_text(
        """
        The Dockerfile to build the image from (`--file`).

        Defaults to `Dockerfile` in the directory of the BUILD file. Set `instructions` instead to
        keep the Dockerfile's text in the BUILD file; a target may not have both.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        """The path as written, which may not be absolute."""
        value = super().compute_value(raw_value, address)
        if value is not None and value.startswith("/"):
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} must be a path relative to the BUILD"
                f" file, but was {value!r}. Files outside of the repository are in no key: copy"
                " the Dockerfile into it."
            )
        return value


class BuildKitImageInstructionsField(StringSequenceField):
    alias = "instructions"
    help = help_text(
        """
        The text of the Dockerfile, typically one instruction per item.

        Replaces the file that `source` names. Empty by default.

        Example:

        ```

        docker_buildkit_image(
            name="image",
            instructions=["FROM scratch", "COPY app /app"],
        )

        ```
        """
    )


class BuildKitImageTargetStageField(StringField):
    alias = "target_stage"
    help = help_text(
        """
        The name of the stage of a multi-stage Dockerfile to build (`--target`).

        Defaults to the last stage. Stages that the chosen one does not need are not built.
        """
    )
