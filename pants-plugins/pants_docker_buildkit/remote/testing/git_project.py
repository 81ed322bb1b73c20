"""A Git repository that a web server serves as files, which everybody can fetch."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pants_docker_buildkit.testing.http_server import file_server, http_server


class Project:
    """A Git repository at `url`."""

    def __init__(self, directory: Path) -> None:
        self._source, self._bare = directory / "source", directory / "site/project.git"
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self._bare))
        self._git("init", "--quiet", "--initial-branch=main", str(self._source))
        self.site = directory / "site"
        self.url = ""

    def _git(self, *arguments: str) -> str:
        command = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments)
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        """Push a commit with these files, whose paths have `__` for `/` and `_` for a dot."""
        for name, text in files.items():
            path = self._source / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        source = ("-C", str(self._source))
        self._git(*source, "add", ".")
        self._git(*source, "commit", "--quiet", "--message=a")
        self._git(*source, "push", "--quiet", str(self._bare), "main")
        self._git("-C", str(self._bare), "update-server-info")
        return self._git(*source, "rev-parse", "HEAD")


@contextmanager
def served_project(directory: Path) -> Iterator[Project]:
    """A repository without commits, below `directory`."""
    project = Project(directory)
    with http_server(file_server(project.site)) as address:
        project.url = f"{address}/project.git"
        yield project
