"""Contexts as tests write them down."""

from __future__ import annotations

from collections.abc import Mapping

from pants_docker_buildkit.session.context_files import ContextPath, context_row


def to_rows(contents: Mapping[str, ContextPath]) -> list[str]:
    """The rows of these paths."""
    return [context_row(path, each.kind, each.value, each.size) for path, each in contents.items()]
