r"""Compare the plugin's build contexts with BuildKit's, on random trees and ignore files.

    BUILDKIT_TESTS_DOCKER=$(command -v docker) PYTHONPATH=pants-plugins:. \
        python3.9 tests/conformance/context/differential.py --cases 5000 --seed 1

Prints each case on which the two differ and exits with 1 if there is one. Each case has its own
seed: `--seed N --cases 1` runs it again.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from pants_docker_buildkit.dockerfile.context_entries import ContextEntry, FileEntry
from pants_docker_buildkit.dockerfile.context_filter import select_context
from pants_docker_buildkit.dockerfile.ignorefile import IGNORE_FILE_NAME, parse_ignore_file
from pants_docker_buildkit.dockerfile.patterns import (
    IgnorePattern,
    InvalidPatternError,
    PatternMatcher,
    parse_patterns,
)
from tests.conformance.context.buildkit import BuildRequest, ContextBuilder, Placement, Refused
from tests.conformance.context.cases import ContextCase, file_entry, random_case, write_entry

BATCH_SIZE = 60

Outcome = Union["tuple[ContextEntry, ...]", Refused]

# In the context of the placements in which BuildKit must not read it, and of no others.
DECOY = file_entry(IGNORE_FILE_NAME, IGNORE_FILE_NAME.encode())


@dataclass(frozen=True)
class Difference:
    """A case on which the plugin and BuildKit do not agree."""

    seed: int
    placement: Placement
    case: ContextCase
    expected: Outcome
    actual: Outcome

    def __str__(self) -> str:
        lines = [
            f"seed {self.seed}, ignore file in {self.placement.value}: {self.case.ignore_file!r}"
        ]
        if isinstance(self.expected, Refused) or isinstance(self.actual, Refused):
            by_plugin, by_buildkit = (
                "refuses" if isinstance(outcome, Refused) else "accepts"
                for outcome in (self.expected, self.actual)
            )
            lines.append(f"  the plugin {by_plugin} the patterns, BuildKit {by_buildkit} them")
            return "\n".join(lines)
        lines += [
            f"  only the plugin: {entry}" for entry in self.expected if entry not in self.actual
        ]
        lines += [
            f"  only BuildKit: {entry}" for entry in self.actual if entry not in self.expected
        ]
        return "\n".join(lines)


def differences(first_seed: int, cases: int) -> Iterator[Difference]:
    """The cases among those with `cases` consecutive seeds on which the two do not agree."""
    for start in range(first_seed, first_seed + cases, BATCH_SIZE):
        seeds = range(start, min(start + BATCH_SIZE, first_seed + cases))
        with tempfile.TemporaryDirectory() as workdir:
            yield from _differences_in_batch(list(seeds), Path(workdir))


def _differences_in_batch(seeds: Sequence[int], workdir: Path) -> Iterator[Difference]:
    cases = {seed: random_case(random.Random(seed)) for seed in seeds}
    placements = {seed: random.Random(-seed).choice(list(Placement)) for seed in seeds}
    expected = {seed: expected_outcome(cases[seed], placements[seed]) for seed in seeds}
    builder = ContextBuilder(workdir)
    for seed in seeds:
        root = workdir / f"case{seed}"
        root.mkdir()
        _write_context(root, cases[seed], placements[seed], expected[seed])
    accepted = [seed for seed in seeds if expected[seed] is not Refused.REFUSED]
    refused = [seed for seed in seeds if expected[seed] is Refused.REFUSED]
    # One that is refused would take the whole bake with it.
    for batch in (accepted, *([seed] for seed in refused)):
        requests = [
            BuildRequest(f"case{seed}", placements[seed], cases[seed].ignore_file) for seed in batch
        ]
        for seed, actual in zip(batch, builder.build(requests)):
            if expected[seed] != actual:
                yield Difference(seed, placements[seed], cases[seed], expected[seed], actual)


def expected_outcome(case: ContextCase, placement: Placement) -> Outcome:
    """What the plugin says that BuildKit does, with the files that BuildKit is known to empty."""
    entries = context_entries(case, placement)
    try:
        patterns = parse_patterns(parse_ignore_file(case.ignore_file))
        selected = select_context(entries, patterns)
    except InvalidPatternError:
        # Where the plugin filters, BuildKit never sees the pattern.
        return () if placement is Placement.NOWHERE else Refused.REFUSED
    if placement is Placement.NOWHERE:
        return selected
    return tuple(
        file_entry(entry.path, b"", is_executable=entry.is_executable)
        if isinstance(entry, FileEntry) and is_emptied(entry.path, patterns)
        else entry
        for entry in selected
    )


def context_entries(case: ContextCase, placement: Placement) -> tuple[ContextEntry, ...]:
    """The tree of the case with the `.dockerignore` that lies in it."""
    if placement in {Placement.BESIDE_DOCKERFILE, Placement.NOWHERE}:
        return (*case.entries, DECOY)
    return (*case.entries, file_entry(IGNORE_FILE_NAME, case.ignore_file))


def is_emptied(path: str, patterns: Sequence[IgnorePattern]) -> bool:
    """Whether BuildKit sends a file that it selects without its content.

    It asks twice: with `MatchesUsingParentResults` whether the file is in the context, and with
    `MatchesOrParentMatches` when it opens it. Where the second says no, it sends an empty file.
    """
    parts = path.split("/")
    lineage = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    is_excluded = False
    for pattern in patterns:
        if pattern.is_exception == is_excluded:
            matcher = PatternMatcher([pattern])
            if any(matcher.last_match(each) == 0 for each in lineage):
                is_excluded = not pattern.is_exception
    return is_excluded


def _write_context(root: Path, case: ContextCase, placement: Placement, expected: Outcome) -> None:
    if placement is not Placement.NOWHERE:
        case.write_tree(root)
    elif not isinstance(expected, Refused):
        for entry in expected:
            write_entry(root, entry)
    if placement is Placement.BESIDE_DOCKERFILE:
        write_entry(root, DECOY)


def main() -> int:
    """Run the comparison that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="The seed of the first case.")
    arguments = parser.parse_args()
    found = 0
    for difference in differences(arguments.seed, arguments.cases):
        found += 1
        print(difference, flush=True)
    print(f"{arguments.cases} cases from seed {arguments.seed}: {found} differ")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
