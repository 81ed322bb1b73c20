"""Images that lie in the repository as archives are built on as any others, without a registry."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from tests.integration.workbench.base_image import plain_docker
from tests.integration.workbench.machine import Checkout, Machine, repository_settings
from tests.integration.workbench.registry import Registry

BASE = """\
FROM scratch AS first
COPY Dockerfile /{name}
FROM first
ARG TARGETARCH
ENV ARCHITECTURE=$TARGETARCH NAME={name}
COPY Dockerfile /second
ONBUILD COPY app/triggered.txt /triggered
"""
BUILD = """\
file(name="triggered", source="triggered.txt")
docker_buildkit_image(
    name="on-index", source="Named.dockerfile", build_contexts={"base": "3rdparty:index"},
    platforms=["linux/amd64", "linux/arm64"], reproducible=True,
)
docker_buildkit_image(
    name="on-exported", source="Named.dockerfile", build_contexts={"base": "3rdparty:exported"},
    output="oci", reproducible=True,
)
docker_buildkit_image(
    name="on-saved", source="Argument.dockerfile", output="oci", reproducible=True,
)
docker_buildkit_image(
    name="other", source="Other.dockerfile", output="oci",
    build_contexts={"files": "3rdparty:other"},
)
"""
ARCHIVES = "\n".join(
    f"file(name='{name}', source='{name}.tar')" for name in ("index", "exported", "saved", "other")
)
TARGETS = ("app:on-index", "app:on-exported", "app:on-saved", "app:other")


def export(directory: Path, name: str, *arguments: str, form: str = "") -> Path:
    """The layout of a base of this name, as plain buildx exports it."""
    context = directory / f"{name}.context"
    context.mkdir(exist_ok=True)
    (context / "Dockerfile").write_text(BASE.format(name=name))
    destination = directory / name
    plain_docker(
        *("buildx", "build", "--provenance=false", *arguments),
        *(f"--output=type=oci,tar=false,dest={destination}{form}", str(context)),
    )
    return destination


def root(layout: Path) -> dict[str, Any]:
    (descriptor,) = json.loads((layout / "index.json").read_text())["manifests"]
    found: dict[str, Any] = descriptor
    return found


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def save_as_before(layout: Path, archive: Path) -> None:
    """Pack the image of a layout as `docker save` of Docker 24 did."""

    def read(descriptor: dict[str, Any]) -> bytes:
        digest: str = descriptor["digest"]
        return (layout / "blobs" / digest.replace(":", "/")).read_bytes()

    manifest = json.loads(read(root(layout)))
    config = f"{manifest['config']['digest'].partition(':')[2]}.json"
    layers = {f"{number}/layer.tar": read(each) for number, each in enumerate(manifest["layers"])}
    entry = {"Config": config, "RepoTags": ["base:1"], "Layers": list(layers)}
    with tarfile.open(archive, "w") as tar:
        for name, content in layers.items():
            add(tar, name, content)
        add(tar, config, read(manifest["config"]))
        add(tar, "manifest.json", json.dumps([entry]).encode())


def plain_digest(checkout: Checkout, base: Path, destination: Path, *arguments: str) -> str:
    """The digest of what plain buildx builds on a layout."""
    context = f"{base}@{root(base)['digest']}"
    plain_docker(
        *("buildx", "build", "--provenance=false", *arguments),
        f"--build-context=base=oci-layout://{context}",
        *("--build-arg=SOURCE_DATE_EPOCH=0", f"--file={checkout.directory}/app/Named.dockerfile"),
        f"--output=type=oci,tar=false,rewrite-timestamp=true,dest={destination}",
        str(checkout.directory),
    )
    digest: str = root(destination)["digest"]
    return digest


def test_an_image_is_built_on_an_archive_as_on_a_layout(
    machine: Machine, registry: Registry, repository: str, tmp_path: Path
) -> None:
    both = "--platform=linux/amd64,linux/arm64"
    index, exported = export(tmp_path, "index", both), export(tmp_path, "exported")
    saved = export(tmp_path, "saved", form=",compression=uncompressed,force-compression=true")
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "3rdparty/BUILD": ARCHIVES,
            "app/BUILD": BUILD,
            "app/triggered.txt": "triggered",
            "app/Named.dockerfile": "FROM base\nCOPY app/triggered.txt /own\n",
            "app/Argument.dockerfile": "ARG BASE=3rdparty:saved\nFROM $BASE\n"
            "COPY app/triggered.txt /own\n",
            "app/Other.dockerfile": "FROM scratch\nCOPY --from=files other.tar /other.tar\n",
        },
    )
    archives = checkout.directory / "3rdparty"
    # The three forms in which there are images: a layout, one that the engine loads, too, and what
    # older engines save. And a tar that is none.
    for name, kind, arguments in (("index", "oci", [both]), ("exported", "docker", [])):
        plain_docker(
            *(
                "buildx",
                "build",
                "--provenance=false",
                *arguments,
                str(tmp_path / f"{name}.context"),
            ),
            f"--output=type={kind},dest={archives / name}.tar",
        )
    save_as_before(saved, archives / "saved.tar")
    with tarfile.open(archives / "other.tar", "w") as tar:
        add(tar, "manifest.json", b"{}")

    run = checkout.pants("package", *TARGETS)
    assert run.kinds == dict.fromkeys(TARGETS, "built")
    for name, base, arguments in (
        ("index", index, [both]),
        ("exported", exported, []),
        ("saved", saved, []),
    ):
        record = json.loads(checkout.record(f"app:on-{name}"))
        plain = plain_digest(checkout, base, tmp_path / f"plain-{name}", *arguments)
        assert record["image"]["digest"] == plain, name
        assert record["materials"]
    materials = json.loads(checkout.record("app:on-index"))["materials"]
    assert {each["digest"] for each in materials} == {root(index)["digest"]}

    unchanged = checkout.pants("package", *TARGETS)
    assert unchanged.kinds == dict.fromkeys(TARGETS, "unchanged")
    assert unchanged.docker_calls == ()
    save_as_before(exported, archives / "saved.tar")
    assert checkout.pants("package", *TARGETS).kinds == {
        **dict.fromkeys(TARGETS, "unchanged"),
        "app:on-saved": "built",
    }
    # Half of it may look like any tar; of what is compressed nothing is known.
    whole = (archives / "index.tar").read_bytes()
    for content in (whole[: len(whole) // 2], gzip.compress(whole)):
        (archives / "index.tar").write_bytes(content)
        refused = checkout.pants("package", "app:on-index", may_fail=True)
        assert (
            "The `build_contexts` field in target app:on-index must name an image for 'base'"
            in (refused.output)
        )
        assert refused.docker_calls == ()
    with tarfile.open(archives / "saved.tar", "w") as tar:
        add(tar, "manifest.json", b'[{"Config": "../../config", "Layers": []}]')
    refused = checkout.pants("package", "app:on-saved", may_fail=True)
    assert "must name image archives that hold one whole image, but of saved.tar of" in (
        refused.output
    )
    assert "it lacks '../../config'" in refused.output
