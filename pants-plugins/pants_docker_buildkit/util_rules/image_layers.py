"""Of which layers does an image consist that is there? Read from its registry, or its layout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.fs import CreateDigest, Digest, FileEntry

from pants_docker_buildkit.compat import (
    create_digest,
    get_digest_contents,
    get_digest_entries,
    implicitly,
    uncacheable_rule,
)
from pants_docker_buildkit.fields.naming import ImageOutput
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.oci.layout import blob_name
from pants_docker_buildkit.oci.manifest import (
    ImageManifest,
    InvalidManifestError,
    Manifest,
    parse_manifest,
)
from pants_docker_buildkit.oci.platform_image import PlatformImage
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.plans.listing import Layer, PlatformLayers
from pants_docker_buildkit.registry.errors import RegistryError
from pants_docker_buildkit.util_rules.build import BuildImageRequest, build_image
from pants_docker_buildkit.util_rules.session import running_session, wait_for


@dataclass(frozen=True)
class ImageLayers:
    """The layers for each platform, `None` for an image in the local engine. `problem` is why not.

    An engine keeps layers unpacked, and says nothing of what they are in a registry.
    """

    platforms: tuple[PlatformLayers, ...] | None = None
    problem: str = ""


def _layers(image: PlatformImage, manifest: Manifest) -> PlatformLayers:
    layers = manifest.layers if isinstance(manifest, ImageManifest) else ()
    return PlatformLayers(
        str(image.platform),
        image.manifest_digest,
        tuple(Layer(each.digest, each.size) for each in layers),
    )


async def _of_layout(layout: Digest, images: Iterable[PlatformImage]) -> ImageLayers:
    names = {blob_name(each.manifest_digest): each for each in images}
    entries = await get_digest_entries(layout)
    manifests = [each for each in entries if isinstance(each, FileEntry) and each.path in names]
    digest = await create_digest(CreateDigest(manifests))
    contents = await get_digest_contents(digest)
    return ImageLayers(
        tuple(_layers(names[each.path], parse_manifest(each.content)) for each in contents)
    )


@uncacheable_rule(desc="Read layers of image")
async def read_image_layers(field_set: BuildKitImageFieldSet) -> ImageLayers:
    image = await build_image(BuildImageRequest(field_set), **implicitly())
    platforms = image.record.result.platforms
    try:
        if image.layout is not None:
            return await _of_layout(image.layout, platforms)
        if image.output is ImageOutput.DOCKER:
            return ImageLayers()
        running = await running_session()
        repository = ImageReference.parse(image.record.references[0])
        reads = [running.manifests.submit(repository, each.manifest_digest) for each in platforms]
        await wait_for(running, reads)
        found = [each.result() for each in reads]
    except (RegistryError, InvalidManifestError) as e:
        return ImageLayers(problem=f"Its layers are not known: {e}")
    return ImageLayers(tuple(map(_layers, platforms, found)))
