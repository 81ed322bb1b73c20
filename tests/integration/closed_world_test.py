"""Promise 2: BuildKit reads no source that is not in the key, whoever names it.

Most of it is asked of BuildKit alone, with the policy that a build process would hand it.
"""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pants_docker_buildkit.buildx.user_policy import POLICY_VARIABLE
from pants_docker_buildkit.solver.definition import (
    BuildDefinition,
    ContextKind,
    NamedContext,
    PinnedSource,
)
from pants_docker_buildkit.solver.source_policy import render_source_policy
from tests.integration.workbench.base_image import move_tag, plain_docker
from tests.integration.workbench.machine import Machine, repository_settings
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.required import docker_host, docker_program

NOTHING = BuildDefinition("", "", ("linux/amd64",), "oci")
HUB = "docker.io/library/nginx"


class Builder:
    """Builds Dockerfiles with plain buildx, under the source policy of a definition."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "context").mkdir()
        (directory / "context" / "index.html").write_text("hello\n")

    def build(
        self, dockerfile: str, definition: BuildDefinition, *arguments: str
    ) -> tuple[dict[str, bytes], str]:
        """The files of the image, `{}` where there is none; and what BuildKit said."""
        policy, output = self.directory / "policy.json", self.directory / "image.tar"
        policy.write_bytes(render_source_policy(definition))
        output.unlink(missing_ok=True)
        answer = subprocess.run(
            [
                *(str(docker_program()), "buildx", "build", "--progress=plain", "--no-cache"),
                *("--provenance=false", "--file=-", f"--output=type=tar,dest={output}"),
                *(*arguments, str(self.directory / "context")),
            ],
            env={**os.environ, "DOCKER_HOST": docker_host(), POLICY_VARIABLE: str(policy)},
            input=dockerfile.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        said = answer.stdout.decode("utf-8", "replace")
        return (dict(_files(output)) if answer.returncode == 0 else {}), said


def _files(archive: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as opened:
        for member in opened:
            content = opened.extractfile(member) if member.isfile() else None
            if content is not None:
                yield member.name, content.read()


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return Builder(tmp_path)


@pytest.fixture
def pinned(registry: Registry, busybox: str) -> str:
    return f"{busybox}@{registry.digest(busybox)}"


def test_a_stage_may_be_called_as_its_image_is(builder: Builder, pinned: str) -> None:
    image = PinnedSource.image(f"{HUB}:latest", pinned)
    dockerfile = (
        "FROM nginx AS nginx\n"
        "COPY index.html /html/index.html\n"
        "FROM scratch\n"
        "COPY --from=nginx /html /html\n"
    )
    files, said = builder.build(dockerfile, replace(NOTHING, sources=(image,)))
    assert files == {"html/index.html": b"hello\n"}, said


def test_a_tag_is_read_as_what_it_was_pinned_to(
    builder: Builder, registry: Registry, repository: str, busybox: str
) -> None:
    tag = f"{registry.address}/{repository}:moving"
    move_tag(tag, busybox, "RUN echo old > /made")
    image = PinnedSource.image(tag, f"{tag}@{registry.digest(tag)}")
    move_tag(tag, busybox, "RUN echo new > /made")
    files, said = builder.build(
        f"FROM scratch\nCOPY --from={tag} /made /\n", replace(NOTHING, sources=(image,))
    )
    assert files == {"made": b"old\n"}, said


@pytest.mark.parametrize(
    "dockerfile",
    [
        pytest.param("FROM {image}\n", id="tag"),
        pytest.param("FROM {image}@{digest}\n", id="digest"),
        pytest.param("FROM scratch\nCOPY --from={image} /bin /\n", id="copy"),
        pytest.param("FROM scratch\nADD http://{registry}/v2/ /\n", id="url"),
        pytest.param("FROM scratch\nADD http://{registry}/a.git /\n", id="git"),
        pytest.param("# syntax={image}\nFROM scratch\nCOPY . /\n", id="frontend"),
        pytest.param("FROM base\n", id="another-layout"),
    ],
)
def test_what_is_not_in_the_definition_is_denied(
    builder: Builder, registry: Registry, busybox: str, layout: Path, dockerfile: str
) -> None:
    other = NamedContext("base", ContextKind.LAYOUT, "sha256:" + "0" * 64, "layouts/base")
    names = {"image": busybox, "digest": registry.digest(busybox), "registry": registry.address}
    files, said = builder.build(
        dockerfile.format(**names), replace(NOTHING, named_contexts=(other,)), _base(layout)
    )
    assert files == {}
    assert "denied by policy" in said


def test_a_layout_is_read_by_its_digest(builder: Builder, layout: Path) -> None:
    base = NamedContext("base", ContextKind.LAYOUT, _digest(layout), "layouts/base")
    files, said = builder.build(
        "FROM base\n", replace(NOTHING, named_contexts=(base,)), _base(layout)
    )
    assert files == {"made": b"layout\n"}, said


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """An OCI image layout with one file."""
    context, directory = tmp_path / "layout-context", tmp_path / "layout"
    context.mkdir()
    (context / "made").write_text("layout\n")
    (context / "Dockerfile").write_text("FROM scratch\nCOPY made /\n")
    command = (
        "buildx",
        "build",
        "--provenance=false",
        f"--output=type=oci,tar=false,dest={directory}",
    )
    plain_docker(*command, str(context))
    return directory


def _digest(layout: Path) -> str:
    (manifest,) = json.loads((layout / "index.json").read_text())["manifests"]
    digest: str = manifest["digest"]
    return digest


def _base(layout: Path) -> str:
    return f"--build-context=base=oci-layout://{layout}@{_digest(layout)}"


def test_what_could_change_unnoticed_is_an_error_that_names_its_line(
    machine: Machine, registry: Registry, repository: str
) -> None:
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "app/BUILD": "docker_buildkit_image(name='image')",
            "app/Dockerfile": f"FROM scratch\nADD http://{registry.address}/v2/ /v2\n",
        },
    )
    run = checkout.pants("package", "app:image", may_fail=True)
    assert run.exit_code != 0
    assert f"line 2 adds 'http://{registry.address}/v2/'" in run.output
    assert "--checksum" in run.output
    assert run.docker_calls == ()


CONTEXT = replace(NOTHING, context_paths=("a b", "d/*.txt", "index.html"))


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param("COPY index.html /", id="one-of-the-paths"),
        pytest.param('COPY ["a b", "d/*.txt", "index.html", "/"]', id="all-of-them"),
        pytest.param("COPY <<E /index.html\nhello\nE", id="none"),
    ],
)
def test_paths_of_the_context_are_read_that_are_in_the_definition(
    builder: Builder, steps: str
) -> None:
    (builder.directory / "context/d").mkdir()
    for name in ("a b", "d/a.txt"):
        (builder.directory / "context" / name).write_text("")
    files, said = builder.build(f"FROM scratch\n{steps}\n", CONTEXT)
    assert files.get("index.html") == b"hello\n", said


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("COPY d /", id="directory-above"),
        pytest.param("COPY d/a.txt /", id="another-spelling"),
        pytest.param("COPY index* /", id="wildcard"),
        pytest.param("COPY index.html a /", id="one-more"),
        pytest.param("COPY . /", id="everything"),
        pytest.param("COPY index.html index.html/.. /", id="everything-and-more"),
    ],
)
def test_other_paths_of_the_context_are_denied(builder: Builder, step: str) -> None:
    files, said = builder.build(f"FROM scratch\n{step}\n", CONTEXT)
    assert files == {}
    assert 'source "local://context" denied by policy' in said


def test_no_path_of_the_context_is_read_where_there_is_none_in_the_definition(
    builder: Builder, busybox: str, pinned: str
) -> None:
    image = PinnedSource.image(busybox, pinned)
    nothing = replace(NOTHING, context_paths=(), sources=(image,))
    files, said = builder.build("FROM scratch\nCOPY index.html /\n", nothing)
    assert (files, "denied by policy" in said) == ({}, True)
    mounted = f"FROM {busybox}\nRUN --mount=source=index.html,target=/m true\n"
    assert builder.build(mounted, nothing)[0] == {}
    mounting = replace(nothing, context_paths=("index.html",))
    assert builder.build(mounted, mounting)[0] != {}
