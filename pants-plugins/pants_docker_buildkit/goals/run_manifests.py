"""`pants run` of manifests: print them as one stream, for `kubectl apply -f -`."""

from __future__ import annotations

from collections.abc import Iterable

from pants.core.goals.run import RunRequest
from pants.engine.fs import CreateDigest, FileContent
from pants.engine.rules import Rule, collect_rules
from pants.engine.unions import UnionRule

from pants_docker_buildkit.compat import create_digest, implicitly, rule
from pants_docker_buildkit.references.yaml_file import join_files
from pants_docker_buildkit.util_rules.manifests import ManifestsFieldSet, resolve_manifests

_STREAM = "manifests.yaml"


@rule(desc="Prepare to print manifests")
async def print_manifests(field_set: ManifestsFieldSet) -> RunRequest:
    resolved = await resolve_manifests(field_set, **implicitly())
    stream = join_files((file, text) for _, file, text in resolved.files)
    digest = await create_digest(CreateDigest((FileContent(_STREAM, stream.encode()),)))
    # The file alone, whatever arguments follow.
    args = ("/bin/sh", "-c", 'exec cat "$1"', "sh", f"{{chroot}}/{_STREAM}")
    return RunRequest(digest=digest, args=args)


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *ManifestsFieldSet.rules())
