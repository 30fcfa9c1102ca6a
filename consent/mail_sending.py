"""Sending what waits in the outbox by SMTP: each letter for three days, later and later.

Nothing is opened before the server answers, so while it does not, no letter uses up a try and no read is
written down for nothing. A letter is claimed by a conditional update, like news for programs. What stopped
being true while it waited does not leave (``consent.overtaken_letters``).
"""

from __future__ import annotations

import smtplib
from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import F
from django.utils import timezone

from accounts.actors import SYSTEM_WORKER
from audit_log.actions import Action
from consent.messages import open_message
from consent.models import OutboxMessage
from consent.overtaken_letters import overtaken
from consent.sign_in import KIND, LIFE
from vault.keyring import destroy_data_keys

AT_ONCE = 50
BACK_OFF = [
    timedelta(minutes=1),
    timedelta(minutes=10),
    *(timedelta(hours=hours) for hours in (1, 5, 18, 24, 24)),
]
"""The waits between tries: three days in all. Each try opens the letter, which the person sees."""
REFUSED = (
    smtplib.SMTPRecipientsRefused,
    smtplib.SMTPSenderRefused,
    smtplib.SMTPDataError,
    smtplib.SMTPNotSupportedError,
)
"""The server would not have this one letter; anything else is a server that cannot be spoken to."""


def deliver_waiting() -> int:
    """Send what is due, if a mail server is configured; returns how many left. Keeper only.

    Raises OSError or SMTPException where the server cannot be spoken to.
    """
    if not settings.EMAIL_URL:
        return 0
    now = timezone.now()
    # A code that could not leave while it was worth something stays where it is.
    waiting = (
        OutboxMessage.objects.filter(
            sent_at=None, next_attempt_at__lte=now, subject__closed_at=None
        )
        .exclude(kind=KIND, created_at__lt=now - LIFE)
        .exclude(pk__in=overtaken().values("pk"))
    )
    due = list(waiting.order_by("next_attempt_at")[:AT_ONCE])
    if not due:
        return 0
    with get_connection() as server:
        return sum(deliver(message, server) for message in due if claim(message))


def claim(message: OutboxMessage) -> bool:
    """Take a letter, unless another keeper has: what fails now is tried again later, or given up."""
    tries = message.attempts
    later = timezone.now() + BACK_OFF[tries] if tries < len(BACK_OFF) else None
    unchanged = OutboxMessage.objects.filter(pk=message.pk, attempts=tries, sent_at=None)
    return unchanged.update(attempts=F("attempts") + 1, next_attempt_at=later) == 1


def deliver(message: OutboxMessage, server: BaseEmailBackend) -> bool:
    """Open and send one letter; whether the server took it."""
    row = OutboxMessage.objects.filter(pk=message.pk)
    # Asked once more: the letters before this one may have taken minutes.
    if not row.exclude(pk__in=overtaken().values("pk")).exists():
        return False
    address, heading, text, _language = open_message(SYSTEM_WORKER, message, Action.MESSAGE_SEND)
    try:
        EmailMessage(subject=heading, body=text, to=[address], connection=server).send()
    except (OSError, smtplib.SMTPException) as error:
        row.update(last_error=type(error).__name__)
        if isinstance(error, REFUSED):
            return False
        raise
    row.update(sent_at=timezone.now(), next_attempt_at=None, last_error="")
    destroy_data_keys([message.data_key_id])
    return True
