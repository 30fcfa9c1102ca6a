"""Messages leave by a real SMTP conversation, or wait sealed in the outbox."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings as django_settings

from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.invitations import send_invitation
from consent.messages import deliver_waiting, open_message
from consent.models import OutboxMessage
from consent.subjects import register_subject
from tests.cast import open_study
from vault.errors import KeyDestroyed
from vault.keyring import data_key_ids

pytestmark = pytest.mark.usefixtures("fresh_db")
ADDRESS = "somebody@example.net"


class MailServer:
    """Speaks just enough SMTP (RFC 5321) to take messages, or to refuse them."""

    def __init__(self, refuse: bool) -> None:
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
            elif word == b"RCPT" and self.refuse:
                say("550 nobody here")
            elif word == b"QUIT":
                say("221 bye")
                return
            else:
                say("250 ok")

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(5)


@contextmanager
def mail_server(settings: Any, refuse: bool = False) -> Iterator[MailServer]:
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


def invited() -> OutboxMessage:
    """A person who was invited by e-mail; the message."""
    study = open_study()
    subject = register_subject(
        study.administrator.actor, study.purpose, reference="P-9", email=ADDRESS
    )
    send_invitation(study.administrator.actor, subject, study.purpose)
    return OutboxMessage.objects.get()


def test_without_a_server_messages_wait_sealed() -> None:
    assert django_settings.EMAIL_URL == ""
    message = invited()
    assert deliver_waiting() == 0
    message.refresh_from_db()
    assert message.sent_at is None
    assert ADDRESS.encode() not in bytes(message.sealed)
    assert b"/me/invitation/" not in bytes(message.sealed)


def test_a_message_leaves_by_smtp_and_its_key_dies(settings: Any) -> None:
    message = invited()
    with mail_server(settings) as server:
        assert deliver_waiting() == 1
        assert deliver_waiting() == 0
    [letter] = server.received
    assert f"To: {ADDRESS}" in letter
    assert "/me/invitation/" in letter
    message.refresh_from_db()
    assert message.sent_at is not None
    assert not data_key_ids(subject_id=message.subject_id, category="message")
    study_actor = open_study().administrator.actor
    with pytest.raises(KeyDestroyed):
        open_message(study_actor, message, Action.MESSAGE_READ)
    integrate_once()
    assert LogEntry.objects.filter(action=Action.MESSAGE_SEND).exists()


def test_a_refused_message_waits_and_says_why(settings: Any) -> None:
    message = invited()
    with mail_server(settings, refuse=True):
        assert deliver_waiting() == 0
    message.refresh_from_db()
    assert (message.sent_at, message.attempts) == (None, 1)
    assert message.last_error == "SMTPRecipientsRefused"
    with mail_server(settings) as server:
        assert deliver_waiting() == 1
    assert len(server.received) == 1
