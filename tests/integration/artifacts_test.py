"""A stage leaves files, and other targets use them as those of any other target."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from tests.integration.conftest import Machines
from tests.integration.workbench.machine import repository_settings
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.remote_cache import RemoteCache
from tests.integration.workbench.required import docker_host, docker_program

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DOCKERFILE = """\
FROM {busybox} AS build
COPY app/version.txt /
RUN mkdir -p /out/bin "/out/share/two words" /out/share/empty && cd /out \\
 && (echo '#!/bin/sh' && echo 'echo app' "$(cat /version.txt)") > bin/app && chmod 4755 bin/app \\
 && ln -s app bin/tool && ln -s /out/bin/app share/absolute && echo text > "share/two words/a.txt"
FROM scratch AS files
COPY --from=build /out /out
"""
BUILD = """\
file(name="version", source="version.txt")
docker_buildkit_image(
    name="files",
    target_stage="files",
    output_files=["out/bin/*"],
    output_directories=["out/share"],
)
docker_buildkit_image(name="strict", output_files=["out/none"], outputs_match_mode="all")
docker_buildkit_image(
    name="no-platform", output_files=["out/bin/app"], outputs_match_mode="all",
    platforms=["linux/amd64", "linux/arm64"],
)
docker_buildkit_image(name="lax", output_files=["out/none", "out/bin/app"])
docker_buildkit_image(
    name="both",
    output_files=["linux_*/out/bin/app"],
    platforms=["linux/amd64", "linux/arm64"],
    output_path="both",
)
adhoc_tool(
    name="ran",
    runnable=":sh",
    execution_dependencies=[":files"],
    args=[
        "-c",
        "app/out/bin/app > said.txt; read line < 'app/out/share/two words/a.txt';"
        " echo $line >> said.txt",
    ],
    output_files=["said.txt"],
    workdir="/",
)
system_binary(name="sh", binary_name="sh")
archive(name="packed", format="tar", packages=[":files"], files=[":ran"])
docker_buildkit_image(
    name="image", source="Image.dockerfile", output="oci", build_contexts={"named": ":lax"}
)
docker_buildkit_image(
    name="small", target_stage="build", output="oci", compression="zstd",
    compression_level=3, force_compression=True, reproducible=True,
)
docker_buildkit_image(
    name="pushed", target_stage="build", compression="uncompressed", force_compression=True
)
docker_buildkit_image(name="rootfs", source="Rootfs.dockerfile", output="tar")
docker_buildkit_image(
    name="rootfs-both", source="Rootfs.dockerfile", output="tar",
    platforms=["linux/amd64", "linux/arm64"], output_path="systems",
)
docker_buildkit_image(name="child", source="Child.dockerfile")
docker_buildkit_image_refs(name="refs", images={"A": ":files"})
"""


def test_files_of_a_stage_are_used_as_those_of_any_target(
    machines: Machines,
    remote_cache: RemoteCache,
    registry: Registry,
    repository: str,
    busybox: str,
    tmp_path: Path,
) -> None:
    settings = repository_settings(registry.address, repository).replace(
        '"pants_docker_buildkit"]', '"pants_docker_buildkit", "pants.backend.experimental.adhoc"]'
    )
    files = {
        "pants.toml": settings,
        "app/BUILD": BUILD,
        "app/Dockerfile": DOCKERFILE.format(busybox=busybox),
        "app/Image.dockerfile": "FROM scratch\nCOPY app/out/bin/app app/out/share /all/\n"
        "COPY --from=named app/out/bin/app /named\n",
        "app/Rootfs.dockerfile": "FROM scratch\nCOPY app/version.txt /a/b\nENV A=b C='d e'\n"
        'USER 5\nWORKDIR /a\nENTRYPOINT ["x"]\nCMD ["y z"]\n',
        "app/Child.dockerfile": "ARG BASE=app:files\nFROM $BASE\n",
        "app/version.txt": f"{repository}\n",
    }
    one = machines.new("one", remote_cache=remote_cache)
    checkout = one.checkout("one", files)
    images = ("app:image", "app:small", "app:pushed")
    everything = (
        "app:files",
        "app:lax",
        "app:both",
        "app:rootfs",
        "app:rootfs-both",
        "app:packed",
        *images,
    )
    run = checkout.pants("package", *everything)
    assert len(run.builds) == 8
    assert "The `output_files` field in target app:lax must name" in run.output
    assert "nothing there matches 'out/none'" in run.output

    # The judge: what plain buildx writes.
    plain = tmp_path / "plain"
    subprocess.run(
        [
            *(str(docker_program()), "buildx", "build", "--target=files", "--provenance=false"),
            *(f"--output=type=local,dest={plain}", "--file=app/Dockerfile", "."),
        ],
        cwd=checkout.directory,
        env={**os.environ, "DOCKER_HOST": docker_host()},
        check=True,
        capture_output=True,
    )
    expected = {**listing(plain), "out/share/absolute": " -> ../bin/app"}
    assert listing(checkout.directory / "dist/app") == expected
    for platform in ("linux_amd64", "linux_arm64"):
        assert (checkout.directory / "dist/both" / platform / "out/bin/app").is_file()
    said = subprocess.run(
        ["tar", "--extract", "--to-stdout", "--file=dist/app/packed.tar", "said.txt"],
        cwd=checkout.directory,
        check=True,
        capture_output=True,
        text=True,
    )
    assert said.stdout == f"app {repository}\ntext\n"

    described = {
        "env": [PATH, "A=b", "C=d e"],
        "user": "5",
        "workdir": "/a",
        "entrypoint": ["x"],
        "cmd": ["y z"],
    }
    for place, platforms in (("app/rootfs", [""]), ("systems", ["linux_amd64/", "linux_arm64/"])):
        system = checkout.directory / "dist" / place
        metadata = json.loads((system / "metadata.json").read_text())
        found = metadata if len(platforms) == 1 else metadata["linux_arm64"]
        assert found == described
        with tarfile.open(system / "rootfs.tar") as archive:
            names = [each.name for each in archive if each.isfile()]
        assert names == [f"{each}a/b" for each in platforms]
    assert {each["mediaType"] for each in layers(checkout.directory / "dist/app/small.oci")} == {
        "application/vnd.oci.image.layer.v1.tar+zstd"
    }
    pushed = json.loads(checkout.record("app:pushed"))["references"][0]
    assert {each["mediaType"] for each in registry.manifest(pushed)["layers"]} == {
        "application/vnd.oci.image.layer.v1.tar"
    }

    after = checkout.pants("package", *everything)
    assert after.docker_calls == ()
    checkout.pants("plan-images", "--format=json", "--output-file=plan", "app:files", "app:image")
    plan = json.loads((checkout.directory / "plan").read_text())
    planned = {each["target"]: each for each in plan["images"]}
    assert planned["app:files"]["outcome"] == "unchanged"
    assert planned["app:files"]["digest"] is None

    elsewhere = machines.new("two", remote_cache=remote_cache, has_docker=False)
    other = elsewhere.checkout("two", files)
    other.pants("package", *everything)
    assert listing(other.directory / "dist/app") == expected

    for arguments, finding in (
        (("package", "app:strict"), "(`outputs_match_mode` is 'all')"),
        (("package", "app:no-platform"), "each platform has a directory: 'linux_amd64/', 'linux_"),
        (("run", "app:rootfs"), "The `output` field in target app:rootfs must be left out where"),
        (("run", "app:files"), "The `output_files` field in target app:files must be left out"),
        (("package", "app:child"), "app:files is not one: it leaves files (`output_files`)"),
        (("package", "app:refs"), "which leaves files (`output_files`) and no image"),
    ):
        failed = checkout.pants(*arguments, may_fail=True)
        assert failed.exit_code != 0
        assert finding in failed.output
    published = checkout.pants("publish", "app:files")
    assert "app:files skipped (`output_files` leaves files, and no image)" in published.output


def layers(layout: Path) -> list[dict[str, Any]]:
    """The layers of the one image of a layout."""
    (descriptor,) = json.loads((layout / "index.json").read_text())["manifests"]
    blobs = layout / "blobs/sha256"
    manifest = json.loads((blobs / descriptor["digest"].partition(":")[2]).read_text())
    found: list[dict[str, Any]] = manifest["layers"]
    return found


def listing(root: Path) -> dict[str, str]:
    """What is in a directory: the text of files, and `x` where they are executable; links; `/`."""
    found = {}
    for directory, names, files in os.walk(root):
        for name in (*names, *files):
            path = Path(directory, name)
            shown = str(path.relative_to(root))
            if not shown.startswith("out"):
                continue
            if path.is_symlink():
                found[shown] = f" -> {os.readlink(path)}"
            elif path.is_dir():
                found[shown] = "/"
            else:
                found[shown] = f"{path.read_text()}{'x' * os.access(path, os.X_OK)}"
    return found
