"""An upload goes on where it was, against a small tus server that cuts, lies and forgets on purpose."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from consentry_client import (
    Client,
    ConnectionFailed,
    FileChanged,
    Invalid,
    Refused,
    Retries,
    Throttled,
)
from tests.clients.failing_server import listening

RECORDING = UUID(int=9)
QUICK = Retries(first_pause=0.001)
CHUNK = 50_000


@dataclass
class Tus:
    """The server's side: what has come, and what goes wrong at which request."""

    url: str = ""
    length: int = -1
    held: bytearray = field(default_factory=bytearray)
    keys: set[str] = field(default_factory=set)
    metadata: str = ""
    begun: int = 0
    requests: list[str] = field(default_factory=list)
    faults: list[tuple[str, Callable[[Handler], bool]]] = field(default_factory=list)

    def fault(self, method: str, does: Callable[[Handler], bool]) -> None:
        """Let this happen at the next request of a method; it returns whether that answered."""
        self.faults.append((method, does))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    tus: Tus

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a test's output is what failed."""

    def reply(self, status: int, **headers: str) -> bool:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        return True

    def standing(self, status: int, **headers: str) -> bool:
        done = {"Recording_Location": f"{self.tus.url}/api/v1/recordings/{RECORDING}/"}
        held, length = len(self.tus.held), self.tus.length
        return self.reply(
            status,
            Upload_Offset=str(held),
            **headers,
            **(done if held == length else {}),
        )

    def answer(self) -> None:
        tus = self.tus
        tus.requests.append(self.command)
        assert self.headers["Tus-Resumable"] == "1.0.0"
        for number, (method, does) in enumerate(tus.faults):
            if method == self.command:
                del tus.faults[number]
                if does(self):
                    return
                break
        getattr(self, f"on_{self.command}")()

    def on_POST(self) -> None:
        self.tus.keys.add(self.headers["Idempotency-Key"])
        self.tus.begun += 1
        self.tus.length = int(self.headers["Upload-Length"])
        self.tus.metadata = self.headers["Upload-Metadata"]
        self.standing(201, Location=f"{self.tus.url}/api/v1/uploads/{UUID(int=5)}/")

    def on_HEAD(self) -> None:
        self.standing(200, Upload_Length=str(self.tus.length))

    def on_DELETE(self) -> None:
        self.tus.held.clear()
        self.reply(204)

    def on_PATCH(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if int(self.headers["Upload-Offset"]) != len(self.tus.held):
            self.reply(409)
            return
        kind, _space, digest = self.headers["Upload-Checksum"].partition(" ")
        assert kind == "sha256"
        if base64.b64decode(digest) != hashlib.sha256(body).digest():
            self.reply(460)
            return
        self.tus.held += body
        self.standing(204)

    do_GET = do_POST = do_PATCH = do_DELETE = do_HEAD = answer


def cut(handler: Handler) -> bool:
    """Read a part of the body and hang up; nothing of it is kept, as the checksum was not compared."""
    handler.rfile.read(1000)
    handler.connection.close()
    handler.close_connection = True
    return True


def take_and_hang_up(handler: Handler) -> bool:
    """Take the piece, and let the answer be lost."""
    handler.tus.held += handler.rfile.read(int(handler.headers["Content-Length"]))
    handler.connection.close()
    handler.close_connection = True
    return True


def refuse(status: int, **headers: str) -> Callable[[Handler], bool]:
    def does(handler: Handler) -> bool:
        handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        return handler.reply(status, **headers)

    return does


@contextmanager
def tus_server() -> Iterator[Tus]:
    tus = Tus()
    made = type("Bound", (Handler,), {"tus": tus})
    with listening(made) as tus.url:
        yield tus


@pytest.fixture
def tus() -> Iterator[Tus]:
    with tus_server() as running:
        yield running


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "P-001 Anna.mp4"
    path.write_bytes(secrets.token_bytes(3 * CHUNK + 7))
    return path


@pytest.fixture
def client(tus: Tus) -> Iterator[Client]:
    with Client(tus.url, "cns_a_b", retries=QUICK) as made:
        yield made


def send(client: Client, film: Path, **options: Any) -> UUID:
    return client.upload_resumable(
        film, subject="P-001", purpose=UUID(int=3), chunk_size=CHUNK, **options
    )


def test_it_comes_in_pieces(tus: Tus, client: Client, film: Path) -> None:
    seen: list[int] = []
    begun: list[str] = []
    found = send(client, film, begun=begun.append, progress=lambda sent, _all: seen.append(sent))
    assert found == RECORDING
    assert tus.held == film.read_bytes()
    assert tus.requests == ["POST", "PATCH", "PATCH", "PATCH", "PATCH"]
    assert begun == [f"/api/v1/uploads/{UUID(int=5)}/"]
    assert seen == sorted(seen)
    assert seen[-1] == film.stat().st_size
    assert "subject UC0wMDE=" in tus.metadata
    assert "Anna" not in tus.metadata


@pytest.mark.parametrize(
    "fault",
    [
        cut,
        take_and_hang_up,
        refuse(409),
        refuse(423),
        refuse(460),
        refuse(503),
        refuse(503, Retry_After="0"),
        refuse(429),
    ],
)
def test_after_a_failure_it_goes_on_where_the_server_is(
    tus: Tus, client: Client, film: Path, fault: Callable[[Handler], bool]
) -> None:
    tus.fault("PATCH", lambda _handler: False)  # the first piece goes well
    tus.fault("PATCH", fault)
    assert send(client, film) == RECORDING
    assert tus.held == film.read_bytes()
    assert tus.begun == 1


def test_the_last_answer_may_be_lost_too(tus: Tus, client: Client, film: Path) -> None:
    for _each in range(3):
        tus.fault("PATCH", lambda _handler: False)
    tus.fault("PATCH", take_and_hang_up)
    assert send(client, film) == RECORDING
    assert tus.requests[-1] == "HEAD"


def test_a_later_run_goes_on(tus: Tus, client: Client, film: Path) -> None:
    begun: list[str] = []
    tus.fault("PATCH", lambda _handler: False)
    tus.fault("PATCH", refuse(403))
    with pytest.raises(Refused):
        send(client, film, begun=begun.append)
    assert len(tus.held) == CHUNK
    tus.requests.clear()
    assert send(client, film, resume=begun[0]) == RECORDING
    assert tus.requests == ["HEAD", "PATCH", "PATCH", "PATCH"]
    assert tus.held == film.read_bytes()


def test_a_forgotten_upload_begins_anew(tus: Tus, client: Client, film: Path) -> None:
    tus.fault("HEAD", refuse(404))
    assert send(client, film, resume=f"/api/v1/uploads/{UUID(int=4)}/") == RECORDING
    assert tus.begun == 1


def test_an_expired_upload_is_ended_and_begun_anew_once(
    tus: Tus, client: Client, film: Path
) -> None:
    tus.fault("PATCH", refuse(410))
    assert send(client, film) == RECORDING
    assert tus.requests[:4] == ["POST", "PATCH", "DELETE", "POST"]


def test_another_file_does_not_go_on_with_it(tus: Tus, client: Client, film: Path) -> None:
    tus.fault("PATCH", refuse(403))
    with pytest.raises(Refused):
        send(client, film)
    film.write_bytes(b"another file")
    with pytest.raises(FileChanged):
        send(client, film, resume=f"/api/v1/uploads/{UUID(int=5)}/")


def test_a_refusal_is_final(tus: Tus, client: Client, film: Path) -> None:
    tus.fault("PATCH", refuse(415))
    with pytest.raises(Invalid):
        send(client, film)
    assert tus.requests == ["POST", "PATCH"]


def test_it_gives_up(tus: Tus, client: Client, film: Path) -> None:
    for _each in range(50):
        tus.fault("PATCH", cut)
    with pytest.raises(ConnectionFailed):
        send(client, film)
    assert tus.requests.count("PATCH") == QUICK.tries


def test_it_waits_no_longer_than_is_patient(tus: Tus, client: Client, film: Path) -> None:
    tus.fault("PATCH", refuse(429, Retry_After="3600"))
    with pytest.raises(Throttled):
        send(client, film)
