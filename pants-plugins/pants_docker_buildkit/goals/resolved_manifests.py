"""`pants package` and `pants run` of manifests, with references in place of addresses.

`package` writes the files, with a line for each image in them. `run` prints them as one stream, for
`kubectl apply -f -`.
"""

from __future__ import annotations

import os

from pants.core.goals.package import BuiltPackage, BuiltPackageArtifact
from pants.core.goals.run import RunRequest
from pants.engine.fs import CreateDigest, FileContent

from pants_docker_buildkit.compat import create_digest, implicitly, rule
from pants_docker_buildkit.output_file import own_directory
from pants_docker_buildkit.references.yaml_file import join_files
from pants_docker_buildkit.util_rules.manifests import ManifestsFieldSet, resolve_manifests

_STREAM = "manifests.yaml"


@rule(desc="Package manifests")
async def package_manifests(field_set: ManifestsFieldSet) -> BuiltPackage:
    resolved = await resolve_manifests(field_set, **implicitly())
    directory = own_directory(field_set.output_path)
    digest = await create_digest(
        CreateDigest(
            FileContent(os.path.join(directory, path), text.encode())
            for path, _, text in resolved.files
        )
    )
    lines = tuple(f"  {address}: {reference}" for address, reference in resolved.references)
    return BuiltPackage(digest, (BuiltPackageArtifact(directory, lines),))


@rule(desc="Prepare to print manifests")
async def print_manifests(field_set: ManifestsFieldSet) -> RunRequest:
    resolved = await resolve_manifests(field_set, **implicitly())
    stream = join_files((file, text) for _, file, text in resolved.files)
    digest = await create_digest(CreateDigest((FileContent(_STREAM, stream.encode()),)))
    # The file alone, whatever arguments follow.
    args = ("/bin/sh", "-c", 'exec cat "$1"', "sh", f"{{chroot}}/{_STREAM}")
    return RunRequest(digest=digest, args=args)
