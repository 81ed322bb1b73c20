"""Which tags does a pushed image get, besides those that `publish` moves?

A tag that names its digest, so that a registry which removes untagged manifests keeps it, and the
moving tag from which the next build imports the inline cache. Neither is ever a reference that
dependents get, so a registry that refuses one only makes for a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.registry.errors import ForbiddenByRuleError, RegistryError
from pants_docker_buildkit.registry.settings import Reach, RegistrySettings
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.solver.definition import BuildJob
from pants_docker_buildkit.solver.progress import warn_once
from pants_docker_buildkit.solver.workplace import Workplace

if TYPE_CHECKING:
    from pants_docker_buildkit.solver.pushed_image import PushedImage

_TABLE = "[docker-buildkit.registries]"
_BUILD_TAG_LENGTH = 32
_ABOUT_DIGEST_TAG = (
    "Without it, the image is lost if the registry cleans up what has no tag. If it never does, set"
    f" `digest_tags = false` for it in `{_TABLE}`."
)


def build_tag(build_digest: str) -> str:
    """The tag that keeps an image in the local engine, where one build replaces another."""
    return f"build-{build_digest.rpartition(':')[2][:_BUILD_TAG_LENGTH]}"


def digest_tag(digest: OciDigest) -> str:
    """The tag that keeps an image. It names the digest whole, so it never has to move.

    Not `sha256-…`, which the distribution specification has for the referrers of a digest.
    """
    return f"digest-{digest.partition(':')[2]}"


def inline_cache_references(
    job: BuildJob, settings: BuildSettings, reach: Reach
) -> tuple[str, ...]:
    """The moving tag of each repository where tags can move, for an image with inline cache."""
    if not job.definition.inline_cache:
        return ()
    return tuple(
        f"{name}:{settings.inline_cache_tag}"
        for name in job.repositories
        if not _settings_of(name, reach).has_immutable_tags
    )


def tag_image(
    job: BuildJob,
    digest: OciDigest,
    settings: BuildSettings,
    image: PushedImage,
    workplace: Workplace,
) -> None:
    """Give the image its tags in all of its repositories."""
    for name, tag in _tags(job, digest, settings, workplace.reach):
        try:
            image.put_tag(name, digest, tag)
        except RegistryError as e:
            is_cache = tag == settings.inline_cache_tag
            next_step = _about_cache(e) if is_cache else _ABOUT_DIGEST_TAG
            text = (
                f"{settings.target} was pushed by its digest, but {e.registry} did not take the tag"
                f" {name}:{tag} ({e.finding}). {next_step} This is said once for a registry."
            )
            warn_once(workplace.session.directory, f"{e.registry} {is_cache}", text)


def _tags(
    job: BuildJob, digest: OciDigest, settings: BuildSettings, reach: Reach
) -> Iterator[tuple[str, str]]:
    for name in job.repositories:
        if _settings_of(name, reach).has_digest_tags:
            yield name, digest_tag(digest)
    for reference in inline_cache_references(job, settings, reach):
        name, _, tag = reference.rpartition(":")
        yield name, tag


def _about_cache(error: RegistryError) -> str:
    if isinstance(error, ForbiddenByRuleError):
        return f"If tags cannot move there, set `immutable_tags = true` for it in `{_TABLE}`."
    return "Other builders will import an older inline cache, or none."


def _settings_of(name: str, reach: Reach) -> RegistrySettings:
    return reach.settings(name.partition("/")[0])
