"""The witness over HTTP: one address, served by gunicorn. No Django."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any

from gunicorn.app.base import BaseApplication

from audit_log.witness import Answer, Witness

MOST_BYTES = 128 * 1024  # of a request: 63 hashes and a note with many signatures
Environ = MutableMapping[str, Any]
Start = Callable[[str, Iterable[tuple[str, str]]], None]
Application = Callable[[Environ, Start], Iterable[bytes]]


def application(witness: Witness) -> Application:
    """The WSGI application of a witness."""

    def serve(environ: Environ, start: Start) -> Iterable[bytes]:
        answer = answer_to(witness, environ)
        body = answer.body.encode()
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(body)))]
        start(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [body]

    return serve


def answer_to(witness: Witness, environ: Environ) -> Answer:
    """The answer to one request."""
    if environ["PATH_INFO"] != "/add-checkpoint":
        return Answer(404, "A witness answers at /add-checkpoint only.\n")
    if environ["REQUEST_METHOD"] != "POST":
        return Answer(405, "Expected POST.\n")
    length = environ.get("CONTENT_LENGTH") or ""
    if not length.isdecimal():
        return Answer(411, "Expected a Content-Length.\n")
    if int(length) > MOST_BYTES:
        return Answer(413, f"Expected at most {MOST_BYTES} bytes.\n")
    return witness.add_checkpoint(environ["wsgi.input"].read(int(length)))


class Server(BaseApplication):
    """Serves a witness until it is told to stop."""

    def __init__(self, witness: Witness, bind: str) -> None:
        self.witness = witness
        self.bind = bind
        super().__init__()

    def load_config(self) -> None:
        """One process with a few threads: a witness is asked every few seconds."""
        for name, value in {
            "bind": self.bind,
            "worker_class": "audit_log.patient_lines.Worker",
            "threads": 4,
            "sendfile": False,
            "proc_name": "consentry-witness",
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Application:
        """The application that gunicorn calls."""
        return application(self.witness)
