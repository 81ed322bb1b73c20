"""Which images does a file refer to, and how does it spell them?"""

from __future__ import annotations

from typing import Dict, Optional  # noqa: UP035 - Pants prints it in help

from pants.core.goals.package import OutputPathField
from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.target import (
    DictStringToStringField,
    InvalidFieldException,
    MultipleSourcesField,
    SpecialCasedDependencies,
    StringField,
)
from pants.util.frozendict import FrozenDict
from pants.util.strutil import help_text

from pants_docker_buildkit.references.refs_file import RefsFormat


class BuildKitImageRefsImagesField(SpecialCasedDependencies):
    # Special-cased, so that whoever depends on the file depends on what is in it, and not on all
    # that the images are made of.
    alias = "images"
    required = True
    value: FrozenDict[str, str]  # type: ignore[assignment]
    help = help_text(
        """
        The images that the file refers to: from a key of your choice to the address of an image
        target, such as `{"APP": ":image", "DATABASE": "src/database:image"}`.

        The images must be in a registry. With `format="env"`, the keys are names of environment
        variables.
        """
    )

    @classmethod
    def compute_value(  # type: ignore[override]
        cls, raw_value: Optional[Dict[str, str]], address: Address
    ) -> FrozenDict[str, str]:
        """The addresses by key; there is at least one."""
        value = _ImagesByKey.compute_value(raw_value, address)
        if not value:
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} must name at least one image, but it"
                ' is empty. Write a key and an address, such as {"APP": ":image"}.'
            )
        return value

    def to_unparsed_address_inputs(self) -> UnparsedAddressInputs:
        """The addresses alone, for `dependencies`, `dependents` and `--changed-dependents`."""
        return UnparsedAddressInputs(
            self.value.values(),
            owning_address=self.address,
            description_of_origin=f"the `{self.alias}` field of {self.address}",
        )


class _ImagesByKey(DictStringToStringField):
    alias = BuildKitImageRefsImagesField.alias


class BuildKitImageRefsFormatField(StringField):
    alias = "format"
    valid_choices = RefsFormat
    default = RefsFormat.JSON.value
    help = help_text(
        """
        The format of the file.

        - `json`: an object with one member per key, which has `reference`, `repository`, `digest`,
        `references` (one per registry) and `platforms`. `terraform -var-file` can read it.

        - `yaml`: the same as YAML, for example as a Helm values file.

        - `env`: lines `KEY=reference`, `KEY_REPOSITORY=…`, `KEY_DIGEST=…` and `KEY_PLATFORMS=…`,
        for a shell, `docker --env-file`, or the output file of a CI system.

        - `text`: only the references, one per line, sorted by key.
        """
    )


class BuildKitImageRefsOutputPathField(OutputPathField):
    help = help_text(
        """
        The path of the file: below `dist/` when it is packaged, and in the sandbox of its
        dependents.

        Defaults to a path made from the target's address, such as `src.app/refs.json` for
        `src/app:refs`.
        """
    )


class BuildKitImageRefsSourcesField(MultipleSourcesField):
    # Only there because a target without sources cannot generate any.
    alias = "_sources"
    expected_num_files = 0
    uses_source_roots = False
