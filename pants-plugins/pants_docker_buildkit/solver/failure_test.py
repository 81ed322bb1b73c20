"""The outputs are those of buildx 0.29, shortened."""

from __future__ import annotations

import pytest

from pants_docker_buildkit.solver.failure import fit_to_print, summarize_failure

START = """\
#0 building with "default" instance using docker driver

#1 [internal] load build definition from Dockerfile
#1 DONE 0.1s
"""
FAILED_RUN = """\
#6 [build 3/3] RUN make
#6 0.373 preparing
#6 0.389 cannot find libfoo
#6 ERROR: process "/bin/sh -c make" did not complete successfully: exit code: 3
------
 > [build 3/3] RUN make:
0.373 preparing
0.389 cannot find libfoo
------
Dockerfile:4
--------------------
   3 |     COPY src /src
   4 | >>> RUN make
   5 |     FROM build AS release
--------------------
ERROR: failed to build: failed to solve: process "/bin/sh -c make" did not complete: exit code: 3

View build details: docker-desktop://dashboard/build/default/default/x
"""
NO_STEP = """\
ERROR: failed to build: failed to solve: target stage "nope" could not be found
"""


def test_a_failed_step_is_shown_with_its_output_its_line_and_the_error() -> None:
    summary = summarize_failure(START + FAILED_RUN)
    assert summary.splitlines()[:2] == ["------", " > [build 3/3] RUN make:"]
    assert "0.389 cannot find libfoo" in summary
    assert "   4 | >>> RUN make" in summary
    assert summary.splitlines()[-1].endswith("exit code: 3")


def test_what_went_well_is_not_shown() -> None:
    assert "load build definition" not in summarize_failure(START + FAILED_RUN)


def test_addresses_of_other_programs_are_left_out() -> None:
    assert "docker-desktop" not in summarize_failure(START + FAILED_RUN)


def test_of_several_failed_steps_the_last_is_shown() -> None:
    earlier = FAILED_RUN.replace("libfoo", "libbar").partition("ERROR: failed")[0]
    assert (
        "libbar" not in summarize_failure(START + earlier + FAILED_RUN).partition("Dockerfile")[2]
    )


def test_without_a_failed_step_the_last_lines_are_shown() -> None:
    summary = summarize_failure(START + NO_STEP)
    assert summary.endswith('target stage "nope" could not be found')


def test_a_long_output_without_a_failed_step_is_cut_to_its_end() -> None:
    noise = "".join(f"#7 {index}\n" for index in range(1000))
    summary = summarize_failure(noise + NO_STEP)
    assert len(summary.splitlines()) <= 30
    assert summary.endswith("could not be found")


def test_no_output_gives_no_lines() -> None:
    assert summarize_failure("") == ""


@pytest.mark.parametrize("exit_code", [-9, 137], ids=["itself", "behind a shell"])
def test_a_killed_buildx_is_said_to_be_killed(exit_code: int) -> None:
    assert "buildx was killed (SIGKILL)" in summarize_failure("", exit_code)
    summary = summarize_failure(START, exit_code)
    assert summary.startswith(START.splitlines()[0])
    assert "buildx was killed (SIGKILL)" in summary.splitlines()[-1]


def test_of_a_buildx_that_crashed_the_reason_is_shown_and_not_the_stacks() -> None:
    stacks = "goroutine 0 gp=0x473c300 m=0 mp=0x473d740 [idle]:\n" + "frame\n\n" * 100
    reason = "runtime/cgo: pthread_create failed: Resource temporarily unavailable"
    summary = summarize_failure(f"{START}\n{reason}\nSIGABRT: abort\n\n{stacks}gs     0x0\n", 2)
    assert summary.startswith(f"buildx crashed ({reason}; SIGABRT: abort). Run this again, and")
    assert len(summary.splitlines()) == 1


@pytest.mark.parametrize("exit_code", [0, 1, 17, 255])
def test_an_ordinary_exit_code_is_not_mentioned(exit_code: int) -> None:
    assert summarize_failure("", exit_code) == ""


def test_output_of_a_build_does_not_reach_into_the_terminal() -> None:
    output = "ERROR: \x1b]52;c;cm0gLXJm\x07 \x1b[2Jno\x9b1m\n"
    assert summarize_failure(output) == "ERROR:  no"


def test_nothing_that_is_printed_moves_a_cursor_or_signs_a_url() -> None:
    text = "a\x1b[2Jb\x9b31mc\x07\r\nERROR: https://host/x?sig=s3cret\x1b]0;title\x07\n"
    assert fit_to_print(text) == "abc\nERROR: https://host/x?***"


def test_no_control_character_is_left() -> None:
    every = "".join(map(chr, range(0x100)))
    printed = fit_to_print(every)
    controls = {each for each in printed if ord(each) < 0x20 or 0x7F <= ord(each) < 0xA0}
    assert controls <= {"\n"}
