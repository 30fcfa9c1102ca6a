"""A web server on a free port, over the databases of the running test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.db import connections


class QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a test's output is what failed."""


class Server(ThreadedWSGIServer):
    daemon_threads = True

    def close_request(self, request: Any) -> None:
        """Connections belong to the thread of one request; a test's databases go when it ends."""
        super().close_request(request)
        connections.close_all()


@contextmanager
def serving() -> Iterator[str]:
    """Serve the installation; yields its address, at ``localhost`` because passkeys need a name."""
    server = Server(("127.0.0.1", 0), QuietHandler)
    server.set_app(StaticFilesHandler(WSGIHandler()))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
