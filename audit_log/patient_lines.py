"""gunicorn's threads, which wait for nobody without an end: its ``--worker-class`` is ``Worker``.

For the web server and for a witness. A thread that reads from a connection, or writes to it, serves
nobody else meanwhile, and there are a few of them only: a handful of connections on which a byte comes
now and then would stop the whole site, and need no account for it. So each request has its patience, and
gains more by what it moves.
"""

from __future__ import annotations

import errno
import select
import socket
import time
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

READING = 20.0
"""Seconds that we wait for a request at most, besides what ``RATE`` gives back."""
WRITING = 120.0
"""The same for the answer: somebody who looks at a film may stop it for a moment."""
RATE = 1024.0
"""Bytes a second that give a second back. A third of what the slowest telephones move."""


class Line(socket.socket):
    """A connection that ends when the other side keeps a thread waiting.

    Only waiting counts, not what we do in between. A request that comes too slowly ends where it is, as
    if the other side had gone; an answer that is not fetched ends in ConnectionResetError.
    """

    def begin(self) -> None:
        """Another request: what was waited for the last one is forgotten."""
        self.most = {select.POLLIN: READING, select.POLLOUT: WRITING}
        self.patience = dict(self.most)

    def is_ready(self, event: int) -> bool:
        """Wait for the other side as long as its patience lasts."""
        began, line = time.monotonic(), select.poll()
        line.register(self, event)
        ready = line.poll(max(self.patience[event], 0) * 1000)
        self.patience[event] -= time.monotonic() - began
        return bool(ready)

    def moved(self, event: int, count: int) -> None:
        """Give patience back for so many bytes; no more than there was, or a full buffer buys hours."""
        self.patience[event] = min(self.patience[event] + count / RATE, self.most[event])

    def recv(self, size: int, flags: int = 0) -> bytes:
        """What came, as the base class gives it; nothing, as if they had gone, when patience ends."""
        if self.gettimeout() is not None:  # gunicorn waits itself, and not for long
            return super().recv(size, flags)
        if not self.is_ready(select.POLLIN):
            return b""
        came = super().recv(size, flags)
        self.moved(select.POLLIN, len(came))
        return came

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of it. Raises ConnectionResetError when patience ends before."""
        left = memoryview(data)
        while left:
            if not self.is_ready(select.POLLOUT):
                raise ConnectionResetError(errno.ECONNRESET, "the answer is not fetched")
            try:  # no more than fits at once, or it would wait inside
                gone = self.send(left, flags | socket.MSG_DONTWAIT)
            except BlockingIOError:
                continue
            self.moved(select.POLLOUT, gone)
            left = left[gone:]


class Worker(ThreadWorker):
    """Threads whose connections are lines. Files are not sent around them (``--no-sendfile``)."""

    def handle(self, conn: TConn) -> Any:
        """Answer one request on a connection."""
        if not isinstance(conn.sock, Line):
            conn.sock = Line(fileno=conn.sock.detach())
        conn.sock.begin()
        return super().handle(conn)
