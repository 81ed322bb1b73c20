"""Which files does a stage leave for other targets, in place of an image?"""

from __future__ import annotations

from enum import Enum

from pants.engine.target import StringField, StringSequenceField
from pants.util.strutil import help_text


class BuildKitImageOutputFilesField(StringSequenceField):
    alias = "output_files"
    default = ()
    help = help_text(
        """
        Files of the stage's root file system to produce instead of an image
        (`--output=type=local`), such as `["usr/bin/app", "licenses/*.txt"]`.

        Other targets can depend on them, as on the outputs of an `adhoc_tool`. They are written
        below the directory of the BUILD file, or below `output_path`, also in `dist/`. There is no
        image to push, run or build on. `target_stage` names the stage.

        Paths are relative to the root, and may contain wildcards: `*` and `?` within a name, `**`
        for directories. A link is followed if the file it leads to is not kept itself. With several
        platforms, each has a directory such as `linux_amd64`, as with `docker buildx build`.
        """
    )


class BuildKitImageOutputDirectoriesField(StringSequenceField):
    alias = "output_directories"
    default = ()
    help = help_text(
        f"""
        Directories of the stage's root file system to produce with all their contents, instead of
        an image; `"."` is the whole file system. See `{BuildKitImageOutputFilesField.alias}`.
        """
    )


class OutputsMatchMode(str, Enum):
    """What must have been left, and what follows if it was not. Named as in Pants."""

    ALL = "all"
    ALL_WARN = "all_warn"
    AT_LEAST_ONE = "at_least_one"
    AT_LEAST_ONE_WARN = "at_least_one_warn"
    ALLOW_EMPTY = "allow_empty"

    @property
    def is_strict(self) -> bool:
        """Whether it is an error, and not only a warning."""
        return self in (OutputsMatchMode.ALL, OutputsMatchMode.AT_LEAST_ONE)

    @property
    def needs_all(self) -> bool:
        """Whether each path has to match something, and not only one of them."""
        return self in (OutputsMatchMode.ALL, OutputsMatchMode.ALL_WARN)


class BuildKitImageOutputsMatchModeField(StringField):
    alias = "outputs_match_mode"
    valid_choices = OutputsMatchMode
    default = OutputsMatchMode.ALL_WARN.value
    help = help_text(
        f"""
        What happens if the build produces nothing that a path in
        `{BuildKitImageOutputFilesField.alias}` or `{BuildKitImageOutputDirectoriesField.alias}`
        matches.

        - `all_warn`: a warning for the paths that match nothing.

        - `all`: an error for them.

        - `at_least_one_warn`: a warning if none matches anything.

        - `at_least_one`: an error if none does.

        - `allow_empty`: nothing.

        Changing it rebuilds nothing.
        """
    )
