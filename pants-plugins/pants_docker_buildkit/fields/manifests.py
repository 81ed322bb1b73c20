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
        The files: Kubernetes manifests, values files of Helm, or any other YAML, with one or more
        documents.

        A value that is `pants://` and the address of an image target, or ends in it, as in
        `--image=pants://src/app:image`, gets the pinned reference of that image in its place.
        `pants://:image` is a target of the same BUILD file. Keys, comments and block scalars are
        left as they are. Templates of Helm are not YAML: name the values files that they use.

        Example: `sources=["k8s/*.yaml", "!k8s/draft.yaml"]`.
        """
    )


class BuildKitManifestsDependenciesField(Dependencies):
    help = help_text(
        """
        Other targets that the files need. The images that they name are inferred.
        """
    )


class BuildKitManifestsOutputPathField(OutputPathField):
    help = help_text(
        """
        The directory below `dist/` that `package` writes the files to, with their paths from the
        BUILD file. It is emptied before.

        Defaults to a path made from the target's address, such as `src.app/manifests` for
        `src/app:manifests`.
        """
    )
