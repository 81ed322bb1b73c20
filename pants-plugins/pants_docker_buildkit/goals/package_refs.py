"""`pants package` of a file with references: the file, and a line for each reference in it."""

from __future__ import annotations

from collections.abc import Iterable

from pants.core.goals.package import BuiltPackage, BuiltPackageArtifact, PackageFieldSet
from pants.engine.rules import Rule, collect_rules
from pants.engine.unions import UnionRule

from pants_docker_buildkit.compat import implicitly, rule
from pants_docker_buildkit.util_rules.image_refs import ImageRefsFieldSet, write_refs_file


@rule(desc="Package image references")
async def package_image_refs(field_set: ImageRefsFieldSet) -> BuiltPackage:
    file = await write_refs_file(field_set, **implicitly())
    lines = tuple(f"  {key}: {reference}" for key, reference in file.references)
    return BuiltPackage(file.digest, (BuiltPackageArtifact(file.path, lines),))


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), UnionRule(PackageFieldSet, ImageRefsFieldSet))
