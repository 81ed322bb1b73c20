"""What BuildKit 0.25 says when a policy denies something, shortened."""

from __future__ import annotations

import pytest

from pants_docker_buildkit.solver.denied_source import explain_denial

OTHER = "docker-image://docker.io/library/other:1"
EXCERPT = f"""\
Dockerfile:3
--------------------
   2 |     # c
   3 | >>> COPY --from=other:1 /x /
--------------------
ERROR: failed to build: failed to solve: other:1: failed to resolve source metadata for \
docker.io/library/other:1: could not resolve image due to policy: source "{OTHER}" denied by \
policy: source denied by policy
"""
NO_LINE = """\
ERROR: failed to build: failed to solve: failed to load LLB: error evaluating the source policy: \
source "http://example.com/a" denied by policy: source denied by policy
"""


@pytest.mark.parametrize(
    ("output", "said"),
    [
        pytest.param(EXCERPT, f"kept from reading {OTHER}, because", id="source"),
        pytest.param(EXCERPT, "Line 3 of the Dockerfile asked for it, or a trigger", id="line"),
        pytest.param(EXCERPT, "`external_sources` field of the target", id="next-step"),
        pytest.param(EXCERPT, "not in the key of src/app:image.", id="target"),
        pytest.param(NO_LINE, "A frontend (`# syntax`) or a trigger (`ONBUILD`)", id="no-line"),
    ],
)
def test_what_was_denied_is_explained(output: str, said: str) -> None:
    assert said in explain_denial(output, "src/app:image")


def test_a_context_that_was_denied_is_a_dockerfile_that_was_misread() -> None:
    output = NO_LINE.replace("http://example.com/a", "local://context")
    said = explain_denial(output, "src/app:image")
    assert 'Set `context_inputs="declared"` in src/app:image' in said


def test_another_failure_is_not_explained() -> None:
    assert explain_denial("ERROR: no space left on device", "src/app:image") == ""
