"""What moves between two runs, and is no file of the repository."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pants_docker_buildkit.buildx.user_policy import POLICY_VARIABLE
from pants_docker_buildkit.testing.http_server import file_server, http_server
from tests.conformance.images.builds import ENVIRONMENT
from tests.conformance.images.frontend import push_frontend
from tests.conformance.images.sources import (
    commit,
    make_repository,
    provide_sources,
    serve_git,
)
from tests.conformance.staleness.inputs import MOVED
from tests.integration.workbench.base_image import move_tag
from tests.integration.workbench.registry import Registry

_LATER = 1_000_000_000


@dataclass(frozen=True)
class World:
    """What words of trees stand for, what moves all of it, and variables that name a part."""

    words: Mapping[str, str]
    move: Callable[[], None]
    variables: Mapping[str, str]

    def environment(self, state: str) -> dict[str, str]:
        """The variables of both ways to build, in the first run or in the second."""
        return {**ENVIRONMENT, **self.variables, **{name: f"{name} {state}" for name in MOVED}}


@contextmanager
def provide_world(directory: Path, registry: Registry, repository: str) -> Iterator[World]:
    """All that trees read from elsewhere, some of which moves once."""
    files, git = directory / "moving-http", directory / "moving-git"
    files.mkdir(parents=True)
    for name in ("moving", "still"):
        (files / name).write_text("before\n")
    make_repository(git / "tree.git")
    name = f"{registry.address}/{repository}"
    tag, trigger = f"{name}/moving:1", f"{name}/moving-trigger:1"
    of_tag, frontend = f"{name}/trigger-of-moving:1", f"{name}/frontend:1"
    asking = f"{name}/asking-frontend:1"
    policed, policy = f"{name}/policed:1", directory / "policy.json"
    with ExitStack() as stack:
        words = stack.enter_context(provide_sources(directory, registry, repository))
        http = stack.enter_context(http_server(file_server(files)))
        git_url = stack.enter_context(serve_git(git))
        base = words["BUSYBOX"]

        def place(state: str) -> None:
            move_tag(tag, base, f"RUN echo {state} > /moved")
            move_tag(trigger, base, f"ONBUILD RUN echo {state} > /triggered")
            push_frontend(frontend, base, state)

        def deny(image: str) -> None:
            selector = {"identifier": f"docker-image://{image}"}
            policy.write_text(json.dumps({"rules": [{"action": "DENY", "selector": selector}]}))

        def move() -> None:
            place("after")
            (files / "moving").write_text("after, and longer\n")
            os.utime(files / "moving", (_LATER, _LATER))
            (git / "tree.git/file").write_text("after\n")
            commit(git / "tree.git")
            deny(policed)

        place("before")
        deny("example.org/nothing:1")
        move_tag(policed, base, "LABEL policed=yes")
        asked_for = {"IMAGE": tag, "WEB": f"{http}/moving", "GIT": f"{git_url}/tree.git#main"}
        push_frontend(asking, base, "asks for more", asked_for)
        move_tag(of_tag, base, f"ONBUILD COPY --from={tag} /moved /of-trigger")
        moving = {
            "MOVING_TAG": tag,
            "MOVING_TRIGGER": trigger,
            "TRIGGER_OF_MOVING_TAG": of_tag,
            "MOVING_FRONTEND": frontend,
            "ASKING_FRONTEND": asking,
            "POLICED": policed,
            "RUN": uuid.uuid4().hex,
            "MOVING_HTTP": http,
            "MOVING_GIT": f"{git_url}/tree.git",
        }
        yield World({**words, **moving}, move, {POLICY_VARIABLE: str(policy)})
