"""Messages to data subjects: sealed in the outbox until they leave by SMTP.

Without a mail server (the embedded default) they wait there, and an administrator can open one and
hand it over; opening is a logged read like any other.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.actors import Actor
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append, append_durable
from consent.enforcement import AccountPermit, AccountUse, require_account_use
from consent.errors import UnknownSubject
from consent.models import Contact, DataSubject, Notice, OutboxMessage, Purpose
from consent.sealed_texts import seal_new
from consent.subjects import read_contact
from vault.keyring import keys_kept_if_filed
from vault.store import unseal
from vault.units import Row, Unit

OF_ADDRESS = {
    Action.MESSAGE_SEND: Action.CONTACT_USE,
    Action.MESSAGE_READ: Action.CONTACT_READ,
}
"""What the entry of the address says where that of the message says this; each is a read of its own."""


def language_for(subject: DataSubject, purpose: Purpose | None = None) -> str:
    """The language in which to write to a person.

    The one they chose or read before; for a stranger the only language in which the purpose has a
    notice, if there is just one; else the installation's.
    """
    if subject.user is not None and subject.user.language:
        return subject.user.language
    notices = purpose.notices.all() if purpose else Notice.objects.none()
    languages = set(notices.values_list("language", flat=True))
    return languages.pop() if len(languages) == 1 else settings.LANGUAGE_CODE


def message_unit(subject_id: UUID) -> Unit:
    """The erasure unit of one message."""
    return Unit(subject_id=subject_id, purpose_id=None, category="message")


def permit_message(subject_id: UUID, action: Action, message_id: UUID) -> AccountPermit:
    """A permit to seal or open one message to one person."""
    return require_account_use(
        subject_id=subject_id,
        purpose_id=None,
        use=AccountUse.NOTIFY,
        action=action,
        object_kind="message",
        object_id=message_id,
    )


@dataclass(frozen=True)
class SealedMessage:
    """A message that is sealed and not yet filed, with the entry that belongs to it."""

    row: OutboxMessage
    entry: Draft

    def file(self) -> OutboxMessage:
        """Put it into the outbox, in the caller's transaction."""
        self.row.save(force_insert=True)
        append(self.entry)
        return self.row


def key_of(message: SealedMessage | None) -> UUID | None:
    """The key made for this message, if there is one."""
    return message.row.data_key_id if message else None


def has_address(subject: DataSubject) -> bool:
    """Whether this person gave an e-mail address."""
    return Contact.objects.filter(subject=subject).exists()


def seal_message(
    actor: Actor,
    subject: DataSubject,
    purpose: Purpose | None,
    *,
    kind: str,
    language: str,
    heading: str,
    text: str,
) -> SealedMessage:
    """Seal a message, written in ``language``. Not under a lock: it makes a key.

    Raises UnknownSubject without an address.
    """
    if not has_address(subject):
        raise UnknownSubject("This person has no e-mail address: show the invitation as a link.")
    message_id = uuid7()
    unit = message_unit(subject.id)
    permit = permit_message(subject.id, Action.MESSAGE_QUEUE, message_id)
    place = Row(table="message", column="sealed", row_id=message_id)
    body = json.dumps({"language": language, "heading": heading, "text": text}).encode()
    sealed = seal_new(permit, unit, place, body)
    now = timezone.now()
    row = OutboxMessage(
        id=message_id,
        subject=subject,
        purpose=purpose,
        kind=kind,
        data_key_id=sealed.key_id,
        sealed=sealed.sealed,
        created_at=now,
        next_attempt_at=now,
    )
    return SealedMessage(row, message_entry(permit, actor))


def queue_message(
    actor: Actor,
    subject: DataSubject,
    purpose: Purpose | None,
    *,
    kind: str,
    language: str,
    heading: str,
    text: str,
) -> OutboxMessage:
    """Seal a message and put it into the outbox; raises UnknownSubject without an address."""
    message = seal_message(
        actor, subject, purpose, kind=kind, language=language, heading=heading, text=text
    )
    with keys_kept_if_filed(key_of(message)), transaction.atomic():
        return message.file()


def message_entry(
    permit: AccountPermit, actor: Actor, reason: ReasonCode = ReasonCode.NOTIFY
) -> Draft:
    """The log entry of something done with a message."""
    return Draft(
        action=permit.action,
        actor=actor.log_name(),
        reason=reason,
        subject_tag=permit.subject_tag,
        object_tag=permit.object_tag,
        permit_id=permit.permit_id,
    )


def open_message(
    actor: Actor, message: OutboxMessage, action: Action, reason: ReasonCode = ReasonCode.NOTIFY
) -> tuple[str, str, str, str]:
    """Open a message to send it or hand it over: (address, heading, text, language of both).

    Each read is in the log first.
    """
    permit = permit_message(message.subject_id, action, message.id)
    receipt = append_durable(message_entry(permit, actor, reason))
    row = Row(table="message", column="sealed", row_id=message.id)
    unit = message_unit(message.subject_id)
    plain = unseal(permit, receipt, message.data_key_id, unit, row, bytes(message.sealed))
    parts = json.loads(plain.reveal())
    contact = Contact.objects.get(subject_id=message.subject_id)
    known = read_contact(actor, contact, AccountUse.NOTIFY, OF_ADDRESS[action], reason)
    return known.email, parts["heading"], parts["text"], parts["language"]
