from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.session.directory import PROGRESS_FILE
from pants_docker_buildkit.solver.failure import summarize_failure
from pants_docker_buildkit.solver.progress import Progress, ShownProgress, tell

NAME = "[build 2/3] RUN make"


def vertex(second: int | None = None, **fields: Any) -> str:
    times = {} if second is None else {"completed": f"2026-01-01T00:00:{second:02d}Z"}
    started = "2026-01-01T00:00:00Z"
    return json.dumps(
        {"vertexes": [{"digest": "sha256:1", "name": NAME, "started": started, **times, **fields}]}
    )


def log(text: str) -> str:
    data = base64.b64encode(text.encode()).decode()
    timestamp = "2026-01-01T00:00:00.25Z"
    return json.dumps({"logs": [{"vertex": "sha256:1", "data": data, "timestamp": timestamp}]})


def follow(progress: Progress, *lines: str) -> str:
    """What is said of a build whose output is these lines."""
    with tempfile.TemporaryFile() as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
        file.seek(0)
        return progress.follow(file.fileno())


class Shown:
    """A progress whose clock a test sets by what it reads: each line takes `seconds`."""

    def __init__(self, file: Path, shown: ShownProgress, seconds: float = 0.0) -> None:
        self._file = file
        self._times: Iterator[float] = iter(seconds * index for index in range(10_000))
        self.progress = Progress("src/app:image", file, shown, lambda: next(self._times))

    @property
    def lines(self) -> list[str]:
        return self._file.read_text().splitlines() if self._file.exists() else []


FAILED = (
    vertex(),
    log("preparing\n"),
    log("no \x1b[31mlibfoo\n"),
    vertex(2, error="exit code: 3"),
    "Dockerfile:2",
    "   2 | >>> RUN make",
    "ERROR: failed to solve: exit code: 3",
)


def test_of_a_failure_the_step_with_its_output_and_the_end_are_kept(tmp_path: Path) -> None:
    output = follow(Progress("a", tmp_path / "file"), *FAILED)
    assert output.splitlines() == [
        "------",
        f" > {NAME}:",
        "0.250 preparing",
        "0.250 no libfoo",
        "------",
        *FAILED[4:],
    ]


def test_of_a_buildx_that_was_killed_the_step_that_ran_for_longest_is_kept(tmp_path: Path) -> None:
    later = vertex(digest="sha256:2", name="RUN test", started="2026-01-01T00:00:09Z")
    lines = (vertex(), later, log("waiting\n"))
    output = follow(Progress("a", tmp_path / "file"), *lines)
    assert output.splitlines() == ["------", f" > {NAME}:", "0.250 waiting", "------"]
    assert follow(Progress("a", tmp_path / "file"), *lines, "ERROR: no") == "ERROR: no\n"


def test_the_output_of_a_failing_step_is_kept_whole(tmp_path: Path) -> None:
    lines = [log(f"line {number}\n") for number in range(5000)]
    output = follow(Progress("a", tmp_path / "file"), vertex(), *lines, vertex(1, error="x"))
    assert "line 0\n" in output
    assert "line 4999\n" in output


def test_credentials_of_urls_are_left_out(tmp_path: Path) -> None:
    shown = Shown(tmp_path / "file", ShownProgress.PLAIN)
    output = follow(
        shown.progress,
        vertex(name="RUN git clone https://me:s3cret@git.example/a.git"),
        log("cloning https://me:s3cret@git.example/a.git\n"),
        vertex(1, error="x"),
        "ERROR: https://me:s3cret@git.example/a.git",
    )
    assert "s3cret" not in output + "".join(shown.lines)
    assert output.endswith("ERROR: https://***@git.example/a.git\n")
    assert shown.lines[0] == "b src/app:image RUN git clone https://***@git.example/a.git"


@pytest.mark.parametrize("shown", ShownProgress)
def test_a_secret_that_a_step_prints_is_left_out(tmp_path: Path, shown: ShownProgress) -> None:
    path = tmp_path / PROGRESS_FILE
    clock = iter(range(0, 1000, 10)).__next__
    progress = Progress("a:image", path, shown, clock, ["hunter2"])
    printed = (log("hun"), log("ter2\n"), log("x hun\x1b[1mter\x002\n"))
    said = follow(progress, vertex(), *printed, *FAILED[3:])
    assert "0.250 ***\n0.250 x ***\n" in said
    assert not path.exists() or "hunter2" not in path.read_text()


def test_plain_shows_each_step_with_its_output_and_its_target(tmp_path: Path) -> None:
    shown = Shown(tmp_path / "file", ShownProgress.PLAIN)
    follow(shown.progress, vertex(), log("one\n\ntwo\r\n"), vertex(3))
    assert shown.lines == [
        f"b src/app:image {NAME}",
        "b src/app:image [build 2/3] one",
        "b src/app:image [build 2/3] two",
        "b src/app:image [build 2/3] DONE 3.0s",
    ]


def test_quiet_shows_nothing(tmp_path: Path) -> None:
    shown = Shown(tmp_path / "file", ShownProgress.QUIET, seconds=10)
    follow(shown.progress, vertex(), log("one\n"), vertex(30))
    assert shown.lines == []


def test_a_quick_step_is_not_shown(tmp_path: Path) -> None:
    shown = Shown(tmp_path / "file", ShownProgress.AUTO)
    follow(shown.progress, vertex(), log("one\n"), vertex(0))
    assert shown.lines == []


def test_a_step_that_takes_long_is_shown_as_it_starts_prints_and_ends(tmp_path: Path) -> None:
    shown = Shown(tmp_path / "file", ShownProgress.AUTO, seconds=2.5)
    follow(shown.progress, vertex(), log("compiling a\n"), log("compiling b\n"), vertex(8))
    target = "src/app:image"
    assert shown.lines[0] == f"t {target} {NAME}: running"
    assert f"l {target} {NAME}: running" in shown.lines
    assert any(line.startswith(f"t {target} [build 2/3] ") for line in shown.lines)
    assert shown.lines[-1] == f"b {target} {NAME}: done in 8.0 s"


def warning_line(text: str) -> str:
    short = base64.b64encode(text.encode()).decode()
    return json.dumps({"warnings": [{"vertex": "sha256:1", "level": 1, "short": short}]})


@pytest.mark.parametrize("shown", ShownProgress)
def test_warnings_are_shown_once_in_the_end_but_quietly(
    tmp_path: Path, shown: ShownProgress
) -> None:
    text = "InvalidBaseImagePlatform: pulled with linux/arm64, expected linux/amd64 (line 1)"
    warning = warning_line(text)
    view = Shown(tmp_path / PROGRESS_FILE, shown)
    follow(view.progress, warning, warning, vertex(), vertex(1))
    told = [f"b src/app:image warning: {text}"]
    assert view.lines[-1:] == ([] if shown is ShownProgress.QUIET else told)
    assert "".join(view.lines).count(text) == len(view.lines[-1:])


def test_no_warning_is_shown_of_a_default_that_the_build_does_not_use(tmp_path: Path) -> None:
    view = Shown(tmp_path / PROGRESS_FILE, ShownProgress.PLAIN)
    text = "InvalidDefaultArgInFrom: Default value for ARG $BASE results in an empty name (line 2)"
    follow(view.progress, warning_line(text), vertex(), vertex(1))
    assert "InvalidDefault" not in "".join(view.lines)


def test_steps_of_buildkit_itself_are_not_shown(tmp_path: Path) -> None:
    shown = Shown(tmp_path / "file", ShownProgress.AUTO, seconds=10)
    follow(shown.progress, vertex(name="[internal] load build context"), log("a\n"), vertex(50))
    assert shown.lines == []


def test_no_control_character_reaches_a_terminal(tmp_path: Path) -> None:
    shown = Shown(tmp_path / "file", ShownProgress.PLAIN)
    follow(shown.progress, vertex(name="RUN \x1b]0;x\x07a"), log("\x1b[2J\x1b[1;1Hb\x9b\x00\n"))
    text = "\n".join(shown.lines)
    assert all(each.isprintable() for each in text.replace("\n", ""))


@pytest.mark.parametrize("shown", ShownProgress)
def test_each_line_that_is_shown_names_its_target(tmp_path: Path, shown: ShownProgress) -> None:
    """Whatever a step prints: some characters end lines for Python, and not for BuildKit."""
    ends = "".join(map(chr, (0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029)))
    path, clock = tmp_path / PROGRESS_FILE, iter(range(0, 1000, 10)).__next__
    text = "".join(f"{end}b other:image done{end}\n" for end in ends)
    error = "failed\nb other:image done"
    steps = (vertex(name=f"RUN a{ends}b"), log(text), log("more\n"), vertex(9, error=error))
    said = follow(Progress("a:image", path, shown, clock), *steps)
    lines = path.read_bytes().decode().split("\n")[:-1] if path.exists() else []
    assert bool(lines) is (shown is not ShownProgress.QUIET)
    assert all(line.split(" ")[1] == "a:image" for line in lines)
    assert all(end not in line for line in lines for end in ends)
    summary = summarize_failure(said)
    assert summary.count("\n") == said.rstrip("\n").count("\n")


def test_a_bar_is_shown_as_it_is_drawn(tmp_path: Path) -> None:
    shown = Shown(tmp_path / "file", ShownProgress.AUTO, seconds=2.5)
    follow(shown.progress, vertex(), *(log(f"\x1b[2K{each} %\r") for each in range(20)))
    drawn = [line for line in shown.lines if line.endswith(" %")]
    assert len(drawn) > 5
    assert all(line.startswith("t src/app:image [build 2/3] ") for line in drawn)


def test_an_endless_line_does_not_fill_memory(tmp_path: Path) -> None:
    path = tmp_path / "output"
    with path.open("wb") as file:
        file.truncate(50 << 20)
        file.seek(0, os.SEEK_END)
        file.write(b"ERROR: end\n")
    with path.open("rb") as file:
        output = Progress("a", tmp_path / "file").follow(file.fileno())
    assert output.endswith("ERROR: end\n")
    assert len(output) < 3 << 20


@pytest.mark.parametrize("text", ["Booting builder ci (remote)…", "https://me:s3cret@host/x"])
def test_a_line_for_the_user_is_shown_in_any_case(tmp_path: Path, text: str) -> None:
    tell(tmp_path, text)
    assert (tmp_path / PROGRESS_FILE).read_text() == f"b {text.replace('me:s3cret', '***')}\n"


def test_several_builds_show_their_lines_in_one_file(tmp_path: Path) -> None:
    for target in ("a", "b"):
        progress = Progress(target, tmp_path / "file", ShownProgress.PLAIN)
        follow(progress, vertex())
    assert (tmp_path / "file").read_text() == f"b a {NAME}\nb b {NAME}\n"
