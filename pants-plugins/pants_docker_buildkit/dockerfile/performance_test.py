"""Is parsing fast enough for thousands of Dockerfiles, and for one that is absurd?

The limits are several times what an idle machine needs.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from pants_docker_buildkit.dockerfile.errors import DockerfileError
from pants_docker_buildkit.dockerfile.parser import parse_dockerfile
from pants_docker_buildkit.dockerfile.stages import analyze
from pants_docker_buildkit.oci.image_platform import ImagePlatform

PLATFORM = ImagePlatform.parse("linux/amd64")

ORDINARY = """\
# syntax=docker/dockerfile:1
ARG PYTHON=3.12
FROM python:${PYTHON}-slim AS build
ARG VERSION=1.0
ENV PIP_NO_CACHE_DIR=1 \\
    PYTHONUNBUFFERED=1
WORKDIR /src
COPY requirements.txt constraints/*.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \\
    # The rest of the requirements.
    pip install -r requirements.txt && \\
    pip check
COPY --chown=1000:1000 src/ src/
RUN python -m build --version "${VERSION}"
FROM gcr.io/distroless/python3
LABEL org.opencontainers.image.version="${VERSION}"
COPY --from=build /src/dist /app
COPY config/app.toml /etc/app.toml
USER 65532
ENTRYPOINT ["python", "-m", "app"]
"""


def cpu_seconds(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def analyze_text(text: str) -> None:
    analyze(
        parse_dockerfile(text), build_args={}, target_platform=PLATFORM, build_platform=PLATFORM
    )


def test_a_thousand_dockerfiles_take_a_second() -> None:
    assert ORDINARY.count("\n") == 20

    def analyze_thousand() -> None:
        for _ in range(1000):
            analyze_text(ORDINARY)

    assert cpu_seconds(analyze_thousand) < 3


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("FROM a\n" + "# comment\n" * 1_000_000, id="comments"),
        pytest.param("FROM a\nRUN b" + " \\\n  c d" * 1_000_000, id="continuation"),
        pytest.param("FROM a\nRUN <<E\n" + "line\n" * 2_000_000 + "E\n", id="heredoc"),
        pytest.param("FROM a\nARG b" + "=c \\\n b" * 500_000, id="arguments"),
        pytest.param("FROM a\nENV " + "b='c d' \\\n" * 500_000, id="quotes"),
    ],
)
def test_megabytes_take_seconds(text: str) -> None:
    assert cpu_seconds(lambda: analyze_text(text)) < 30


def test_ten_thousand_stages_take_seconds() -> None:
    stages = [f"FROM s{i} AS s{i + 1}\nCOPY --from=s{i} / /\n" for i in range(10_000)]
    assert cpu_seconds(lambda: analyze_text("FROM a AS s0\n" + "".join(stages))) < 15


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("COPY " + "${a:-" * 10_000 + "}" * 10_000 + " b", id="nested variables"),
        pytest.param("COPY " + "${a:-" * 10_000 + " b", id="open variables"),
        pytest.param("COPY " + "[" * 60_000 + " b", id="nested JSON"),
        pytest.param("ONBUILD " * 8_000, id="nested triggers"),
    ],
)
def test_deep_nesting_is_refused(line: str) -> None:
    with pytest.raises(DockerfileError, match="Line 2"):
        analyze_text(f"FROM scratch\n{line}\n")
