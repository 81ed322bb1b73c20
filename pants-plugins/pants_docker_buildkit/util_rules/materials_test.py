from __future__ import annotations

import pytest

from pants_docker_buildkit.buildx.metadata import BuildMaterial
from pants_docker_buildkit.dockerfile.parser import parse_dockerfile
from pants_docker_buildkit.dockerfile.stages import analyze
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.solver.definition import ContextKind, NamedContext, PinnedSource
from pants_docker_buildkit.util_rules.build_args import BuildArgs
from pants_docker_buildkit.util_rules.dockerfile import ImageDockerfile
from pants_docker_buildkit.util_rules.materials import image_materials, merge_materials

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
PYTHON = "docker.io/library/python"
COMMIT = "c" * 40
AMD64, ARM64 = (ImagePlatform.parse(each) for each in ("linux/amd64", "linux/arm64"))


def materials(
    dockerfile: str, *sources: PinnedSource, contexts: tuple[NamedContext, ...] = ()
) -> list[tuple[str, str]]:
    names = [each.name for each in contexts]
    parsed, platforms = parse_dockerfile(dockerfile), (AMD64, ARM64)
    analyses = tuple(
        analyze(
            parsed,
            build_args={},
            target_platform=platform,
            build_platform=AMD64,
            named_contexts=names,
        )
        for platform in platforms
    )
    understood = ImageDockerfile(
        None, b"", parsed, BuildArgs((), ()), platforms, (AMD64, AMD64), analyses
    )
    found = image_materials(sources, contexts, understood)
    return [(each.uri, each.digest) for each in found]


def test_images_are_named_once_for_each_platform_as_buildkit_names_them() -> None:
    found = materials(
        "# syntax=docker/dockerfile:1\nFROM --platform=$BUILDPLATFORM ghcr.io/org/go:1 AS go\n"
        "FROM python\nCOPY --from=go /a /a\n",
        PinnedSource.image(
            "docker.io/library/python:latest", f"docker.io/library/python:latest@{A}"
        ),
        PinnedSource.image("ghcr.io/org/go:1", f"ghcr.io/org/go:1@{B}"),
        PinnedSource.image("docker.io/docker/dockerfile:1", f"docker.io/docker/dockerfile:1@{A}"),
    )
    assert found == [
        (f"pkg:docker/docker/dockerfile@1?digest={A}", A),
        (f"pkg:docker/ghcr.io/org/go@1?digest={B}&platform=linux%2Famd64", B),
        (f"pkg:docker/python@latest?digest={A}&platform=linux%2Famd64", A),
        (f"pkg:docker/python@latest?digest={A}&platform=linux%2Farm64", A),
    ]


def test_images_of_the_repository_are_among_them() -> None:
    reference = f"localhost:5000/base@{A}"
    found = materials(
        "FROM base\nCOPY --from=layout / /\n",
        PinnedSource.image(reference, reference),
        contexts=(
            NamedContext("base", ContextKind.IMAGE, reference),
            NamedContext("layout", ContextKind.LAYOUT, B, "layouts/x"),
        ),
    )
    assert found == [
        (f"pkg:docker/localhost:5000/base?digest={A}&platform=linux%2Famd64", A),
        (f"pkg:docker/localhost:5000/base?digest={A}&platform=linux%2Farm64", A),
        (f"pkg:oci/layout?digest={B}&platform=linux%2Famd64", B),
        (f"pkg:oci/layout?digest={B}&platform=linux%2Farm64", B),
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            PinnedSource("git://h/a.git#main:docs", f"git://h/a.git#{COMMIT}:docs"),
            ("git://h/a.git#main:docs", f"sha1:{COMMIT}"),
            id="branch",
        ),
        pytest.param(
            PinnedSource("git://h/a.git#v1", "git://h/a.git#v1", COMMIT),
            ("git://h/a.git#v1", f"sha1:{COMMIT}"),
            id="checked",
        ),
        pytest.param(
            PinnedSource(f"git://h/a.git#{'d' * 64}", f"git://h/a.git#{'d' * 64}"),
            (f"git://h/a.git#{'d' * 64}", f"sha256:{'d' * 64}"),
            id="sha256",
        ),
        pytest.param(
            PinnedSource("https://h/a?X-Signature=s3cret", "https://h/a?X-Signature=s3cret", A),
            ("https://h/a?***", A),
            id="signature",
        ),
        pytest.param(
            PinnedSource("https://me:s3cret@h/a", "https://me:s3cret@h/a", A),
            ("https://***@h/a", A),
            id="password",
        ),
    ],
)
def test_downloads_are_named_without_credentials(
    source: PinnedSource, expected: tuple[str, str]
) -> None:
    assert materials("FROM scratch\n", source) == [expected]


def test_a_tag_in_git_is_its_commit_whatever_a_builder_tells() -> None:
    ours = BuildMaterial("git://h:1/a.git#v1:docs", f"sha1:{COMMIT}")
    tag = BuildMaterial("http://h:1/a.git#v1", f"sha1:{'d' * 40}")
    other = BuildMaterial("http://h:1/b.git#v1", f"sha1:{'e' * 40}")
    assert merge_materials([ours], [tag, other]) == (ours, other)


def test_what_a_builder_tells_besides_is_added_without_credentials() -> None:
    ours = BuildMaterial("pkg:docker/a@1?digest=x", A)
    same = BuildMaterial("pkg:docker/a@1?platform=y", A)
    more = BuildMaterial("https://proxy.example/file?token=s3cret", B)
    assert merge_materials([ours], [same, more]) == (
        BuildMaterial("https://proxy.example/file?***", B),
        ours,
    )
