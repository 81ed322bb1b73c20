"""What does BuildKit say of a Dockerfile?

`--call=targets` and `--call=outline` do not build, but they look up the images that are needed. As
no registry is at hand, every image is replaced by an empty folder, a named context: what BuildKit
misses is added, and which of these contexts it loads tells which images it needs. A real build,
which fails for want of files, then names its steps with all variables expanded.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.conformance.dockerfile.corpus import BUILD_PLATFORM, Case

DOCKER_VARIABLE = "BUILDKIT_TESTS_DOCKER"

_MISSING_IMAGE = re.compile(r"^(?:#[0-9]+ )?\[internal\] load metadata for (\S+)$", re.MULTILINE)
_LOADED_CONTEXT = re.compile(r"\[context (\S+)\] load \.dockerignore")
_FRONTEND = re.compile(r"resolve image config for docker-image://(\S+)")
_ERROR = re.compile(
    r"^ERROR: (?:failed to build: )?(?:failed to solve: )?(?:failed to run Build function: )?(.*)$",
    re.MULTILINE,
)
_ERROR_LINE = re.compile(r"^[\w.-]+\.dockerfile:(\d+)$", re.MULTILINE)
_STEP = re.compile(r"\[[^\]]+\] (?:ONBUILD )?(?:COPY|ADD) .*")
# What a BuildKit says that has too much to do: https://github.com/moby/buildkit/issues/5171
_NOT_BEGUN = "no such job"


class NoAnswerError(Exception):
    """BuildKit could not be asked, or failed for a reason that is none of the Dockerfile's."""


def docker_binary() -> str:
    """The `docker` to ask; tests never run without one."""
    path = os.environ.get(DOCKER_VARIABLE)
    if not path:
        raise NoAnswerError(f"{DOCKER_VARIABLE} must name a docker with buildx")
    return path


def ask_buildkit(
    case: Case, *, likely_images: Iterable[str] = (), calls: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """BuildKit's answer for `case`, in the form of its `.buildkit.json`.

    It is the same whatever `likely_images` are; where they are right, BuildKit need not look for
    images in vain, which takes long. `calls` is what `call_buildkit` gave for some methods.
    """
    with tempfile.TemporaryDirectory() as context:
        return _Conversation(case, context, likely_images, calls or {}).answer()


def call_buildkit(method: str, cases: Iterable[Case]) -> dict[str, Any]:
    """What BuildKit says, called with this method, by the names of the cases.

    It is asked about all at once, with the images of their answers, which takes a tenth of the
    processor time. It says nothing of any if one of them is wrong.
    """
    with tempfile.TemporaryDirectory() as context:
        targets = {
            each.name: {
                "context": context,
                "dockerfile": str(each.path),
                "args": {name: _literal(value) for name, value in each.build_args.items()},
                "contexts": dict.fromkeys(
                    (*each.answer.get("images", ()), *each.named_contexts), context
                ),
                **({"target": each.target} if each.target else {}),
            }
            for each in cases
            if each.platform == BUILD_PLATFORM
        }
        command = (
            *(docker_binary(), "buildx", "bake", f"--call={method},format=json"),
            *("--allow=fs.read=*", "--file=-", *targets),
        )
        definition = json.dumps({"target": targets})
        answer = _run(command, definition)
        if _NOT_BEGUN in answer.stderr:
            answer = _run(command, definition)
    if answer.returncode != 0:
        # Shown if a test fails.
        print(answer.stderr, file=sys.stderr)
        return {}
    said = json.loads(answer.stdout)["target"]
    return {name: _read_call(json.dumps(said[name][method])) for name in targets}


def _literal(value: str) -> str:
    """The value for a file of bake, which has expressions in values."""
    return value.replace("${", "$${").replace("%{", "%%{")


class _Conversation:
    def __init__(
        self, case: Case, context: str, likely_images: Iterable[str], calls: Mapping[str, Any]
    ) -> None:
        self._case = case
        self._context = context
        self._images = set(likely_images)
        self._calls = calls

    def answer(self) -> dict[str, Any]:
        answer = {}
        if "targets" in self._calls:
            answer["targets"] = self._calls["targets"]["targets"]
        else:
            targets = self._run("--call=targets,format=json")
            frontend = _FRONTEND.search(targets.stderr)
            if frontend is not None:
                return {"frontend": frontend.group(1)}
            if targets.returncode == 0:
                answer["targets"] = _read_call(targets.stdout)["targets"]
        if "outline" in self._calls:
            return {**answer, "outline": self._calls["outline"], **self._build()}
        outline = self._run_with_images("--call=outline,format=json")
        if outline.returncode != 0:
            return {**answer, "error": _read_error(outline.stderr)}
        return {**answer, "outline": _read_call(outline.stdout), **self._build()}

    def _build(self) -> dict[str, Any]:
        """What a real build asks for; its platform may differ from the outline's."""
        build = self._run_with_images("--progress=rawjson", "--output=type=cacheonly")
        names = _vertex_names(build.stderr)
        given = {context.lower() for context in self._case.named_contexts}
        loaded = {found for name in names for found in _LOADED_CONTEXT.findall(name)}
        return {
            "images": sorted(loaded - given),
            "named_contexts": sorted(loaded & given),
            "steps": sorted(name for name in names if _STEP.fullmatch(name)),
        }

    def _run_with_images(self, *options: str) -> subprocess.CompletedProcess[str]:
        while True:
            result = self._run(*options)
            names = "\n".join(_vertex_names(result.stderr))
            missing = set(_MISSING_IMAGE.findall(result.stderr + "\n" + names))
            if result.returncode == 0 or missing <= self._images:
                return result
            self._images |= missing

    def _run(self, *options: str) -> subprocess.CompletedProcess[str]:
        case = self._case
        command = [docker_binary(), "buildx", "build", f"--file={case.path}", *options]
        command += [f"--build-arg={name}={value}" for name, value in case.build_args.items()]
        command += [f"--target={case.target}"] if case.target else []
        command += [f"--platform={case.platform}"]
        contexts = sorted({*self._images, *case.named_contexts})
        command += [f"--build-context={name}={self._context}" for name in contexts]
        return _run([*command, self._context])


def _run(command: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=120,
    )


def _read_call(text: str) -> dict[str, Any]:
    """The answer of a `--call`, without the Dockerfile itself, in a form that never varies."""
    answer: dict[str, Any] = json.loads(text, object_hook=_simplify_location)
    del answer["sources"]
    for key in ("args", "secrets", "ssh"):
        if key in answer:
            answer[key].sort(key=lambda entry: (entry["location"], entry["name"]))
    return answer


def _simplify_location(document: dict[str, Any]) -> Any:
    if list(document) == ["ranges"]:
        return [document["ranges"][0]["start"]["line"], document["ranges"][-1]["end"]["line"]]
    return document


def _read_error(text: str) -> dict[str, Any]:
    messages = _ERROR.findall(text)
    if not messages or "dial tcp" in messages[-1] or "docker daemon" in messages[-1]:
        raise NoAnswerError(text)
    lines = _ERROR_LINE.findall(text)
    return {"message": messages[-1], **({"line": int(lines[0])} if lines else {})}


def _vertex_names(text: str) -> set[str]:
    return {vertex["name"] for vertex in _read_vertices(text)}


def _read_vertices(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        if line.startswith("{"):
            yield from json.loads(line).get("vertexes") or ()
