"""Which Dockerfile, which stage of it, and is it checked?"""

from __future__ import annotations

import os
from typing import Optional

from pants.engine.addresses import Address
from pants.engine.fs import GlobMatchErrorBehavior
from pants.engine.target import (
    BoolField,
    InvalidFieldException,
    OptionalSingleSourceField,
    StringField,
    StringSequenceField,
)
from pants.util.strutil import help_text

from pants_docker_buildkit.dockerfile.ignorefile import IGNORE_FILE_NAME
from pants_docker_buildkit.fields.input_files import OwnedFiles

POLICY_FILE_ENDING = ".rego"
"""Of the policy that buildx reads beside a Dockerfile."""

LOWER_CASE_DOCKERFILE = "dockerfile"
"""What buildx reads in place of a `Dockerfile` that is not there."""


def lower_case_name(path: str) -> str | None:
    """What stands in for a `Dockerfile` that is not there; `None` where it has another name."""
    directory, name = os.path.split(path)
    return os.path.join(directory, LOWER_CASE_DOCKERFILE) if name == "Dockerfile" else None


def names_beside(dockerfile: str) -> tuple[str, ...]:
    """The files that buildx and BuildKit read beside a Dockerfile, where they are there."""
    return f"{dockerfile}{IGNORE_FILE_NAME}", f"{dockerfile}{POLICY_FILE_ENDING}"


class BuildKitImageSourceField(OptionalSingleSourceField):
    none_is_valid_value = True
    default = "Dockerfile"
    # A missing default Dockerfile is no error where `instructions` take its place.
    default_glob_match_error_behavior = GlobMatchErrorBehavior.ignore
    help = help_text(
        """
        The Dockerfile to build the image from (`--file`).

        Defaults to `Dockerfile` in the directory of the BUILD file or, if there is none, to
        `dockerfile`, as in buildx. To keep the Dockerfile's text in the BUILD file, set
        `instructions` instead; a target cannot have both.
        """
    )

    @property
    def filespec_matcher(self) -> OwnedFiles:  # type: ignore[override]
        """What is this target's where Git says that it changed, also when it was removed.

        The sources of the target are the Dockerfile alone. What `COPY` has inferred of a directory
        goes with a file that is removed from it, which nothing else tells to be of the image.
        """
        paths = {os.path.join(self.address.spec_path, IGNORE_FILE_NAME)}
        if self.file_path is not None:
            written = os.path.normpath(self.file_path)
            lower_case = lower_case_name(written)
            for dockerfile in (written, *([lower_case] if lower_case else ())):
                paths.update((dockerfile, *names_beside(dockerfile)))
        return OwnedFiles(frozenset(paths), removed_below=self.address.spec_path)

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        """The path as written, which may not be absolute."""
        value = super().compute_value(raw_value, address)
        if value == "":
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} must be a path, but is empty. Leave"
                " it out for a Dockerfile called `Dockerfile`."
            )
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

        Use it instead of `source`. Empty by default.

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
        The stage of a multi-stage Dockerfile to build (`--target`).

        Defaults to the last stage. Stages that the chosen one does not need are not built.
        """
    )


class SkipDockerfileChecksField(BoolField):
    alias = "skip_dockerfile_checks"
    default = False
    help = help_text(
        """
        Whether `lint` skips BuildKit's checks of this target's Dockerfile. To disable a single
        rule, put a line `# check=skip=RULE` into the Dockerfile.
        """
    )
