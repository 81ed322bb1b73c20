from __future__ import annotations

import os
from pathlib import Path

import pytest

from pants_docker_buildkit.registry import secret_source
from pants_docker_buildkit.registry.secret_source import (
    InvalidSecretSourceError,
    SecretKind,
    SecretSource,
    SecretUnavailableError,
)

ENVIRONMENT = {"TOKEN": "s3cret", "PATH": "/usr/bin:/bin", "HOME": "/home/me"}


def read(text: str) -> bytes:
    return SecretSource.parse(text).read(ENVIRONMENT)


def finding(text: str) -> str:
    with pytest.raises(SecretUnavailableError) as raised:
        read(text)
    assert "s3cret" not in str(raised.value)
    return raised.value.finding


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("env=TOKEN", b"s3cret"),
        ("command=printf 'a b\\n\\n'", b"a b\n"),
        ("command=printf 'a\\r\\n'", b"a"),
        ("command=sh -c 'echo $TOKEN'", b"s3cret"),
        ("command=printf $TOKEN", b"$TOKEN"),
    ],
)
def test_a_value_is_what_its_source_gives(text: str, value: bytes) -> None:
    assert read(text) == value


def test_a_file_is_read_to_the_byte(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"\0s3cret\n")
    assert read(f"file={file}") == b"\0s3cret\n"
    assert SecretSource.parse("file=token").below(tmp_path).read({}) == b"\0s3cret\n"
    assert SecretSource.parse("file=~/token").below(Path("/")).read({"HOME": str(tmp_path)})


@pytest.mark.parametrize(
    "text", ["", "s3cret", "env=", "file= ", "vault=a", "command='", "ENV=TOKEN", "=a"]
)
def test_what_is_no_source_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(InvalidSecretSourceError) as raised:
        SecretSource.parse(text)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("env=OTHER", "the variable is not set"),
        ("file=/nonexistent/token", "there is no such file"),
        ("file=/", "it is no file"),
        (f"file=/{'n' * 300}", "File name too long"),
        ("file=/dev/null/token", "there is no such file"),
        ("file=/to\0ken", "there is no such file"),
        ("command=sh -c 'echo $TOKEN; exit 3'", "it failed with exit code 3"),
        (
            "command=nonexistent-program",
            "it is not on '[docker-buildkit].executable_search_paths'",
        ),
    ],
)
def test_a_source_without_a_value_says_why(text: str, expected: str) -> None:
    assert finding(text) == expected


def test_a_file_that_only_others_may_read_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").touch()
    # As root, everything may be read.
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert finding(f"file={tmp_path}/token") == "it cannot be read"


def test_a_command_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_source, "_TIMEOUT_SECONDS", 0.2)
    assert finding("command=sleep 60") == "it gave no answer in 0 s"


def test_what_a_command_prints_is_cut_off() -> None:
    assert finding("command=yes") == "it printed more than 1048576 bytes"


def test_a_source_prints_as_it_was_written() -> None:
    for text in ("env=TOKEN", "file=/a b", "command=get 'a b'"):
        assert str(SecretSource.parse(text)) == text
    assert SecretSource.parse("env=TOKEN").variable == "TOKEN"
    assert SecretSource(SecretKind.FILE, "/a").variable is None
