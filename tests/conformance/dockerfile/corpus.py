"""Which Dockerfiles do we compare with BuildKit, and what did it say of them?

Of every case there are up to three files in `cases/`:

- `NAME.dockerfile`: the Dockerfile;
- `NAME.build.json`: how it is built, where that is not simply for linux/amd64, and what of the
  answer is not compared, with the reason;
- `NAME.buildkit.json`: what BuildKit said, written by `regenerate.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pants_docker_buildkit.dockerfile.analysis import DockerfileAnalysis
from pants_docker_buildkit.dockerfile.parser import Dockerfile, parse_dockerfile
from pants_docker_buildkit.dockerfile.stages import analyze
from pants_docker_buildkit.oci.image_platform import ImagePlatform

CASES = Path(__file__).parent / "cases"
BUILD_PLATFORM = "linux/amd64"

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """One Dockerfile, and how it is built."""

    name: str
    build: Json

    @property
    def path(self) -> Path:
        return CASES / f"{self.name}.dockerfile"

    @property
    def answer_path(self) -> Path:
        return CASES / f"{self.name}.buildkit.json"

    @property
    def answer(self) -> Json:
        """What BuildKit said of this case."""
        answer: Json = json.loads(self.answer_path.read_text())
        return answer

    @property
    def build_args(self) -> dict[str, str]:
        return dict(self.build.get("build_args", {}))

    @property
    def target(self) -> str | None:
        target: str | None = self.build.get("target")
        return target

    @property
    def platform(self) -> str:
        return str(self.build.get("platform", BUILD_PLATFORM))

    @property
    def named_contexts(self) -> tuple[str, ...]:
        return tuple(self.build.get("named_contexts", ()))

    @property
    def expected_limits(self) -> tuple[int, ...]:
        """The lines that we say we do not understand, although BuildKit does."""
        return tuple(self.build.get("limits", ()))

    def parse(self) -> Dockerfile:
        return parse_dockerfile(
            self.path.read_bytes(), syntax=self.build_args.get("BUILDKIT_SYNTAX")
        )

    def analyze(self, *, as_outline: bool = False) -> DockerfileAnalysis:
        """Our analysis. `--call=outline` is always about the platform of the builder."""
        return analyze(
            self.parse(),
            build_args=self.build_args,
            target_platform=ImagePlatform.parse(BUILD_PLATFORM if as_outline else self.platform),
            build_platform=ImagePlatform.parse(BUILD_PLATFORM),
            target_stage=self.target,
            named_contexts=self.named_contexts,
        )


def load_cases() -> tuple[Case, ...]:
    """All cases, by name."""
    return tuple(load_case(path.stem) for path in sorted(CASES.glob("*.dockerfile")))


def load_case(name: str) -> Case:
    build = CASES / f"{name}.build.json"
    return Case(name, json.loads(build.read_text()) if build.exists() else {})
