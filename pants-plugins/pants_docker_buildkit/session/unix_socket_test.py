from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.session import unix_socket
from pants_docker_buildkit.session.testing.open_files import no_more_files
from pants_docker_buildkit.session.unix_socket import (
    SOCKET_NAME,
    NoSessionError,
    SessionProblemError,
    SessionServer,
    ask_session,
)
from pants_docker_buildkit.testing.processes import SOON
from pants_docker_buildkit.testing.threads import no_thread_at_first


def answer(question: Sequence[str]) -> Any:
    if question[0] == "problem":
        raise SessionProblemError("because")
    if question[0] == "fault":
        raise OverflowError("port must be 0-65535.")
    return {"known": question[0]}[question[0]] and list(question)


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """The directory of a session, by a path that is longer than any socket's may be."""
    directory = tmp_path / ("long" * 40)
    directory.mkdir(mode=0o700)
    SessionServer(directory, answer).start()
    return directory


def test_a_question_gets_its_answer(session: Path) -> None:
    assert ask_session(session, "known", 'ü "\n') == ["known", 'ü "\n']


def test_no_temporary_directory_is_needed(session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", f"/nonexistent/{'long' * 40}")
    assert ask_session(session, "known") == ["known"]


def test_proc_may_be_that_of_a_host(session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As after `unshare --pid --fork`, which leaves `/proc` as it is.
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert ask_session(session, "known") == ["known"]


def test_where_there_is_no_proc_a_link_is_made_and_removed(
    session: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = tmp_path / "tmp"
    links.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(links))
    monkeypatch.setattr(unix_socket, "_PROC", tmp_path / "none")
    assert ask_session(session, "known") == ["known"]
    assert list(links.iterdir()) == []


def test_a_problem_is_told_in_its_words(session: Path) -> None:
    with pytest.raises(SessionProblemError, match=r"^because$"):
        ask_session(session, "problem")


def test_a_fault_of_the_session_is_not_taken_for_none(session: Path) -> None:
    with pytest.raises(SessionProblemError, match=r"^OverflowError: port must be 0-65535\.$"):
        ask_session(session, "fault")


@pytest.mark.parametrize("question", [("unknown",), ()])
def test_a_session_that_does_not_know_is_as_none(session: Path, question: tuple[str, ...]) -> None:
    with pytest.raises(NoSessionError):
        ask_session(session, *question)


def test_no_session_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(NoSessionError):
        ask_session(tmp_path, "known")


def test_who_asks_nonsense_or_hangs_up_ends_nothing(session: Path, tmp_path: Path) -> None:
    (tmp_path / "s").symlink_to(session)
    for sent in (b"", b"{", b"5\n", b"[[]]\n"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(tmp_path / "s" / SOCKET_NAME))
            connection.sendall(sent)
    assert ask_session(session, "known") == ["known"]


def test_many_may_ask_at_once(session: Path) -> None:
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(ask_session(session, "known")))
        for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [["known"]] * 50


def test_who_asks_while_no_more_files_may_be_open_waits(tmp_path: Path) -> None:
    SessionServer(tmp_path, answer).start()
    with socket.socket(socket.AF_UNIX) as connection:
        with no_more_files():
            connection.connect(str(tmp_path / SOCKET_NAME))
            # So long the server tries in vain.
            time.sleep(0.3)
        connection.sendall(b'["known"]\n')
        assert connection.recv(100) == b'{"answer": ["known"]}\n'
    assert ask_session(tmp_path, "known") == ["known"]


def test_who_asks_while_no_more_threads_may_run_waits(
    session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with no_thread_at_first(monkeypatch):
        assert ask_session(session, "known") == ["known"]


def test_a_session_whose_directory_is_another_ones_answers_no_more(
    session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unix_socket, "_SECONDS_BETWEEN_LOOKS", 0.01)
    shutil.rmtree(session)
    session.mkdir()
    SessionServer(session, lambda _: "another").start()
    assert ask_session(session, "known") == "another"


def test_a_server_ends_with_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unix_socket, "_SECONDS_BETWEEN_LOOKS", 0.01)
    directory = tmp_path / "session"
    directory.mkdir()
    before = set(threading.enumerate())
    SessionServer(directory, answer).start()
    (server,) = {*threading.enumerate()} - before
    shutil.rmtree(directory)
    server.join(SOON)
    assert not server.is_alive()
