"""What one run of Pants did, as its user and its `docker` saw it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.integration.workbench.recorded_docker import is_build

_WROTE = re.compile(r"\[INFO\] Wrote dist/(?P<path>\S+)")
_OUTCOME = re.compile(
    r"  (?P<outcome>unchanged|restored|built(?: \((?P<reason>.*)\))?): (?P<rest>.*)"
)
# Newer Pants says beside the name how long it took.
_TESTED = re.compile(r"Completed: Test images - (?P<target>\S+)(?: \([\w. ]+\))? - succeeded\.")


@dataclass(frozen=True)
class Outcome:
    """The line that ends each image."""

    kind: str
    reason: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class PantsRun:
    """A run that ended. `docker_calls` are those that were made while it ran."""

    exit_code: int
    output: str
    docker_calls: tuple[tuple[str, ...], ...]

    @property
    def builds(self) -> list[tuple[str, ...]]:
        return [call for call in self.docker_calls if is_build(call)]

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """The last line of each image, by the path of its record below `dist/`."""
        found: dict[str, Outcome] = {}
        path = ""
        for line in self.output.splitlines():
            wrote, outcome = _WROTE.search(line), _OUTCOME.fullmatch(line)
            if wrote:
                path = wrote["path"]
            elif outcome:
                kind = outcome["outcome"].partition(" ")[0]
                references = tuple(outcome["rest"].split(", "))
                found[path] = Outcome(kind, outcome["reason"] or "", references)
        return found

    @property
    def passed_tests(self) -> set[str]:
        """The tests of images that were run and succeeded."""
        return {found["target"] for found in _TESTED.finditer(self.output)}

    @property
    def kinds(self) -> dict[str, str]:
        """What was done for each target: `unchanged`, `restored` or `built`."""
        return {_target(path): outcome.kind for path, outcome in self.outcomes.items()}

    @property
    def reasons(self) -> dict[str, str]:
        """Why each target that was built was built."""
        return {
            _target(path): outcome.reason
            for path, outcome in self.outcomes.items()
            if outcome.kind == "built"
        }


def _target(record_path: str) -> str:
    """`app:image` of `app/image.image.json`."""
    directory, _, name = record_path.removesuffix(".image.json").rpartition("/")
    return f"{directory}:{name}"
