"""Do the images of `src/` do what their directories say?

`runtime_package_dependencies` has Pants package them with this repository's own plugin, and puts
their records into this test's sandbox, named as in `dist/`.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.oci.layout import ImageLayout
from pants_docker_buildkit.testing.processes import SOON
from tests.integration.workbench.required import (
    docker_host,
    docker_program,
    helm_program,
    kubectl_program,
    registry_address,
    skopeo_program,
)

AMD64, BOTH = ["linux/amd64"], ["linux/amd64", "linux/arm64"]

PUSHED = [
    ("src/base/busybox:image", BOTH),
    ("src/base/python:image", AMD64),
    ("src/emulated:image", BOTH),
    ("src/greeting:base", AMD64),
    ("src/greeting:english", AMD64),
    ("src/greeting:german", AMD64),
    ("src/inline:image", AMD64),
    ("src/service:image", AMD64),
    ("src/stages:book", AMD64),
    ("src/website:image", AMD64),
]
LAYOUTS = ["src/layout:base", "src/layout:child", "src/stages:check"]
CHILDREN = [
    ("src/base/python:image", "src/base/busybox:image"),
    ("src/emulated:image", "src/base/busybox:image"),
    ("src/greeting:base", "src/base/busybox:image"),
    ("src/greeting:english", "src/greeting:base"),
    ("src/greeting:german", "src/greeting:base"),
    ("src/service:image", "src/base/python:image"),
    ("src/website:image", "src/base/busybox:image"),
]


def path_of(example: str, ending: str) -> Path:
    directory, _, name = example.partition(":")
    return Path(directory.replace("/", "."), f"{name}.{ending}").absolute()


def read_record(example: str) -> dict[str, Any]:
    record = json.loads(path_of(example, "image.json").read_text())
    assert isinstance(record, dict)
    return record


def read_reference(example: str) -> str:
    """`registry/repository@sha256:…`, which is all that is needed to run an image."""
    (reference,) = read_record(example)["references"]
    assert isinstance(reference, str)
    return reference


def docker(*arguments: str) -> str:
    answer = subprocess.run(
        [str(docker_program()), *arguments],
        env={**os.environ, "DOCKER_HOST": docker_host()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr.decode("utf-8", "replace")
    return answer.stdout.decode()


def run(reference: str, *arguments: str, platform: str = "linux/amd64") -> str:
    """What a container prints."""
    return docker("run", "--rm", f"--platform={platform}", reference, *arguments)


@contextmanager
def running(reference: str) -> Iterator[str]:
    """The name of a container that runs an image until the end."""
    name = f"example-{uuid.uuid4().hex}"
    docker("run", "--detach", f"--name={name}", reference)
    try:
        yield name
    finally:
        docker("rm", "--force", "--volumes", name)


def request(container: str, path: str) -> str:
    """What a server in a container answers, asked from inside: the engine may be anywhere."""
    deadline = time.monotonic() + SOON
    while True:
        try:
            return docker("exec", container, "wget", "-qO-", f"http://127.0.0.1:8080{path}")
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@pytest.mark.parametrize(("example", "platforms"), PUSHED)
def test_record_pins_the_image_in_the_registry(example: str, platforms: list[str]) -> None:
    record = read_record(example)
    assert record["schema"] == 1
    assert record["target"] == example
    assert [each["platform"] for each in record["platforms"]] == platforms
    name, _, digest = read_reference(example).partition("@")
    assert name.startswith(f"{registry_address()}/")
    assert digest == record["image"]["digest"]


@pytest.mark.parametrize("example", LAYOUTS)
def test_record_of_a_layout_names_the_image_that_lies_beside_it(example: str) -> None:
    record = read_record(example)
    assert record["references"] == []
    layout = ImageLayout.open(path_of(example, "oci"))
    assert layout.root().digest == record["image"]["digest"]
    for descriptor in layout.reachable(layout.root()):
        assert b"".join(layout.stream(descriptor))


@pytest.mark.parametrize(("child", "base"), CHILDREN)
def test_base_of_an_image_is_the_one_that_was_packaged(child: str, base: str) -> None:
    materials = {each["digest"] for each in read_record(child)["materials"]}
    assert read_record(base)["image"]["digest"] in materials


def test_service_answers_over_http_with_the_python_of_its_base() -> None:
    with running(read_reference("src/service:image")) as container:
        answer = json.loads(request(container, "/hello"))
        assert answer["path"] == "/hello"
        assert answer["python"].startswith("3.11.")
        assert docker("exec", container, "id", "-un").strip() == "nobody"


def test_service_has_the_labels_and_annotations_of_its_target() -> None:
    reference = read_reference("src/service:image")
    docker("pull", "--quiet", reference)
    labels = json.loads(docker("inspect", "--format={{json .Config.Labels}}", reference))
    assert labels["org.opencontainers.image.title"] == "Example service"
    manifest = json.loads(docker("buildx", "imagetools", "inspect", "--raw", reference))
    annotations = manifest["annotations"]
    assert annotations["org.opencontainers.image.description"] == "Says on which Python it runs"


def test_children_of_one_base_greet_each_in_their_language() -> None:
    assert run(read_reference("src/greeting:english"), "Ann") == "Good morning, Ann.\n"
    assert run(read_reference("src/greeting:german")) == "Guten Morgen, whoever you are.\n"


@pytest.mark.parametrize(
    ("platform", "machine"), [("linux/amd64", "x86_64"), ("linux/arm64", "aarch64")]
)
@pytest.mark.parametrize("command", [(), ("uname", "-m")], ids=["when built", "when run"])
def test_emulated_image_is_what_its_platform_says(
    platform: str, machine: str, command: tuple[str, ...]
) -> None:
    reference = read_reference("src/emulated:image")
    assert run(reference, *command, platform=platform) == f"{machine}\n"


def test_book_holds_what_the_build_stage_made_and_not_what_it_was_made_of() -> None:
    reference = read_reference("src/stages:book")
    assert run(reference).splitlines()[0] == "<h1>The first chapter</h1>"
    assert run(reference, "find", "/", "-xdev", "-name", "*.txt", "-path", "/chapters/*") == ""


def test_website_has_no_drafts_and_the_files_of_its_named_context() -> None:
    with running(read_reference("src/website:image")) as container:
        assert "A website" in request(container, "/index.html")
        assert "font-family" in request(container, "/theme/site.css")
        files = docker("exec", container, "find", "/www", "-type", "f").split()
    assert sorted(files) == ["/www/draft-policy.html", "/www/index.html", "/www/theme/site.css"]


def test_image_of_instructions_says_where_it_is_from() -> None:
    assert run(read_reference("src/inline:image")) == "Built from a BUILD file.\n"


@pytest.fixture(scope="module")
def deployed() -> dict[str, str]:
    """What `src/deployment` deploys, by the name of the target that is built."""
    examples = {"service": "src/service:image", "greeter": "src/greeting:english"}
    return {name: read_reference(example) for name, example in examples.items()}


def images(objects: str) -> dict[str, str]:
    """The images of the containers that kubectl finds in these objects, by the container's name."""
    decode = (str(kubectl_program()), "annotate", "--local", "--filename=-", "--output=json")
    said = subprocess.run(
        [*decode, "seen=yes"], input=objects, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    found = {}
    while said := said.lstrip():
        decoded, end = json.JSONDecoder().raw_decode(said)
        said = said[end:]
        pod = decoded["spec"].get("template", {}).get("spec", {})
        for container in (*pod.get("initContainers", ()), *pod.get("containers", ())):
            found[container["name"]] = container["image"]
    return found


def test_manifests_deploy_the_images_that_were_packaged(deployed: dict[str, str]) -> None:
    manifests = Path("src.deployment/k8s/k8s/service.yaml").read_text()
    assert images(manifests) == deployed
    assert "# the digest comes from the build" in manifests
    settings = Path("src.deployment/k8s/k8s/settings.yaml").read_text()
    assert f'"--image={deployed["service"]}"' in settings
    assert "pants://src/service:image is text" in settings


def test_the_chart_renders_the_images_of_its_values_file(deployed: dict[str, str]) -> None:
    rendered = subprocess.run(
        [
            *(str(helm_program()), "template", "example", "src/deployment/chart"),
            "--values=src.deployment/values/values.yaml",
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    assert images(rendered) == deployed
    assert "replicas: 3" in rendered


def test_files_of_references_say_the_same_in_each_format(deployed: dict[str, str]) -> None:
    references = json.loads(Path("src.deployment/images.json").read_text())
    lines = Path("src.deployment/images.env").read_text().splitlines()
    for name, reference in deployed.items():
        assert references[name.upper()]["reference"] == reference
        assert f"{name.upper()}={reference}" in lines


def test_layout_on_a_layout_runs_once_it_is_in_a_registry() -> None:
    repository = f"{registry_address()}/examples/layout-{uuid.uuid4().hex}"
    source = f"oci:{path_of('src/layout:child', 'oci')}"
    subprocess.run(
        [
            *(str(skopeo_program()), "copy", "--quiet", "--insecure-policy"),
            *("--dest-tls-verify=false", source, f"docker://{repository}:1"),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    digest = read_record("src/layout:child")["image"]["digest"]
    assert run(f"{repository}@{digest}") == "No registry has this.\n"
