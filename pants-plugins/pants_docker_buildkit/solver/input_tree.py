"""Where things lie in the input tree of a build process, and what BuildKit sees of their modes."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = "build"
"""The directory that holds everything. buildx runs in it."""

JOB_FILE = "job.json"
TESTS_FILE = "tests.json"
CONTEXT_DIRECTORY = "context"
"""The context of a process that only checks a Dockerfile: its ignore file."""

NAMED_CONTEXTS_DIRECTORY = "contexts"
"""Of the directory in which the contexts lie, not of the input tree, which has none."""

LAYOUTS_DIRECTORY = "layouts"
DOCKERFILE = "dockerfile/Dockerfile"
OWN_POLICY = f"{DOCKERFILE}.rego"
"""Where buildx looks for the policy of a Dockerfile."""

POLICIES_DIRECTORY = "policies"

OUTPUT_LAYOUT = "layout"
"""Beside the root: where a build with `output="oci"` leaves its image."""

OUTPUT_ARTIFACTS = "artifacts"
"""Beside the root: where a build leaves the files that its target names."""

OUTPUT_TREE = "tree"
"""Where the files of a Git repository are left."""

EXPORT_DIRECTORY = "export"
"""Beside the root: all files of a stage, of which some are kept. No output of the process."""

MUTABLE_MARKER = f"{ROOT}/result"
"""A path that the process names as its output although it never writes it.

Pants links files of 512 KiB and more into a sandbox, read-only and without their executable bit,
unless an output may lie beside them. Then it copies them, and the modes are right.
"""

_PLAIN_UMASK = 0o022
_EXECUTABLE = 0o100


def normalize_modes(root: Path) -> None:
    """Give files and directories the modes 0644 and 0755 where the umask gave them others."""
    umask = os.umask(_PLAIN_UMASK)
    if umask == _PLAIN_UMASK:
        return
    for directory, _, files in os.walk(root):
        os.chmod(directory, 0o755)
        for name in files:
            path = os.path.join(directory, name)
            if not os.path.islink(path):
                is_executable = os.stat(path).st_mode & _EXECUTABLE
                os.chmod(path, 0o755 if is_executable else 0o644)
