"""Ask BuildKit again about all cases, or about those named, and write down what it says.

BUILDKIT_TESTS_DOCKER=docker python -m tests.conformance.dockerfile.regenerate [NAME...]
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence

from tests.conformance.dockerfile.buildkit import ask_buildkit
from tests.conformance.dockerfile.corpus import load_case, load_cases

_PAIR = re.compile(r"\[\s+([0-9]+),\s+([0-9]+)\s+\]")


def main(names: Sequence[str]) -> None:
    """Write the `.buildkit.json` of the cases with these names, or of all."""
    cases = [load_case(name) for name in names] if names else load_cases()
    for case in cases:
        old = case.answer if case.answer_path.exists() else {}
        answer = ask_buildkit(case, likely_images=old.get("images", ()))
        case.answer_path.write_text(_render(answer))
        print(case.name, flush=True)


def _render(answer: object) -> str:
    text = json.dumps(answer, indent=1, ensure_ascii=False, sort_keys=True)
    return _PAIR.sub(r"[\1, \2]", text) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
