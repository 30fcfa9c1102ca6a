"""A recipient of webhooks for tests: a real HTTP server here, with a check of signatures of its own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """Answers with the statuses of ``answers`` in turn, the last one for ever; keeps what it gets."""

    def __init__(self, *answers: int, location: str = "") -> None:
        self.answers, self.location = list(answers or [204]), location
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.connections = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.received.append((headers | {":path": self.path}, body))
                left = outer.answers
                self.send_response(left.pop(0) if len(left) > 1 else left[0])
                if outer.location:
                    self.send_header("Location", outer.location)
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def verify_request(self, *_args: Any) -> bool:
                outer.connections += 1
                return True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/hooks?lab=1"

    @property
    def ids(self) -> list[str]:
        """The ids of what came, in its order."""
        return [headers["webhook-id"] for headers, _body in self.received]

    @property
    def events(self) -> list[dict[str, Any]]:
        """What came, in its order."""
        return [json.loads(body) for _headers, body in self.received]


@contextmanager
def receiver(settings: Any, *answers: int, location: str = "") -> Iterator[Receiver]:
    """A running recipient that the installation may reach."""
    settings.WEBHOOK_PRIVATE_HOSTS = ["localhost"]
    made = Receiver(*answers, location=location)
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()


def is_signed(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Whether one of the signatures was made with this secret, computed from the standard's words."""
    key = base64.b64decode(secret.split("_", 1)[1])
    text = (
        headers["webhook-id"].encode() + b"." + headers["webhook-timestamp"].encode() + b"." + body
    )
    right = "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return right in headers["webhook-signature"].split(" ")
