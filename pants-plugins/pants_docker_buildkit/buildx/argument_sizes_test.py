from __future__ import annotations

import subprocess
import sys

import pytest

from pants_docker_buildkit.buildx.argument_sizes import (
    MAX_ARGUMENT,
    ArgumentTooLongError,
    check_argument_sizes,
)


def test_the_argument_that_is_too_long_is_named_without_its_value() -> None:
    label = f"org.example.notes={'ü' * MAX_ARGUMENT}"
    with pytest.raises(ArgumentTooLongError) as raised:
        check_argument_sizes(["buildx", "build", "--label", "a=b", "--label", label, "context"])
    assert str(raised.value) == (
        "Each argument of buildx must have at most 131071 bytes, but that of"
        f" '--label org.example.notes=…' has {len(label.encode())}. Put what is so long into a file"
        " of the image."
    )


def test_an_argument_without_a_name_is_cut_off() -> None:
    with pytest.raises(ArgumentTooLongError, match=r"of '--platform x{100}…' has 131072"):
        check_argument_sizes(["--platform", "x" * (MAX_ARGUMENT + 1)])


def test_what_is_let_through_runs() -> None:
    longest = "x" * MAX_ARGUMENT
    check_argument_sizes([longest])
    program = "import sys; print(len(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, longest], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{MAX_ARGUMENT}\n"
