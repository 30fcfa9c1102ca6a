"""A mail server for tests: a real SMTP conversation on this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class MailServer:
    """Speaks just enough SMTP (RFC 5321) to take messages, or to refuse them: all, or to one address."""

    def __init__(self, refuse: bool | str) -> None:
        self.refuse = refuse
        self.received: list[str] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        while True:
            try:
                peer, _address = self.socket.accept()
            except OSError:
                return
            with peer, peer.makefile("rwb") as stream:
                self.converse(stream)

    def converse(self, stream) -> None:  # type: ignore[no-untyped-def]
        def say(line: str) -> None:
            stream.write(line.encode() + b"\r\n")
            stream.flush()

        say("220 test")
        while line := stream.readline():
            word = line.split()[0].upper() if line.split() else b""
            if word == b"DATA":
                say("354 go on")
                lines = iter(stream.readline, b".\r\n")
                self.received.append(b"".join(lines).decode())
                say("250 taken")
            elif word == b"RCPT" and self.refuses(line.decode()):
                say("550 nobody here")
            elif word == b"QUIT":
                say("221 bye")
                return
            else:
                say("250 ok")

    def refuses(self, line: str) -> bool:
        """Whether it will not have a letter to whom this line names."""
        return self.refuse is True or (bool(self.refuse) and str(self.refuse) in line)

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(5)


@contextmanager
def mail_server(settings: Any, refuse: bool | str = False) -> Iterator[MailServer]:
    """A server, and the settings that EMAIL_URL=smtp://127.0.0.1:<port> gives."""
    server = MailServer(refuse)
    settings.EMAIL_URL = f"smtp://127.0.0.1:{server.port}"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.EMAIL_USE_TLS = False
    try:
        yield server
    finally:
        server.close()
