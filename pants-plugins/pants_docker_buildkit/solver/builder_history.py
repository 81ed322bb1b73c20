"""What a builder remembers of a build that ended."""

from __future__ import annotations

from pants_docker_buildkit.buildx.metadata import BuildMetadata
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.manifest import ImageManifest, InvalidManifestError, parse_manifest
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.errors import BuildFailedError


def read_attachment(
    docker: DockerCli, builder: str | None, reference: str, *selection: str
) -> str | None:
    """What the history of a builder keeps of a build, by digest or by kind; `None` if nothing."""
    answer = docker.ask(
        *("buildx", "history", "inspect", "attachment"),
        *(() if builder is None else (f"--builder={builder}",)),
        *(reference, *selection),
    )
    return answer.stdout if answer.returncode == 0 else None


def find_config_digest(
    docker: DockerCli, builder: str | None, metadata: BuildMetadata
) -> OciDigest:
    """The digest of the config of an image of one platform. Raises `BuildFailedError`.

    buildx leaves it out of the metadata file where it loads an image into an engine that names
    images by their manifests: since 0.24 for builders beside the engine, since 0.36 for its own.
    """
    if metadata.config_digest is not None:
        return metadata.config_digest
    reference = metadata.build_reference
    found = reference and read_attachment(docker, builder, reference, metadata.digest)
    try:
        manifest = parse_manifest((found or "").encode(), metadata.media_type)
    except InvalidManifestError as e:
        raise BuildFailedError(
            f"The image was built, but its builder does not say what is in {metadata.digest}: {e}"
            " 'docker buildx history ls' must list its builds. Run it again, or choose another"
            " builder."
        ) from e
    if not isinstance(manifest, ImageManifest):
        raise BuildFailedError(f"The build ended with an index, {metadata.digest}, not an image.")
    return manifest.config.digest
