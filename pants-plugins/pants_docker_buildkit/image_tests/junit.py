"""What came of tests, as JUnit's XML."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from pants_docker_buildkit.image_tests.outcome import TestRun

# XML 1.0 can say everything but these.
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(name: str, runs: Sequence[TestRun]) -> bytes:
    """The runs of one target as JUnit's XML: a suite for each platform."""
    root = ET.Element("testsuites")
    for run in runs:
        failures = sum(bool(each.problems) for each in run.outcomes)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=f"{name} {run.platform}",
            tests=str(len(run.outcomes) + bool(run.problem)),
            failures=str(failures),
            errors=str(int(bool(run.problem))),
            skipped="0",
            time=f"{run.seconds:.3f}",
        )
        if run.problem:
            case = ET.SubElement(suite, "testcase", classname=name, name="run", time="0")
            _add(case, "error", run.problem)
        for each in run.outcomes:
            title = _clean(f"{each.kind}: {each.name}")
            case = ET.SubElement(suite, "testcase", classname=name, name=title, time="0")
            if each.problems:
                _add(case, "failure", "\n".join(each.problems))
            for tag, text in (("system-out", each.output), ("system-err", each.error)):
                if text:
                    ET.SubElement(case, tag).text = _clean(text)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _add(case: ET.Element, tag: str, text: str) -> None:
    clean = _clean(text)
    ET.SubElement(case, tag, message=clean.partition("\n")[0]).text = clean


def _clean(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", text)
