"""Which files are the build context, of this repository or of another, and relative to what?"""

from __future__ import annotations

from enum import Enum
from typing import Optional

from pants.engine.addresses import Address
from pants.engine.target import (
    Dependencies,
    DictStringToStringField,
    InvalidFieldException,
    StringField,
)
from pants.util.strutil import help_text, softwrap


class BuildKitImageDependenciesField(Dependencies):
    supports_transitive_excludes = True
    help = help_text(
        """
        The targets whose files are in the build context: files and resources as they are,
        everything else as `pants package` would write it.

        Most of them are inferred from the Dockerfile: image targets that `FROM`, `ARG`, `COPY
        --from` and `RUN --mount` name, and packages and files that `COPY` and `ADD` name.
        """
    )


class BuildKitImageContextRootField(StringField):
    alias = "context_root"
    help = help_text(
        """
        The directory that is the build context, to which paths in `COPY` and `ADD` are relative.

        `"files"` is relative to the build root, `"./files"` to the directory of the BUILD file.
        Defaults to `[docker-buildkit].default_context_root`. The `.dockerignore` file in this
        directory applies, unless there is one named after the Dockerfile beside it
        (`app.Dockerfile.dockerignore`).
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        """The directory as written, which may not be absolute."""
        value = super().compute_value(raw_value, address)
        if value is not None and value.startswith("/"):
            relative = value.strip("/")
            raise InvalidFieldException(
                softwrap(
                    f"""
                    The `{cls.alias}` field in target {address} must be a relative path, but was
                    {value!r}. Use {relative!r} for a path relative to the build root, or
                    {"./" + relative!r} for a path relative to the BUILD file.
                    """
                )
            )
        return value


class ContextInputs(str, Enum):
    """Which files of its context are input of an image."""

    REACHED = "reached"
    DECLARED = "declared"


class BuildKitImageContextInputsField(StringField):
    alias = "context_inputs"
    valid_choices = ContextInputs
    default = ContextInputs.REACHED.value
    help = help_text(
        """
        Which files of the context are input of the image: its build can read only these, and they
        rebuild it when they change.

        `"reached"`: the files that `COPY`, `ADD` and `RUN --mount` name in the stages that the
        build reaches. If one of these lines cannot be understood in advance, all files.

        `"declared"`: all files that the dependencies of the target provide.
        """
    )
    value: str


class BuildKitImageBuildContextsField(DictStringToStringField):
    alias = "build_contexts"
    help = help_text(
        """
        Named build contexts (`--build-context`): `FROM name`, `COPY --from=name` and
        `RUN --mount=from=name` use them.

        Each value is the address of an image target, the address of a target that provides files,
        `docker-image://REFERENCE`, a Git URL, or a URL of a file. A target whose only file is a
        `.tar` with an image, such as that of `docker save`, means that image. Paths of `files` are
        relative to the directory of their BUILD file, those of packages to `dist/`.

        Example:

        ```

        build_contexts={
            "base": "src/base:image",
            "assets": ":web-files",
            "tools": "docker-image://alpine:3.19",
        }

        ```

        Tags, branches and the content of URLs are resolved in every session, or taken from the
        lock.
        """
    )


class BuildKitImageContextField(StringField):
    alias = "context"
    help = help_text(
        """
        A Git repository to use as the build context, as in `docker buildx build URL`:
        `https://example.org/project.git#REFERENCE:SUBDIRECTORY`.

        The reference is a commit, a branch or a tag, and defaults to the default branch of the
        repository. A branch or tag is resolved in every session, or taken from the lock. `source`
        is then a path in the repository, below the subdirectory, unless that file exists beside the
        BUILD file or `instructions` is set.

        The repository is read with the user's Git and its credentials. A password or token in the
        URL is an error.

        The files are stored in Pants' caches, as if they were in this repository.
        """
    )
