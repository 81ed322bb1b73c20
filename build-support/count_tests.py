"""Sum the JUnit reports of a folder into the line `N passed, N failed, N skipped`."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def count_tests(reports: Path) -> str:
    """Give the line for all reports below the folder; errors count as failures."""
    totals = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for report in sorted(reports.rglob("*.xml")):
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            for key in totals:
                totals[key] += int(suite.get(key, 0))
    failed = totals["failures"] + totals["errors"]
    passed = totals["tests"] - failed - totals["skipped"]
    return f"{passed} passed, {failed} failed, {totals['skipped']} skipped"


if __name__ == "__main__":
    print(count_tests(Path(sys.argv[1])))
