"""What the trees take from elsewhere: images in a registry, a web server, a Git repository."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pants_docker_buildkit.testing.http_server import file_server, http_server
from tests.conformance.images.frontend import push_frontend
from tests.conformance.images.trees.adding import archive
from tests.integration.workbench.base_image import move_tag, push_busybox
from tests.integration.workbench.registry import Registry, free_port, wait_for_port

TRIGGERS = {
    "TRIGGER_RUN": ("ONBUILD RUN echo 1 > /triggered",),
    "TRIGGER_COPY": ("ONBUILD COPY . /context/", "ONBUILD ENV A=1"),
    "TRIGGER_ARGUMENT": ("ONBUILD ARG VALUE=default", "ONBUILD RUN echo $VALUE > /value"),
    "TRIGGER_FROM": ("ONBUILD COPY --from=assets /a /from-assets",),
    "TRIGGER_NUMBER": ("ONBUILD COPY --from=0 /a /from-first",),
    "TRIGGER_MOUNT": ("ONBUILD RUN --mount=target=/m --mount=from=%BASE%,target=/n ls /m /n > /l",),
    "TRIGGER_PLACE": ("ONBUILD ENV D=/e", "ONBUILD WORKDIR $D/f", "ONBUILD COPY --chown=7 a ./"),
    "TRIGGER_STAGE_ARGUMENT": ("ONBUILD ARG D=.", "ONBUILD ADD $D /all/"),
}
"""Images whose triggers run in the builds of their children."""


@contextmanager
def provide_sources(
    directory: Path, registry: Registry, repository: str
) -> Iterator[Mapping[str, str]]:
    """What the words of trees stand for, while all of it answers. Images go below `repository`."""
    busybox = push_busybox(directory / "busybox", registry, f"{repository}/busybox")
    name, _, tag = busybox.rpartition(":")
    digest = registry.digest(busybox)
    words = {
        "BUSYBOX": busybox,
        "BUSYBOX_NAME": name,
        "PINNED": f"{name}@{digest}",
        "TAG_AND_DIGEST": f"{name}:{tag}@{digest}",
    }
    for word, instructions in TRIGGERS.items():
        words[word] = f"{name}-{word.lower().replace('_', '-')}:1"
        move_tag(words[word], busybox, *(each.replace("%BASE%", busybox) for each in instructions))
    words["ONLY_ARM64"] = f"{name}-only-arm64:1"
    move_tag(words["ONLY_ARM64"], f"--platform=linux/arm64 {busybox}")
    words["TRIGGER_OF_CHILD"] = f"{name}-trigger-of-child:1"
    move_tag(words["TRIGGER_OF_CHILD"], words["TRIGGER_RUN"], "ONBUILD RUN touch /grandchild")
    words["FRONTEND"] = f"{name}-frontend:1"
    push_frontend(words["FRONTEND"], busybox, "frontend of the tests")
    words["PINNED_FRONTEND"] = f"{name}-frontend@{registry.digest(words['FRONTEND'])}"
    files = directory / "http"
    files.mkdir()
    (files / "file").write_text("from the web\n")
    (files / "one.tar").write_bytes(archive())
    (files / "a b").write_text("has a space\n")
    words["HTTP_SHA256"] = f"sha256:{hashlib.sha256((files / 'file').read_bytes()).hexdigest()}"
    words["COMMIT"] = make_repository(directory / "git/tree.git")
    with http_server(file_server(files)) as http, serve_git(directory / "git") as git:
        yield {**words, "HTTP": http, "GIT": f"{git}/tree.git"}


@contextmanager
def serve_git(directory: Path) -> Iterator[str]:
    """A Git server for the repositories in this directory, as a URL."""
    port = free_port()
    server = subprocess.Popen(
        [
            *("git", "daemon", "--export-all", "--listen=127.0.0.1", f"--port={port}"),
            *("--reuseaddr", f"--base-path={directory}"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(f"127.0.0.1:{port}")
        yield f"git://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def make_repository(directory: Path) -> str:
    """Make a repository with a branch `main` and a tag `v1`, and give its only commit."""
    directory.mkdir(parents=True)
    git(directory, "init", "--quiet", "--initial-branch=main")
    (directory / "d").mkdir()
    (directory / "file").write_text("from Git\n")
    (directory / "d/below").write_text("below\n")
    (directory / "run").write_text("#!/bin/sh\n")
    (directory / "run").chmod(0o755)
    commit(directory)
    git(directory, "tag", "v1")
    return git(directory, "rev-parse", "HEAD")


def commit(directory: Path) -> None:
    """Commit what lies in a repository."""
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message=change")


def git(directory: Path, *arguments: str) -> str:
    """What Git prints, with nobody's configuration."""
    identity = {"NAME": "Ada", "EMAIL": "ada@example.org", "DATE": "2001-01-01T00:00:00Z"}
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_GLOBAL": os.devnull,
        "HOME": str(directory),
        **{
            f"GIT_{who}_{key}": value
            for who in ("AUTHOR", "COMMITTER")
            for key, value in identity.items()
        },
    }
    answer = subprocess.run(
        ["git", *arguments],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout.strip()
