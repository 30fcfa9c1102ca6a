"""A line between a browser and a server that can be cut, and counts what the browser sends."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from threading import Thread
from urllib.parse import urlsplit


class Line:
    """Passes everything on; ``cut_at`` bytes from the browser on, all that is open breaks, once.

    The server still reads what was passed on to it, and the line stays down until it has answered: else
    Chromium, which sends a request again by itself when a used connection breaks, can be there before the
    server has begun with the broken one, and which of the two is taken is chance.
    """

    def __init__(self, site: str) -> None:
        found = urlsplit(site)
        self.target = (found.hostname or "", found.port or 0)
        self.door = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://localhost:{self.door.getsockname()[1]}"
        self.sent = 0
        self.cut_at: int | None = None
        self.cuts = 0
        self.open: list[tuple[socket.socket, socket.socket]] = []
        self.answers: list[Thread] = []
        self.broken: list[Thread] = []

    @property
    def down(self) -> bool:
        """Whether the server is still busy with what broke."""
        return any(each.is_alive() for each in self.broken)

    def serve(self) -> None:
        """Until the door is closed."""
        while True:
            try:
                browser, _where = self.door.accept()
            except OSError:
                return
            if self.down:
                browser.close()
                continue
            server = socket.create_connection(self.target)
            self.open.append((browser, server))
            Thread(target=self.pass_on, args=(browser, server, True), daemon=True).start()
            answers = Thread(target=self.pass_on, args=(server, browser, False), daemon=True)
            answers.start()
            self.answers.append(answers)

    def pass_on(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        """One direction of one connection."""
        with suppress(OSError):
            while chunk := source.recv(65536):
                target.sendall(chunk)
                if counted:
                    self.sent += len(chunk)
                    self.cut_if_due()
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def cut_if_due(self) -> None:
        """Break every connection when enough was sent."""
        if self.cut_at is not None and self.sent >= self.cut_at:
            self.cut_at = None
            self.cuts += 1
            self.broken = [*self.answers]
            for browser, server in self.open:
                with suppress(OSError):
                    server.shutdown(socket.SHUT_WR)
                with suppress(OSError):
                    browser.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End everything."""
        with suppress(OSError):
            self.door.shutdown(socket.SHUT_RDWR)
        for each in (self.door, *chain.from_iterable(self.open)):
            each.close()


@contextmanager
def line_to(site: str) -> Iterator[Line]:
    """A line to a site."""
    line = Line(site)
    thread = Thread(target=line.serve, daemon=True)
    thread.start()
    try:
        yield line
    finally:
        line.close()
        thread.join(5)
