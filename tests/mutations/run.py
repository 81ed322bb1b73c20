"""Does some test fail for each defence that is switched off?

Works on a copy of the repository, in which one defence at a time is off. Tests run as with
`./pants test`, or with `--pytest` directly, which needs an interpreter that has what they import.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.mutations.defences import MUTATIONS, Mutation

_COPIED = ("pants", "pants.toml", "pyproject.toml", "BUILD", "3rdparty", "build-support")
_COPIED_WHOLE = ("pants-plugins", "tests", "docs", "src", "bench")
_TESTS_FAILED = 1


def copy_repository(source: Path, copy: Path) -> None:
    """Copy what tests need, as far as it is there."""
    ignore = shutil.ignore_patterns("__pycache__", ".cache", "dist")
    for name in (*_COPIED, *_COPIED_WHOLE):
        if not (source / name).exists():
            continue
        if (source / name).is_dir():
            shutil.copytree(source / name, copy / name, ignore=ignore)
        else:
            shutil.copy2(source / name, copy / name)


def switch_off(mutation: Mutation, repository: Path) -> str:
    """Edit the file of a defence, and give what it was."""
    path = repository / mutation.path
    text = path.read_text()
    found = text.count(mutation.old)
    assert found == 1, f"{mutation.path} must have {mutation.old!r} once, not {found} times"
    path.write_text(text.replace(mutation.old, mutation.new))
    return text


def run_tests(repository: Path, tests: Sequence[str], *, with_pytest: bool) -> int:
    """The exit code of these tests: 1 where some failed."""
    command = ["./pants", "--no-pantsd", "test", *tests]
    environment = dict(os.environ)
    if with_pytest:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        paths = (repository, repository / "pants-plugins", repository / "build-support")
        environment["PYTHONPATH"] = os.pathsep.join(map(str, paths))
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    ended = subprocess.run(
        command, cwd=repository, env=environment, capture_output=True, text=True, check=False
    )
    if ended.returncode not in (0, _TESTS_FAILED):
        print(ended.stdout[-2000:], ended.stderr[-2000:], sep="\n")
    return ended.returncode


def survives(mutation: Mutation, repository: Path, *, with_pytest: bool) -> bool:
    """Whether all tests pass although a defence is off."""
    text = switch_off(mutation, repository)
    try:
        code = run_tests(repository, mutation.test_paths, with_pytest=with_pytest)
    finally:
        (repository / mutation.path).write_text(text)
    return code != _TESTS_FAILED


def main() -> int:
    """Try the defences that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="Defences whose name has this text.")
    parser.add_argument("--pytest", action="store_true", help="Run tests with this interpreter.")
    arguments = parser.parse_args()
    chosen = [each for each in MUTATIONS if arguments.only in each.defence]
    survivors = 0
    with tempfile.TemporaryDirectory() as directory:
        repository = Path(directory)
        copy_repository(Path.cwd(), repository)
        for each in chosen:
            survived = survives(each, repository, with_pytest=arguments.pytest)
            survivors += survived
            outcome = "NOT NOTICED by" if survived else "noticed by"
            print(f"{each.defence}: {outcome} {', '.join(each.tests)}", flush=True)
    print(f"{len(chosen)} defences: {len(chosen) - survivors} noticed, {survivors} not")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
