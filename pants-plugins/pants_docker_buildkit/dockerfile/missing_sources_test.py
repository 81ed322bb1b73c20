from __future__ import annotations

import pytest

from pants_docker_buildkit.dockerfile.context_entries import (
    ContextEntry,
    DirectoryEntry,
    FileEntry,
    SymlinkEntry,
)
from pants_docker_buildkit.dockerfile.missing_sources import MissingSource, find_missing_source
from pants_docker_buildkit.dockerfile.parser import parse_dockerfile
from pants_docker_buildkit.dockerfile.stages import analyze
from pants_docker_buildkit.oci.image_platform import ImagePlatform

AMD64 = ImagePlatform.parse("linux/amd64")
FILES = ("src/app/server.pex", "src/app/config/base.toml", "README.md")
ENTRIES: tuple[ContextEntry, ...] = (
    *(FileEntry(path, "0" * 64, 1) for path in FILES),
    SymlinkEntry("current", "src"),
    DirectoryEntry("empty"),
)


def missing(*instructions: str) -> MissingSource | None:
    text = "\n".join(("FROM scratch", *instructions, ""))
    analysis = analyze(
        parse_dockerfile(text.encode()),
        build_args={},
        target_platform=AMD64,
        build_platform=AMD64,
        target_stage=None,
        named_contexts=(),
    )
    return find_missing_source(analysis, ENTRIES)


@pytest.mark.parametrize(
    "instruction",
    [
        pytest.param("COPY README.md /", id="file"),
        pytest.param("COPY /README.md /", id="leading-slash"),
        pytest.param("COPY src/app/ /", id="directory"),
        pytest.param("COPY . /", id="everything"),
        pytest.param("COPY empty /", id="empty-directory"),
        pytest.param("COPY current/app/server.pex /", id="through-a-link"),
        pytest.param("COPY *.txt src/*/no*.txt /", id="wildcard"),
        pytest.param("COPY current/app/*.pex /", id="wildcard-behind-a-link"),
        pytest.param("COPY --parents ./nowhere/**/*.txt /", id="parents"),
        pytest.param("COPY --from=alpine /etc/passwd /", id="other-image"),
        pytest.param("ADD https://example.org/a.tgz /", id="download"),
        pytest.param("COPY <<EOF /a\ntext\nEOF", id="heredoc"),
        pytest.param("ARG HERE=README.md\nCOPY $HERE /", id="argument"),
    ],
)
def test_a_source_that_is_there_or_may_be_is_not_missing(instruction: str) -> None:
    assert missing(instruction) is None


@pytest.mark.parametrize(
    ("instruction", "path"),
    [
        pytest.param("COPY dist/server.pex /", "dist/server.pex", id="copy"),
        pytest.param("ADD README.txt /", "README.txt", id="add"),
        pytest.param("COPY README.md LICENSE /", "LICENSE", id="second-of-two"),
        pytest.param("COPY lib/app/*.txt /", "lib/app", id="directory-of-wildcard"),
        pytest.param("RUN --mount=type=bind,source=lib,target=/lib true", "lib", id="mount"),
    ],
)
def test_a_source_that_is_not_there_is_named_with_its_line(instruction: str, path: str) -> None:
    found = missing(instruction)
    assert found is not None
    assert (found.path, found.line) == (path, 2)


@pytest.mark.parametrize(
    ("path", "suggestion"),
    [
        pytest.param("dist/server.pex", "src/app/server.pex", id="same-name-elsewhere"),
        pytest.param("src.app/server.pex", "src/app/server.pex", id="dots-for-slashes"),
        pytest.param("READMY.md", "README.md", id="typing-error"),
        pytest.param("entirely-different", None, id="nothing-like-it"),
    ],
)
def test_a_path_that_may_have_been_meant_is_suggested(path: str, suggestion: str | None) -> None:
    found = missing(f"COPY {path} /")
    assert found is not None
    assert found.suggestion == suggestion
