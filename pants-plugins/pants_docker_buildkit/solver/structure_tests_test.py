from __future__ import annotations

from pathlib import Path

import pytest

from pants_docker_buildkit.image_tests.dockerfile_text import IMAGE
from pants_docker_buildkit.image_tests.structure import MetadataTest, StructureTest
from pants_docker_buildkit.oci.layout import ImageLayout
from pants_docker_buildkit.registry.testing.images import (
    SmallImage,
    several_platforms,
    write_layout,
)
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.session.testing.fake_session import FakeSession
from pants_docker_buildkit.solver.definition import (
    BuildDefinition,
    BuildJob,
    ContextKind,
    NamedContext,
)
from pants_docker_buildkit.solver.errors import EXIT_FAILED
from pants_docker_buildkit.solver.input_tree import JOB_FILE, ROOT, TESTS_FILE
from pants_docker_buildkit.solver.main import TEST_COMMAND, main
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker

KEY = "0123abcd"
FAR = "Name: far\nDriver: remote\n\nNodes:\nName: far0\nStatus: running\n"


@pytest.mark.parametrize("is_other", [False, True])
def test_an_image_in_a_layout_is_the_one_of_its_digest(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    is_other: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    image, other = SmallImage.create(), SmallImage.create("other")
    inputs = tmp_path / ROOT
    write_layout(inputs / "image", several_platforms(image, other), image, other)
    if is_other:
        ImageLayout(inputs / "image").blob_path(image.digest).write_bytes(other.manifest)
    context = NamedContext(IMAGE, ContextKind.LAYOUT, image.digest, "image")
    definition = BuildDefinition("", "", ("linux/amd64",), "oci", named_contexts=(context,))
    (inputs / JOB_FILE).write_bytes(BuildJob("test", definition, ()).to_json())
    test = StructureTest(metadata=(MetadataTest(),))
    (inputs / TESTS_FILE).write_bytes(test.to_json())
    docker = FakeDocker(tmp_path / "bin").answer("buildx inspect", FAR)
    session = FakeSession(tmp_path / "session", PATH=f"{docker.directory}:/usr/bin:/bin")
    session.add_build(KEY, BuildSettings(target="src/app:test"))
    assert main(str(session.directory), TEST_COMMAND, KEY) == (EXIT_FAILED if is_other else 0)
    assert ("is other content" in capsys.readouterr().err) is is_other
