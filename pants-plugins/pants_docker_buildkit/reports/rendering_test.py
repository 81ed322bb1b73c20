from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pants_docker_buildkit.reports.rendering import (
    RENDERERS,
    duration,
    size,
    to_html,
    to_markdown,
    to_trace_events,
)
from pants_docker_buildkit.reports.timeline import PlatformSizes, TimedBuild, TimedStep, read_builds

HOSTILE = "<script>`|\"'</script>"
STEPS = (
    TimedStep("[1/2] FROM a", 100.0, 2.0, is_cached=False, has_failed=False, sent=2_000_000),
    TimedStep("[other 1/1] RUN b", 101.0, 3.0, is_cached=False, has_failed=True, sent=0),
    TimedStep(f"[2/2] RUN {HOSTILE}", 102.0, 0.0, is_cached=True, has_failed=False, sent=0),
)
BUILD = TimedBuild("a:a", 100.0, 10.0, True, STEPS, f"{HOSTILE} changed")
SIZES = (PlatformSizes("linux/amd64", (1000, 500)), PlatformSizes("linux/arm64", (2,)))
OTHER = TimedBuild("b:b", 105.0, 15.0, False, (), waited=2.5, sizes=SIZES)
CANCELED = TimedBuild("c:c", 105.0, 15.0, False, (), was_canceled=True)


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
    assert "1 image built and 1 failed in 20 s" in page.text
    assert HOSTILE in page.text
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert "src" not in {name for name, _ in page.attributes}
    # What failed is named at the top, with where it is on the page.
    assert [value for name, value in page.attributes if name == "href"] == ["#image0"]
    styles = [value or "" for name, value in page.attributes if name == "style"]
    assert "left:5.00%;width:15.00%" in styles
    # The second image waits from 102.5 on, and the axis is 20 s long.
    assert "left:12.50%;width:12.50%" in styles
    titles = [value for name, value in page.attributes if name == "title"]
    assert "linux/amd64: 1.0 kB + 500 B; linux/arm64: 2 B" in titles


@pytest.mark.parametrize(
    ("span", "labels"),
    [
        (0.0, ["0 s"]),
        (7.0, ["0 s", "1 s", "2 s", "3 s", "4 s", "5 s", "6 s", "7 s"]),
        (26.2, ["0 s", "5 s", "10 s", "15 s", "20 s", "25 s"]),
        (150.0, ["0 s", "20 s", "40 s", "1 min", "1:20 min", "1:40 min", "2 min", "2:20 min"]),
        (600.0, ["0 s", "2 min", "4 min", "6 min", "8 min", "10 min"]),
        (9000.0, ["0 s", "30 min", "60 min", "90 min", "120 min", "150 min"]),
        (90_000.0, [f"{240 * each} min" if each else "0 s" for each in range(7)]),
    ],
)
def test_the_axis_has_round_times(span: float, labels: list[str]) -> None:
    build = replace(OTHER, started=0.0, seconds=span, waited=0.0)
    page = to_html((build,))
    axis = page[page.index("<div class=axis>") : page.index("<details")]
    assert re.findall(">([^<>\n]+)</span>", axis) == labels


def test_of_many_images_only_failed_ones_are_unfolded() -> None:
    many = (BUILD, *(replace(OTHER, target=f"{number}:b") for number in range(30)))
    assert sum(name == "open" for name, _ in Page(to_html(many)).attributes) == 1
    assert sum(name == "open" for name, _ in Page(to_html(many[:3])).attributes) == 3


@pytest.mark.parametrize(
    ("builds", "title"),
    [
        ((), "0 images built in 0.0 s"),
        ((CANCELED,), "0 images built and 1 canceled in 15 s"),
        ((BUILD, OTHER, CANCELED), "1 image built, 1 failed and 1 canceled in 20 s"),
    ],
)
def test_what_was_canceled_is_no_image_and_no_failure(
    builds: tuple[TimedBuild, ...], title: str
) -> None:
    page = Page(to_html(builds))
    assert title in page.text
    assert ("canceled after 15 s" in page.text) is (CANCELED in builds)
    markdown = to_markdown(builds)
    assert ("| c:c (canceled) |" in markdown) is (CANCELED in builds)
    events = json.loads(to_trace_events(builds))["traceEvents"]
    canceled = [each["name"] for each in events if each["args"].get("canceled")]
    assert canceled == [each.target for each in builds if each is CANCELED]


def test_trace_events_have_a_process_for_each_image() -> None:
    events = json.loads(to_trace_events((BUILD, OTHER)))["traceEvents"]
    names = [each["args"]["name"] for each in events if each["name"] == "process_name"]
    assert names == ["a:a", "b:b"]
    (other,) = [each for each in events if each["name"] == "b:b" and each["ph"] == "X"]
    assert other["args"]["seconds waited"] == 2.5
    assert other["args"]["bytes of layers"] == {"linux/amd64": [1000, 500], "linux/arm64": [2]}
    (waiting,) = [each for each in events if each["name"] == "waiting"]
    assert (waiting["ts"], waiting["dur"]) == (102_500_000, 2_500_000)
    (step,) = [each for each in events if each["name"] == "[other 1/1] RUN b"]
    assert (step["ts"], step["dur"], step["args"]["failed"]) == (101_000_000, 3_000_000, True)


def check_trace(text: str) -> dict[str, list[str]]:
    """Read a trace as strictly as Perfetto's importer of JSON may. Gives the names of its slices.

    That drops what is not as here without a word (google/perfetto,
    `src/trace_processor/importers/json` and `importers/common/{process,slice}_tracker.cc`).
    """
    document = json.loads(text)
    assert document.keys() == {"traceEvents", "displayTimeUnit"}
    assert document["displayTimeUnit"] in ("ms", "ns")
    process_of: dict[int, int] = {}
    named: dict[tuple[str, int], str] = {}
    open_until: dict[int, list[int]] = {}
    last: dict[int, int] = {}
    slices: dict[str, list[str]] = {}
    for event in document["traceEvents"]:
        pid, tid = event["pid"], event["tid"]
        assert all(type(each) is int and 0 < each < 1 << 32 for each in (pid, tid))
        # A thread is known by its number alone.
        assert process_of.setdefault(tid, pid) == pid
        assert isinstance(event["name"], str)
        assert event["name"]
        if event["ph"] == "M":
            key = (event["name"], pid if event["name"] == "process_name" else tid)
            assert key[0] in ("process_name", "thread_name")
            assert key not in named
            assert event.keys() == {"ph", "name", "pid", "tid", "args"}
            named[key] = event["args"]["name"]
            assert named[key]
            continue
        assert event["ph"] == "X"
        begin, duration_ = event["ts"], event["dur"]
        # Microseconds, which become nanoseconds in 64 bits.
        assert type(begin) is int
        assert type(duration_) is int
        assert 0 <= begin <= begin + duration_ < (1 << 63) // 1000
        assert begin >= last.setdefault(tid, begin)
        last[tid] = begin
        stack = open_until.setdefault(tid, [])
        while stack and stack[-1] <= begin:
            stack.pop()
        assert not stack or begin + duration_ <= stack[-1], "it overlaps the one before"
        stack.append(begin + duration_)
        assert {("process_name", pid), ("thread_name", tid), ("thread_name", pid)} <= named.keys()
        slices.setdefault(named["process_name", pid], []).append(event["name"])
    return slices


def test_a_trace_is_as_perfetto_reads_it() -> None:
    many = tuple(replace(OTHER, target=f"{number}:b") for number in range(30))
    slices = check_trace(to_trace_events((BUILD, OTHER, CANCELED, *many)))
    assert slices["a:a"] == ["a:a", *(STEPS[each].name for each in (0, 2, 1))]
    assert slices["b:b"] == ["waiting", "b:b"]
    assert slices["c:c"] == ["c:c"]
    assert len(slices) == 33
    assert check_trace(to_trace_events(())) == {}


def test_no_event_of_a_trace_begins_before_the_last_in_its_track_has_ended() -> None:
    for number in range(50):
        started = 1_795_711_617.053272 + number * 0.37e-6
        steps = tuple(
            TimedStep(f"{each}", started + each / 3, 1 / 3, False, False, 0) for each in range(20)
        )
        late = replace(BUILD, started=started, waited=6.4335917 + number / 3e6, steps=steps)
        check_trace(to_trace_events((late,)))


def test_markdown_has_a_line_for_each_image_and_the_slowest_steps() -> None:
    lines = to_markdown((BUILD, OTHER)).splitlines()
    assert lines[0] == "**1 image built and 1 failed in 20 s**"
    assert to_markdown((OTHER,)).startswith("**1 image built in 18 s**\n")
    assert lines[4].startswith("| a:a (failed) | \\<script\\>\\`\\|")
    assert lines[4].endswith("| 0.0 | 10.0 | 3 | 1 | 2.0 MB |  |")
    assert lines[5].endswith("| 2.5 | 15.0 | 0 | 0 | 0 B | linux/amd64 1.5 kB, linux/arm64 2 B |")
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
    builds = read_builds(tmp_path, {"a:a": "a reason"}, {"a:a": 1.5})
    assert [(each.target, each.reason) for each in builds] == [("a:a", "a reason"), ("b:b", "")]
    # Of the other it is not known when it was asked for.
    assert [each.waited for each in builds] == [2.5, 0.0]
    assert read_builds(tmp_path / "nowhere", {}, {}) == ()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (7260.0, "2 h 1 min")],
)
def test_durations_are_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
