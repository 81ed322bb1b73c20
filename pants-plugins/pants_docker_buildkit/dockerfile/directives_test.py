from __future__ import annotations

import pytest

from pants_docker_buildkit.dockerfile.directives import detect_frontend


@pytest.mark.parametrize(
    ("text", "reference", "line"),
    [
        ("# syntax=docker/dockerfile:1\nFROM x\n", "docker/dockerfile:1", 1),
        ("#syntax = docker/dockerfile:1 arg\r\n", "docker/dockerfile:1", 1),
        ("# escape=`\n# SYNTAX=x/y\n", "x/y", 2),
        ("#!/bin/sh\n# syntax=x/y\n", "x/y", 2),
        ("// syntax=x/y\n", "x/y", 1),
        ('{"syntax": "x/y"}', "x/y", 1),
        ("# syntax=x/y\n# syntax=z\n", "x/y", 1),
    ],
)
def test_the_frontend_is_found_where_buildkit_finds_it(
    text: str, reference: str, line: int
) -> None:
    frontend = detect_frontend(text)
    assert frontend is not None
    assert (frontend.reference, frontend.line) == (reference, line)


@pytest.mark.parametrize(
    "text",
    [
        "FROM x\n# syntax=x/y\n",
        "# comment\n# syntax=x/y\n",
        "# foo=bar\n# syntax=x/y\n",
        " # syntax=x/y\n",
        "# syntax=\n",
        '{"syntax": 1}',
        "{",
        "[" * 100_000,
        '{"a":' * 100_000,
        "",
    ],
)
def test_elsewhere_it_is_not(text: str) -> None:
    assert detect_frontend(text) is None


def test_a_build_argument_overrides_the_directive() -> None:
    frontend = detect_frontend("# syntax=x/y\n", " docker/dockerfile:1.9 more")
    assert frontend is not None
    assert (frontend.reference, frontend.line) == ("docker/dockerfile:1.9", None)


@pytest.mark.parametrize(
    ("reference", "is_dockerfile"),
    [
        ("docker/dockerfile", True),
        ("docker/dockerfile:1.7-labs", True),
        ("docker.io/docker/dockerfile@sha256:00", True),
        ("docker/dockerfile-upstream:master", True),
        ("mirror.example.com/docker/dockerfile:1", True),
        ("example.com/dockerfile:1", False),
        ("notdocker/dockerfile:1", False),
        ("docker/dockerfile-x:1", False),
    ],
)
def test_dockerfile_frontends_are_told_by_their_name(reference: str, is_dockerfile: bool) -> None:
    frontend = detect_frontend(f"# syntax={reference}\n")
    assert frontend is not None
    assert frontend.is_dockerfile is is_dockerfile
