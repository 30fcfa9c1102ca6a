"""Messages leave by a real SMTP conversation, or wait sealed in the outbox."""

from __future__ import annotations

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
from tests.mail_server import mail_server
from vault.errors import KeyDestroyed
from vault.keyring import data_key_ids

pytestmark = pytest.mark.usefixtures("fresh_db")
ADDRESS = "somebody@example.net"


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
