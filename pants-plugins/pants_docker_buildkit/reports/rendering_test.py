from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pants_docker_buildkit.reports.rendering import (
    RENDERERS,
    size,
    to_html,
    to_markdown,
    to_trace_events,
)
from pants_docker_buildkit.reports.timeline import TimedBuild, TimedStep, read_builds

HOSTILE = "<script>`|\"'</script>"
STEPS = (
    TimedStep("[1/2] FROM a", 100.0, 2.0, is_cached=False, has_failed=False, sent=2_000_000),
    TimedStep("[other 1/1] RUN b", 101.0, 3.0, is_cached=False, has_failed=True, sent=0),
    TimedStep(f"[2/2] RUN {HOSTILE}", 102.0, 0.0, is_cached=True, has_failed=False, sent=0),
)
BUILD = TimedBuild("a:a", 100.0, 10.0, True, STEPS, f"{HOSTILE} changed")
OTHER = TimedBuild("b:b", 105.0, 15.0, False, ())


class Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_steps_that_overlap_have_lanes_of_their_own() -> None:
    assert BUILD.lanes() == ((STEPS[0], STEPS[2]), (STEPS[1],))


def test_a_page_shows_names_as_they_are_and_loads_nothing() -> None:
    page = Page(to_html((BUILD, OTHER)))
    assert "2 images built in 20.0 s" in page.text
    assert HOSTILE in page.text
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert not {"href", "src"} & {name for name, _ in page.attributes}
    styles = [value or "" for name, value in page.attributes if name == "style"]
    assert "left:5.00%;width:15.00%" in styles


def test_trace_events_have_a_process_for_each_image() -> None:
    events = json.loads(to_trace_events((BUILD, OTHER)))["traceEvents"]
    names = [each["args"]["name"] for each in events if each["name"] == "process_name"]
    assert names == ["a:a", "b:b"]
    (step,) = [each for each in events if each["name"] == "[other 1/1] RUN b"]
    assert (step["ts"], step["dur"], step["args"]["failed"]) == (101_000_000, 3_000_000, True)


def test_markdown_has_a_line_for_each_image_and_the_slowest_steps() -> None:
    lines = to_markdown((BUILD, OTHER)).splitlines()
    assert lines[0] == "**2 images built in 20.0 s**"
    assert lines[4].startswith("| a:a (failed) | \\<script\\>\\`\\|")
    assert lines[4].endswith("| 10.0 | 3 | 1 | 2.0 MB |")
    assert lines[9] == "| \\[other 1/1\\] RUN b | a:a | 3.0 |"
    assert HOSTILE not in to_markdown((BUILD,))


@pytest.mark.parametrize("ending", sorted(RENDERERS))
def test_a_run_without_builds_has_a_report(ending: str) -> None:
    assert RENDERERS[ending](())


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2_500_000_000, "2.5 GB")]
)
def test_sizes_are_as_people_say_them(count: int, text: str) -> None:
    assert size(count) == text


def test_timelines_are_read_in_the_order_of_their_builds(tmp_path: Path) -> None:
    for name, target, started in (("1", "b:b", 5), ("2", "a:a", 4)):
        document = {
            "target": target,
            "started": started,
            "seconds": 1,
            "has_failed": False,
            "steps": [],
        }
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    for number, text in enumerate(("", "{", "[]", "{}", '{"target": "a", "steps": 1}')):
        (tmp_path / f"damaged{number}.json").write_text(text)
    builds = read_builds(tmp_path, {"a:a": "a reason"})
    assert [(each.target, each.reason) for each in builds] == [("a:a", "a reason"), ("b:b", "")]
    assert read_builds(tmp_path / "nowhere", {}) == ()
