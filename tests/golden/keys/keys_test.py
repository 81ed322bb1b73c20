"""Do caches of Pants answer another version of the plugin with what that understands?

`keys.json` pins what the key of a build is made of, and what is found under the keys of processes.
Another key builds all images of every user once more: the changelog has to say so. Other answers
need another key, or one version would read what another wrote: another name for the command, as
`base` has it since it says more than the `triggers` before it, or a greater schema of the build.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.buildx.metadata import BuildMaterial
from pants_docker_buildkit.image_tests.outcome import Outcome, render_outcomes
from pants_docker_buildkit.image_tests.structure import StructureTest
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.platform_image import BaseConfig, PlatformImage
from pants_docker_buildkit.session.directory import (
    BUILD_COMMAND,
    CACHE_LINK,
    PROCESS_PATH,
    RUN_SCRIPT,
)
from pants_docker_buildkit.solver.archived_image import ArchivedImage, render_archived_image
from pants_docker_buildkit.solver.base_config import render_base_config
from pants_docker_buildkit.solver.build_platforms import render_nodes
from pants_docker_buildkit.solver.definition import BuildDefinition, BuildJob
from pants_docker_buildkit.solver.input_tree import DOCKERFILE, JOB_FILE, MUTABLE_MARKER, ROOT
from pants_docker_buildkit.solver.main import (
    ARCHIVE_COMMAND,
    BASE_COMMAND,
    PLATFORMS_COMMAND,
    TEST_COMMAND,
)
from pants_docker_buildkit.solver.result import ArtifactsResult, BuildResult

GOLDEN: Mapping[str, Any] = json.loads((Path(__file__).parent / "keys.json").read_text("utf-8"))
BUILD = f"blake3:{'1' * 64}"
DIGEST = OciDigest(f"sha256:{'2' * 64}")
IMAGE = PlatformImage(ImagePlatform("linux", "amd64"), DIGEST, DIGEST, ("RUN true",))
DEFINITION = BuildDefinition("3" * 64, f"blake3:{'4' * 64}", ("linux/amd64",), "registry")
MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
MATERIALS = (BuildMaterial("pkg:docker/a@1", DIGEST),)

KEYS = {
    "arguments": ["/bin/sh", "-c", RUN_SCRIPT, BUILD_COMMAND, BUILD_COMMAND, "KEY", "GENERATION"],
    "path": PROCESS_PATH,
    "names": [CACHE_LINK, f"{ROOT}/{JOB_FILE}", f"{ROOT}/{DOCKERFILE}", MUTABLE_MARKER],
    "job": json.loads(BuildJob(BUILD, DEFINITION, ("localhost:5000/app",)).to_json()),
    "tests": json.loads(StructureTest().to_json()),
}
ANSWERS = {
    BUILD_COMMAND: BuildResult(BUILD, DIGEST, MEDIA_TYPE, 5, (IMAGE,), MATERIALS).to_json(),
    f"{BUILD_COMMAND} of files": ArtifactsResult(BUILD).to_json(),
    ARCHIVE_COMMAND: render_archived_image(ArchivedImage(DIGEST, (IMAGE,))),
    BASE_COMMAND: render_base_config(BaseConfig(("RUN true",), ImagePlatform("linux", "arm64"))),
    PLATFORMS_COMMAND: render_nodes((("linux/amd64",), ("linux/arm64",))),
    TEST_COMMAND: render_outcomes([Outcome("file", "a", ("it is b",), "c", "d")], 1.5),
}


@pytest.mark.parametrize("name", KEYS)
def test_the_key_of_a_build_is_what_it_was(name: str) -> None:
    assert KEYS[name] == GOLDEN["keys"][name]


@pytest.mark.parametrize("command", ANSWERS)
def test_what_is_cached_is_what_it_was(command: str) -> None:
    assert json.loads(ANSWERS[command]) == GOLDEN["answers"][command]
