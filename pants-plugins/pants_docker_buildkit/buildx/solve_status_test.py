"""Lines are those of buildx 0.29 with `--progress=rawjson`, shortened."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pants_docker_buildkit.buildx.solve_status import (
    KEPT_BYTES,
    SolveStatus,
    Step,
    StepChange,
    StepNews,
)

STARTED = "2026-11-26T01:22:28.5Z"
COMPLETED = "2026-11-26T01:22:31.75Z"


def vertex(digest: str = "sha256:1", **fields: Any) -> str:
    return json.dumps({"vertexes": [{"digest": digest, "name": "[build 2/3] RUN make", **fields}]})


def log(text: str | bytes, digest: str = "sha256:1", timestamp: str = STARTED) -> str:
    printed = text.encode() if isinstance(text, str) else text
    data = base64.b64encode(printed).decode()
    entry = {"vertex": digest, "stream": 1, "data": data, "timestamp": timestamp}
    return json.dumps({"logs": [entry]})


def read(*lines: str) -> tuple[SolveStatus, list[StepNews]]:
    status = SolveStatus()
    return status, [news for line in lines for news in status.read(line)]


def test_a_step_starts_prints_and_ends() -> None:
    status, news = read(
        vertex(), vertex(started=STARTED), log("hi\n"), vertex(started=STARTED, completed=COMPLETED)
    )
    assert [each.change for each in news] == [
        StepChange.STARTED,
        StepChange.PRINTED,
        StepChange.ENDED,
    ]
    assert news[1].lines == ("hi",)
    step = status.steps["sha256:1"]
    assert (step.title, step.label, step.seconds) == ("[build 2/3] RUN make", "[build 2/3]", 3.25)


def test_a_step_that_starts_again_ends_again() -> None:
    again = {"started": "2026-11-26T01:22:40Z", "completed": "2026-11-26T01:22:42Z"}
    first = vertex(started=STARTED, completed=COMPLETED)
    status, news = read(first, first, vertex(**again), vertex(**again))
    assert [each.change for each in news] == [StepChange.STARTED, StepChange.ENDED] * 2
    assert status.steps["sha256:1"].seconds == 2.0


def test_what_a_step_that_succeeded_printed_is_forgotten() -> None:
    status, _ = read(vertex(started=STARTED), log("hi\n"), vertex(completed=COMPLETED))
    assert not status.steps["sha256:1"].output


def test_a_line_that_comes_in_parts_is_one_line() -> None:
    _, news = read(
        vertex(started=STARTED), log("one\ntw"), log("o\r\nthr"), vertex(completed=COMPLETED)
    )
    printed = [each.lines for each in news if each.change is StepChange.PRINTED]
    assert printed == [("one",), ("two",), ("thr",)]


def test_a_character_that_comes_in_parts_is_one_character() -> None:
    _, news = read(vertex(started=STARTED), log(b"gr\xc3"), log(b"\xb6\xc3\x9fe\n\xff\n"))
    assert news[-1].lines == ("größe", "\ufffd")


def test_a_bar_is_one_line_as_it_was_drawn_last() -> None:
    drawn = ["get\n", "10 %\r", "20 %\r5", "0 %", "\r100 %\r\nno", "t there\r"]
    status, news = read(vertex(started=STARTED))
    step, seen = status.steps["sha256:1"], []
    for each in drawn:
        news += status.read(log(each))
        seen.append(step.last_line)
    assert seen == ["get", "10 %", "5", "50 %", "no", "not there"]
    list(status.read(vertex(completed=COMPLETED, error="x")))
    assert [line for _, line in step.output] == ["get", "100 %", "not there"]


def test_a_bar_without_an_end_does_not_fill_memory() -> None:
    status, _ = read(vertex(started=STARTED), *[log(f"{each} %\r" * 1000) for each in range(100)])
    step = status.steps["sha256:1"]
    assert step.last_line == "99 %"
    assert sum(map(len, step._begun.values())) < 100


def test_a_line_without_an_end_does_not_fill_memory() -> None:
    status, news = read(vertex(started=STARTED), *[log("x" * 10_000)] * 1000)
    assert sum(len(line) for each in news for line in each.lines) > 9_000_000
    assert sum(len(each) for _, each in status.steps["sha256:1"].output) <= KEPT_BYTES


def test_of_a_long_output_the_end_is_kept() -> None:
    text = "x" * 1000 + "\n"
    status, _ = read(vertex(started=STARTED), *[log(text)] * 2000, log("last\n"))
    step = status.steps["sha256:1"]
    kept = sum(len(each) for _, each in step.output)
    assert KEPT_BYTES - 2000 < kept <= KEPT_BYTES
    assert kept + step.dropped == 2_000_004
    assert step.output[-1][1] == "last"


def test_the_step_that_failed_is_not_one_that_was_canceled_for_it() -> None:
    status, _ = read(
        vertex("sha256:1", error="exit code: 3", completed=COMPLETED),
        vertex("sha256:2", error="process did not complete: context canceled"),
    )
    assert status.failed is status.steps["sha256:1"]


def test_a_cache_that_is_not_there_is_not_what_failed() -> None:
    status, _ = read(
        vertex("sha256:1", error="exit code: 3", completed=COMPLETED),
        vertex("sha256:2", name="importing cache", error="not found", completed=COMPLETED),
        "ERROR: failed to build: failed to solve: exit code: 3",
    )
    assert status.failed is status.steps["sha256:1"]


def test_without_another_cause_a_canceled_step_is_the_one_that_failed() -> None:
    status, _ = read(vertex(error="context canceled"))
    assert status.failed is status.steps["sha256:1"]
    assert SolveStatus().failed is None


def test_bytes_that_were_sent_are_counted() -> None:
    sent = {
        "vertex": "sha256:1",
        "name": "transferring",
        "current": 7,
        "id": "transferring context:",
    }
    status, _ = read(
        json.dumps({"statuses": [sent]}), json.dumps({"statuses": [{**sent, "current": 5}]})
    )
    assert status.steps["sha256:1"].transferred == 7


def test_one_line_may_hold_all_of_a_step() -> None:
    """As of a context that is sent within the time between two lines."""
    parts = [
        json.loads(vertex(started=STARTED, completed=COMPLETED)),
        json.loads(log("hi\n")),
        {"statuses": [{"vertex": "sha256:1", "name": "transferring", "current": 7}]},
    ]
    line = json.dumps({kind: entries for part in parts for kind, entries in part.items()})
    seen = [(each.change, each.lines, each.step.transferred) for each in SolveStatus().read(line)]
    assert seen == [
        (StepChange.STARTED, (), 0),
        (StepChange.PRINTED, ("hi",), 7),
        (StepChange.ENDED, (), 7),
    ]


def test_what_buildx_says_in_words_is_kept() -> None:
    status, news = read(vertex(started=STARTED), "ERROR: failed to solve", "{ broken")
    assert status.said == ["ERROR: failed to solve", "{ broken"]
    assert len(news) == 1


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        '{"vertexes": 1}',
        '{"vertexes": [1, null]}',
        '{"vertexes": [{"digest": 1, "name": [], "inputs": null, "started": 5}]}',
        '{"vertexes": [{"digest": "a", "started": "2026-99-99T00:00:00Z"}]}',
        '{"logs": [{"vertex": "a", "data": "%%%", "timestamp": null}]}',
        '{"statuses": [{"name": "transferring", "current": "1"}]}',
        "{" * 50_000,
    ],
)
def test_nonsense_gives_no_error(line: str) -> None:
    status, _ = read(line)
    assert status.failed is None


def test_a_name_of_several_lines_is_shown_on_one_that_is_not_too_long() -> None:
    step = Step("sha256:1", "[1/2] RUN <<EOF (echo\n\x07a…)\n" + "x" * 1000)
    assert "\n" not in step.title
    assert len(step.title) < 130
    assert Step("a", "exporting to image").label == "exporting to image"
