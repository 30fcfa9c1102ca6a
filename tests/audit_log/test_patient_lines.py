"""Connections on which hardly anything comes keep no thread of a web server for themselves."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from audit_log import patient_lines
from audit_log.patient_lines import RATE, Line
from tests.faults.test_canary import alive
from tests.processes import running, wait_for
from tests.tools.test_supervise import free_port

HURRIED = """
from audit_log import patient_lines
patient_lines.READING = 4.0
"""
HEAD = b"POST /account/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Line, socket.socket]]:
    """A connection, and who is at its other end."""
    monkeypatch.setattr(patient_lines, "READING", 1.0)
    monkeypatch.setattr(patient_lines, "WRITING", 1.0)
    ours, theirs = socket.socketpair()
    with Line(fileno=ours.detach()) as line, theirs:
        line.begin()
        yield line, theirs


def test_whoever_sends_nothing_has_gone(lines: tuple[Line, socket.socket]) -> None:
    line, _ = lines
    began = time.monotonic()
    assert line.recv(100) == b""
    assert line.recv(100) == b""
    assert 1 <= time.monotonic() - began < 10


def test_a_byte_now_and_then_is_not_waited_for(lines: tuple[Line, socket.socket]) -> None:
    line, them = lines
    ended = threading.Event()

    def drip() -> None:
        while not ended.wait(0.05):
            them.send(b".")

    dripping = threading.Thread(target=drip)
    dripping.start()
    got = 0
    while got < 100 and line.recv(100):
        got += 1
    ended.set()
    dripping.join()
    assert 1 <= got < 100


def test_whoever_moves_enough_is_waited_for(lines: tuple[Line, socket.socket]) -> None:
    line, them = lines
    piece, pieces = bytes(int(RATE)), 40  # each gives a second back

    def send() -> None:
        for _ in range(pieces):
            time.sleep(0.05)
            them.send(piece)
        them.close()

    sending = threading.Thread(target=send)
    sending.start()
    got = 0
    while came := line.recv(100):
        got += len(came)
    sending.join()
    assert got == pieces * len(piece), "two seconds, of which who sends nothing is given one"


def test_what_we_do_in_between_is_nobodys_waiting(lines: tuple[Line, socket.socket]) -> None:
    line, them = lines
    time.sleep(1.2)
    them.send(b"all of it")
    assert line.recv(100) == b"all of it"


def test_an_answer_that_nobody_fetches_ends(lines: tuple[Line, socket.socket]) -> None:
    line, _ = lines
    with pytest.raises(ConnectionResetError, match="not fetched"):
        line.sendall(bytes(64 * 2**20))


def test_an_answer_arrives_whole(lines: tuple[Line, socket.socket]) -> None:
    line, them = lines
    answer = bytes(range(256)) * 2**14
    sending = threading.Thread(target=line.sendall, args=(answer,))
    sending.start()
    got = bytearray()
    while len(got) < len(answer):
        got += them.recv(2**16)
    sending.join()
    assert bytes(got) == answer


@pytest.mark.processes
@pytest.mark.usefixtures("fresh_db")
@pytest.mark.parametrize("head", [HEAD, HEAD + b"\r\n"], ids=["in the head", "in the body"])
def test_as_many_slow_ones_as_there_are_threads_stop_nobody(tmp_path: Path, head: bytes) -> None:
    hurried, port = tmp_path / "hurried.py", free_port()
    hurried.write_text(HURRIED)
    web = [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}"]
    web += ["--worker-class", "audit_log.patient_lines.Worker", "--no-sendfile", "--threads", "2"]
    web += ["--no-control-socket", "--config", str(hurried)]
    site = f"http://127.0.0.1:{port}"
    with running(web, tmp_path / "web.log"), ExitStack() as slow:
        wait_for(lambda: alive(site), 60, "the web server")
        for _ in range(2):
            line = slow.enter_context(socket.create_connection(("127.0.0.1", port)))
            line.sendall(head)
        time.sleep(0.5)
        with pytest.raises(httpx.TimeoutException):  # both threads wait
            httpx.get(f"{site}/healthz", timeout=0.5)
        assert httpx.get(f"{site}/healthz", timeout=30).status_code == 200
    assert "Traceback" not in (tmp_path / "web.log").read_text()
