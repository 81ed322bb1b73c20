from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from pants_docker_buildkit.image_tests.dockerfile_text import render_dockerfile
from pants_docker_buildkit.image_tests.structure import (
    CommandTest,
    FileContentTest,
    StructureTest,
    Variable,
)
from pants_docker_buildkit.image_tests.variables import expand, with_variables
from pants_docker_buildkit.oci.image_config import ImageConfig

HELPER = "registry/helper@sha256:0"
CONFIG = ImageConfig.parse(b'{"config": {"Env": ["PATH=/usr/bin:/bin", "dotted.name=1"]}}')


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$A", "a"),
        ("${A}b$A-", "aba-"),
        ("$Ab", ""),
        ("$none.", "."),
        ("100$ and $.", "100$ and $."),
        ("$1 $@ $$", "  "),
        ("${}x${", "x"),
        ("$(A)", "$(A)"),
    ],
)
def test_variables_stand_for_what_go_takes_them_for(text: str, expanded: str) -> None:
    assert expand(text, {"A": "a"}) == expanded


def test_a_variable_may_use_those_before_it() -> None:
    new = (Variable("A", "$A/b"), Variable("C", "${A}c"))
    assert with_variables({"A": "/a"}, new) == {"A": "/a/b", "C": "/a/bc"}


def script_of(dockerfile: str, stage: str) -> str:
    """The script of the last step of a stage."""
    lines = dockerfile.split(f" AS {stage}\n")[1].split("\nFROM ")[0].splitlines()
    words = json.loads(lines[-1][lines[-1].index('["') :])
    return str(words[-1])


def test_words_reach_the_program_as_they_are(tmp_path: Path) -> None:
    """A real shell runs the script: what stands for the helper is its `env`."""
    words = ("printf", "[%s]", "it's", '"x"', "a\nb", "back\\slash", "☃", "", "100$")
    env = (Variable("QUOTED", 'a\'b\n"c"'), Variable("with-dash", "1"))
    printed = CommandTest("it", ("printenv", "QUOTED", "with-dash", "dotted.name"), env)
    test = StructureTest(commands=(CommandTest("it", words), printed))
    dockerfile = render_dockerfile(test, CONFIG, HELPER)
    found = []
    for number in range(2):
        script = script_of(dockerfile, f"command-{number}")
        script = script.replace("/.structure-test/results", str(tmp_path))
        script = script.replace("/.structure-test/busybox env", "/usr/bin/env")
        subprocess.run(["/bin/sh", "-c", script], check=True)
        assert (tmp_path / "command.code").read_text() == "0\n"
        found.append((tmp_path / "command.out").read_text())
    assert found == ['[it\'s]["x"][a\nb][back\\slash][☃][][100$]', 'a\'b\n"c"\n1\n1\n']


def test_triggers_of_an_image_are_not_run() -> None:
    config = ImageConfig.parse(
        b'{"config": {"OnBuild": ["RUN false"], "Env": ["A=\\"$b\\\\"], "WorkingDir": "/w x",'
        b' "User": "me"}}'
    )
    test = StructureTest(commands=(CommandTest("it", ("it",)),), user="you")
    lines = render_dockerfile(test, config, HELPER).splitlines()
    assert "COPY --from=image-under-test / /" in lines
    assert r'ENV A="\"\$b\\"' in lines
    assert 'WORKDIR "/w x"' in lines
    assert lines[lines.index("FROM image AS command-0") + 1] == "USER you"
    assert "FROM image-under-test AS image" not in lines


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/a/file", "text"),
        ("/absolute/file", "text"),
        ("/relative/../a/./file", "text"),
        ("/a/link", "text"),
        ("/../../a/file", "text"),
        ("/loop", None),
        ("/out", None),
        ("/a/file/below", None),
    ],
)
def test_links_are_followed_within_the_image(
    path: str, content: str | None, tmp_path: Path
) -> None:
    root = tmp_path / "image"
    (root / "a").mkdir(parents=True)
    (root / "a/file").write_text("text")
    (root / "absolute").symlink_to("/a")
    (root / "relative").symlink_to("a")
    (root / "a/link").symlink_to("/absolute/./file")
    (root / "loop").symlink_to("loop")
    (root / "out").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text("secret")
    test = StructureTest(contents=(FileContentTest("it", path),))
    script = script_of(render_dockerfile(test, CONFIG, HELPER), "files")
    script = script.replace('"/image', f'"{root}').replace("/place/results", str(tmp_path))
    subprocess.run(["/bin/sh", "-c", script], check=True)
    found = tmp_path / "content-0.content"
    assert (found.read_text() if found.exists() else None) == content
