"""What comes out: image records, OCI image layouts, images in the local engine."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.integration.conftest import Machines
from tests.integration.workbench.engine import remove_image, run_image
from tests.integration.workbench.machine import Machine, repository_settings
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.required import busybox_program, plugin_sources, skopeo_program

NO_REGISTRY = f"""\
[GLOBAL]
pythonpath = ["{plugin_sources()}"]
backend_packages = ["pants_docker_buildkit"]

[anonymous-telemetry]
enabled = false
"""


def test_layouts_need_no_registry_and_other_tools_read_them(
    machine: Machine, tmp_path: Path
) -> None:
    shell = busybox_program("amd64").read_bytes()
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": NO_REGISTRY,
            "base/BUILD": "file(name='busybox', source='busybox')\n"
            "docker_buildkit_image(name='image', platforms=['linux/amd64'])",
            "base/busybox": shell,
            "base/Dockerfile": "FROM scratch\n"
            "COPY --chmod=755 base/busybox /bin/busybox\n"
            'RUN ["/bin/busybox", "--install", "-s", "/bin"]\n',
            "app/BUILD": "docker_buildkit_image(name='image', output='oci',"
            " platforms=['linux/amd64'], image_labels={'team': 'one'})",
            "app/Dockerfile": "ARG BASE=base:image\nFROM $BASE\nRUN echo app > /app\n",
        },
    )
    run = checkout.pants("package", "::")
    assert run.kinds == {"base:image": "built", "app:image": "built"}
    record = json.loads(checkout.record("app:image"))
    assert record["references"] == []
    layout = checkout.directory / "dist/app/image.oci"
    inspected = json.loads(skopeo("inspect", f"oci:{layout}"))
    assert inspected["Digest"] == record["image"]["digest"]
    assert inspected["Labels"] == {"team": "one"}
    copied = tmp_path / "copied"
    skopeo("copy", f"oci:{layout}", f"dir:{copied}")
    assert json.loads((copied / "manifest.json").read_text())["layers"]
    assert (copied / "version").exists()

    after = checkout.pants("package", "::")
    assert after.kinds == {"base:image": "unchanged", "app:image": "unchanged"}
    assert after.docker_calls == ()
    listed = checkout.pants("list-images", "--format=json", "app:image", "base:image")
    assert listed.docker_calls == ()
    # Pants 2.34 may log something after it.
    document, _ = json.JSONDecoder().raw_decode(listed.output, listed.output.index("{\n"))
    layers = {each["target"]: each["platforms"][0]["layers"] for each in document["images"]}
    blobs = layout / "blobs/sha256"
    assert [each["size"] for each in layers["app:image"]] == [
        (blobs / each["digest"].partition(":")[2]).stat().st_size for each in layers["app:image"]
    ]
    assert layers["app:image"][: len(layers["base:image"])] == layers["base:image"]


def test_a_directory_is_copied_with_what_pants_knows_below_it_and_the_dockerfile(
    machine: Machine, tmp_path: Path
) -> None:
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": NO_REGISTRY.replace(
                '"pants_docker_buildkit"]', '"pants_docker_buildkit", "pants.backend.shell"]'
            ),
            "app/BUILD": "files(name='files', sources=['conf/**/*.txt'])\n"
            "shell_sources(name='scripts', sources=['conf/*.sh'])\n"
            "docker_buildkit_image(name='image', context_root='./', output='oci',"
            " cache_to=['type=gha', 'type=local,dest=cache'],"
            " image_labels={'meta': '{{\"id\": \"{name}\"}}'})",
            "app/Dockerfile": "FROM scratch\nCOPY conf Dockerfile /all/\n",
            "app/conf/a.txt": "a",
            "app/conf/deep/b.txt": "b",
            "app/conf/run.sh": "true",
            "app/conf/nobody.md": "no target owns this",
        },
    )
    run = checkout.pants("package", "app:image")
    assert run.kinds == {"app:image": "built"}
    assert "Caches of `type=gha` are left out." in run.output
    assert (checkout.directory / "cache/index.json").exists()
    layout = checkout.directory / "dist/app/image.oci"
    assert json.loads(skopeo("inspect", f"oci:{layout}"))["Labels"] == {"meta": '{"id": "image"}'}
    copied = tmp_path / "copied"
    skopeo("copy", f"oci:{layout}", f"dir:{copied}")
    (layer,) = json.loads((copied / "manifest.json").read_text())["layers"]
    with tarfile.open(copied / layer["digest"].partition(":")[2]) as archive:
        files = sorted(each.name for each in archive if each.isfile())
    assert files == ["all/Dockerfile", "all/a.txt", "all/deep/b.txt", "all/run.sh"]


def skopeo(*arguments: str) -> str:
    answer = subprocess.run(
        [str(skopeo_program()), "--insecure-policy", *arguments],
        env={**os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_records_are_the_same_bytes_on_machines_that_built_apart(
    machines: Machines, registry: Registry, repository: str, busybox: str
) -> None:
    files = {
        "pants.toml": repository_settings(registry.address, repository),
        "app/BUILD": "docker_buildkit_image(name='image', reproducible=True, no_cache=True,"
        " platforms=['linux/amd64'])",
        "app/Dockerfile": f"FROM {busybox}\nRUN mkdir /out && echo {repository} > /out/app\n",
    }
    checkouts = [machines.new(name).checkout(name, files) for name in ("one", "two")]
    for checkout in checkouts:
        assert checkout.pants("package", "::").kinds == {"app:image": "built"}
    record = checkouts[0].record("app:image")
    assert record == checkouts[1].record("app:image")
    document = json.loads(record)
    (reference,) = document["references"]
    assert document["target"] == "app:image"
    assert registry.digest(reference) == document["image"]["digest"]
    assert [(each["uri"].partition("?")[0], each["digest"]) for each in document["materials"]] == [
        (f"pkg:docker/{busybox.rpartition(':')[0]}@1", registry.digest(busybox))
    ]


@pytest.mark.parametrize("registries", ["", ", registries=[]"], ids=["a registry", "no registry"])
def test_an_image_for_the_local_engine_runs_by_its_reference(
    machine: Machine, registry: Registry, repository: str, busybox: str, registries: str
) -> None:
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "app/BUILD": f"docker_buildkit_image(name='image', output='docker'{registries})",
            "app/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /app\nCMD cat /app\n",
        },
    )
    run = checkout.pants("package", "::", pantsd=True)
    assert run.kinds == {"app:image": "built"}
    (reference,) = run.outcomes["app/image.image.json"].references
    assert run_image(reference) == f"{repository}\n"
    after = checkout.pants("package", "::", pantsd=True)
    assert after.kinds == {"app:image": "unchanged"}
    assert after.builds == []

    # BuildKit would look for it on Docker Hub.
    checkout.write(
        {
            "above/BUILD": "docker_buildkit_image(name='image', registries=[])",
            "above/Dockerfile": "ARG BASE=app:image\nFROM $BASE\nRUN cat /app\n",
        }
    )
    assert checkout.pants("package", "above:image", pantsd=True).kinds == {"above:image": "built"}
    assert checkout.pants("package", "app:image", pantsd=True).kinds == {"app:image": "unchanged"}

    remove_image(reference)
    lost = checkout.pants("package", "app:image", pantsd=True)
    assert lost.kinds == {"app:image": "built"}
    assert run_image(reference) == f"{repository}\n"
    remove_image(reference)


def test_a_switch_of_one_run_has_images_in_the_local_engine_and_leaves_the_others_as_they_are(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    fields = "platforms=['linux/arm64', 'linux/amd64'], reproducible=True"
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "base/BUILD": f"docker_buildkit_image(name='image', {fields})",
            "base/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /base\n",
            "app/BUILD": f"docker_buildkit_image(name='image', {fields}, image_tags=['one'])\n"
            "docker_buildkit_image_refs(name='refs', images={'APP': ':image'}, format='env')",
            "app/Dockerfile": "ARG BASE=base:image\nFROM $BASE\nRUN cat /base > /app\n"
            "CMD cat /app\n",
        },
    )
    switch = "--docker-buildkit-output=docker"
    # Nobody asked for the base, so that it is where its target says.
    assert checkout.pants(switch, "package", "app:image", pantsd=True).kinds == {
        "app:image": "built"
    }
    record = json.loads(checkout.record("app:image"))
    assert record["references"] == [f"{repository}/app@{record['image']['digest']}"]
    assert [each["platform"] for each in record["platforms"]] == ["linux/amd64"]
    for name in (f"{repository}/app:one", f"{registry.address}/{repository}/app:one"):
        assert run_image(name) == f"{repository}\n"

    pushed = checkout.pants("package", "base:image", "app:image", pantsd=True)
    # What the switch was built on.
    assert pushed.kinds == {"base:image": "unchanged", "app:image": "built"}
    records = {each: checkout.record(each) for each in ("base:image", "app:image")}
    assert len(json.loads(records["app:image"])["platforms"]) == 2

    for _ in range(2):
        for options in ((switch,), ()):
            run = checkout.pants(*options, "package", "app:image", pantsd=True)
            assert run.kinds == {"app:image": "unchanged"}
            assert run.builds == []
    assert {each: checkout.record(each) for each in records} == records

    checkout.pants(switch, "package", "app:refs", pantsd=True)
    (written,) = (checkout.directory / "dist/app").glob("refs*")
    assert f"={repository}/app@sha256:" in written.read_text()
    run = checkout.pants(switch, "plan-images", "::", pantsd=True)
    # As what is asked for, the base is another image, which nobody had made.
    assert "build     base:image" in run.output
    assert "1 unchanged, 1 build" in run.output
    for name in (f"{repository}/app:one", f"{registry.address}/{repository}/app:one"):
        remove_image(name)
