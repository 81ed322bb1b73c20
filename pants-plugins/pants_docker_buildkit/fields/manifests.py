"""Which files name images to deploy, and where do they go with the references in place?"""

from __future__ import annotations

from pants.core.goals.package import OutputPathField
from pants.engine.target import Dependencies, MultipleSourcesField
from pants.util.strutil import help_text


class BuildKitManifestsSourcesField(MultipleSourcesField):
    required = True
    expected_file_extensions = (".yaml", ".yml", ".json")
    uses_source_roots = False
    help = help_text(
        """
        The files: Kubernetes manifests, Helm values files, or any other YAML, with one or more
        documents.

        In a value such as `pants://src/app:image` or `--image=pants://src/app:image`, the pinned
        reference of that image replaces the address. `pants://:image` is a target in the same BUILD
        file. Keys, comments and block scalars are left unchanged. Helm templates are not YAML: name
        the values files that they use.

        Example: `sources=["k8s/*.yaml", "!k8s/draft.yaml"]`.
        """
    )


class BuildKitManifestsDependenciesField(Dependencies):
    help = help_text(
        """
        Other targets that the files need. The images they name are inferred.
        """
    )


class BuildKitManifestsOutputPathField(OutputPathField):
    help = help_text(
        """
        The directory below `dist/` to which `package` writes the files, with their paths relative
        to the BUILD file. It is emptied first.

        Defaults to a path made from the target's address, such as `src.app/manifests` for
        `src/app:manifests`.
        """
    )
