"""Which image is tested, and how?"""

from __future__ import annotations

from typing import Optional

from pants.core.goals.test import TestTimeoutField
from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.target import (
    BoolField,
    InvalidFieldException,
    OptionalSingleSourceField,
    SpecialCasedDependencies,
    StringField,
)
from pants.util.strutil import help_text


class ImageTestImageField(SpecialCasedDependencies):
    alias = "image"
    required = True
    value: str  # type: ignore[assignment]
    help = help_text(
        """
        The address of the image target to test, such as `:image`. It is built if necessary, and
        tested on each of its platforms.
        """
    )

    @classmethod
    def compute_value(  # type: ignore[override]
        cls, raw_value: Optional[str], address: Address
    ) -> str:
        """The address as written."""
        value = _ImageText.compute_value(raw_value, address)
        if not value:
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} must be the address of an image"
                " target, but it is empty. Write an address, such as `:image`."
            )
        return value

    def to_unparsed_address_inputs(self) -> UnparsedAddressInputs:
        """The address, for `dependencies`, `dependents` and `--changed-dependents`."""
        return UnparsedAddressInputs(
            (self.value,),
            owning_address=self.address,
            description_of_origin=f"the `{self.alias}` field of {self.address}",
        )


class _ImageText(StringField):
    alias = ImageTestImageField.alias


class ImageTestSourceField(OptionalSingleSourceField):
    expected_file_extensions = (".yaml", ".yml", ".json")
    uses_source_roots = False
    help = help_text(
        """
        A file of structure tests: the expected output and exit codes of commands, the expected
        files with their owners, modes and contents, and the expected configuration of the image.

        The schema is that of container-structure-test, version 2.0.0 or 1.0.0, in YAML or JSON; see
        https://github.com/GoogleContainerTools/container-structure-test. The tests run in BuildKit,
        so they need neither an engine nor a shell in the image.
        """
    )


class ImageTestStageField(StringField):
    alias = "target_stage"
    help = help_text(
        """
        A stage of the image's Dockerfile to build as a test, with the image's context, arguments
        and secrets. It passes if all of its steps succeed on each platform.
        """
    )


class ImageTestReproducibleField(BoolField):
    alias = "reproducible"
    default = False
    help = help_text(
        """
        Whether to test that two builds of the image give the same bytes. The second build runs
        after the first, without a cache, with a different host name, and on
        `[docker-buildkit-tests].second_builder` if that is set. If they differ, the test names the
        first layer that differs, and the first file in it.

        An image can pass only if it has `reproducible=True` itself, because otherwise its times
        differ.
        """
    )


class SkipImageTestField(BoolField):
    alias = "skip_tests"
    default = False
    help = "Whether `test` skips this target."


class ImageTestTimeoutField(TestTimeoutField):
    help = help_text(
        """
        How many seconds the tests of one platform may take before they are cancelled and fail.

        Defaults to `[test].timeout_default`, and is never more than `[test].timeout_maximum`. No
        limit by default.
        """
    )
