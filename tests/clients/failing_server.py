"""A small HTTP server that answers as it was told to, and writes down what it was asked."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """What to answer: bytes as they are, all else as JSON; ``hang_up`` cuts the connection instead."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False


PURPOSE = "0199f000-0000-7000-8000-000000000001"
LIMIT = {"quota": 1, "window": 1, "left": 1, "reset": 1}
ME = {
    "id": PURPOSE,
    "name": "lab",
    "purpose": PURPOSE,
    "scopes": [],
    "networks": [],
    "created_at": "2026-11-23T00:09:48Z",
    "expires_at": "2026-12-23T00:09:48Z",
    "limits": {
        "requests": LIMIT,
        "analyses": LIMIT,
        "uploads_at_once": 1,
        "uploads_per_subject_and_hour": 1,
        "photograph_bytes": 1,
        "film_bytes": 1,
    },
}
"""What ``GET client/`` answers to the key of a program."""


def problem(status: int, code: str, **headers: str) -> Reply:
    body = {"title": code, "status": status, "code": code, "detail": "As the test wants it."}
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, body, named)


@dataclass
class Failing:
    """The server: ``replies`` are given one after the other, the last of them for ever.

    With ``by`` it is asked what to answer, after what was asked.
    """

    url: str = ""
    replies: list[Reply] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    by: Callable[[Asked], Reply] | None = None

    def will(self, *replies: Reply) -> None:
        self.replies[:] = replies

    def reply_to(self, asked: Asked) -> Reply:
        if self.by is not None:
            return self.by(asked)
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


def handler_of(server: Failing) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: a test's output is what failed."""

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): text for name, text in self.headers.items()}
            asked = Asked(self.command, self.path, headers, body)
            server.asked.append(asked)
            reply = server.reply_to(asked)
            if reply.hang_up:
                # Without a word and without a proper end.
                self.connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                self.close_connection = True
                self.connection.close()
                return
            content = b"" if reply.body is None else reply.body
            if not isinstance(content, bytes):
                content = json.dumps(content).encode()
            self.send_response(reply.status)
            for name, text in reply.headers.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = do_HEAD = answer

    return Handler


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server in a thread of its own, on a port that was free: its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def failing_server() -> Iterator[Failing]:
    made = Failing()
    with listening(handler_of(made)) as made.url:
        yield made
