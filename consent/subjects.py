"""Data subjects and what names them: contact data and references, sealed, found by keyed index."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import BinaryField, UUIDField
from uuid_utils.compat import uuid7

from accounts.actors import Actor
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append, append_durable
from audit_log.prepared import Given, Prepared, Whole
from consent.enforcement import AccountPermit, AccountUse, require_account_use
from consent.errors import InvalidReference, ReferenceTaken, UnknownSubject
from consent.models import ConsentState, Contact, DataSubject, Purpose, SubjectReference
from consent.records import acting_name
from vault.index import index
from vault.keyring import create_data_key, destroy_data_keys
from vault.store import seal, unseal
from vault.tags import tagger
from vault.units import Row, Unit

TAKEN = (
    "Nobody new can be filed under this reference or with this address: one of them is in use. Look "
    "whether the person is there already; if they are not, take another reference or leave the address out."
)
"""Also where an account is being closed: that somebody closed theirs is told to no study."""


@dataclass(frozen=True)
class Identity:
    """What an installation knows of a person, in plain; lives only as long as the answer it is in."""

    reference: str = ""
    email: str = ""
    name: str = ""

    def __repr__(self) -> str:
        return "Identity(sealed)"


def email_index(email: str) -> bytes:
    """The keyed index under which an address is found; case and surrounding space do not matter."""
    return index(None, "email", email.strip().lower())


def reference_index(purpose_id: UUID, reference: str) -> bytes:
    """The keyed index of a reference, different in each purpose."""
    return index(purpose_id, "reference", reference.strip())


def contact_unit(subject_id: UUID) -> Unit:
    """The erasure unit of a person's contact data."""
    return Unit(subject_id=subject_id, purpose_id=None, category="contact")


def reference_unit(subject_id: UUID, purpose_id: UUID) -> Unit:
    """The erasure unit of a person's reference in one purpose."""
    return Unit(subject_id=subject_id, purpose_id=purpose_id, category="reference")


def find_by_email(email: str) -> DataSubject | None:
    """The data subject with this address, if any."""
    found = Contact.objects.select_related("subject").filter(email_index=email_index(email)).first()
    return found.subject if found else None


BY_INDEX = Prepared(
    Whole(SubjectReference, "subject"),
    lambda: SubjectReference.objects.filter(
        purpose_id=Given("purpose_id", UUIDField()), index=Given("index", BinaryField())
    ),
)


def find_reference(purpose_id: UUID, reference: str) -> SubjectReference:
    """The filed reference, with its subject; raises UnknownSubject."""
    filed = reference_index(purpose_id, reference)
    found = BY_INDEX.first(purpose_id=purpose_id, index=filed)
    if found is None:
        raise UnknownSubject("No data subject with this reference in this purpose.")
    return found


def register_subject(
    actor: Actor, purpose: Purpose, *, reference: str, email: str = "", name: str = ""
) -> DataSubject:
    """Make a data subject, or find the one with this address, and file the purpose's reference.

    Sealing comes first (an orphan key is harmless), then rows and log entry in one transaction. Raises
    ReferenceTaken when the purpose already uses the reference or already knows the person; then
    nothing was made.
    """
    known = find_to_file(purpose, email) if email else None
    subject = known or DataSubject(id=uuid7())
    tags = tagger(subject.id, purpose.id)
    rows: list[Contact | SubjectReference] = [sealed_reference(subject, purpose, reference.strip())]
    if email and known is None:
        identity = Identity(email=email.strip(), name=name.strip())
        rows.append(sealed_contact(actor, subject, identity))
    try:
        with transaction.atomic():
            if known is None:
                subject.save(force_insert=True)
            for row in rows:
                row.save(force_insert=True)
            append(
                Draft(
                    action=Action.SUBJECT_CREATE,
                    actor=actor.log_name(),
                    purpose_id=purpose.id,
                    subject_tag=tags.subject(),
                )
            )
    except IntegrityError:
        destroy_data_keys(row.data_key_id for row in rows)
        raise ReferenceTaken(TAKEN) from None
    return subject


def find_to_file(purpose: Purpose, email: str) -> DataSubject | None:
    """Who has this address and can be filed in the purpose; None for nobody yet. Raises ReferenceTaken."""
    known = find_by_email(email)
    if known is None:
        return None
    if known.closed_at is not None:
        raise ReferenceTaken(TAKEN)
    ended = ConsentState.objects.filter(subject=known, purpose=purpose, tags_ended_at__isnull=False)
    if ended.exists():
        raise ReferenceTaken(
            "This person's part in this purpose has ended and everything was erased for good. Invite "
            "them without this address, and they begin as somebody new."
        )
    if SubjectReference.objects.filter(subject=known, purpose=purpose).exists():
        raise ReferenceTaken(TAKEN)
    return known


def sealed_contact(actor: Actor, subject: DataSubject, identity: Identity) -> Contact:
    """A contact row, not yet saved, sealed under a key of its own."""
    body = json.dumps({"email": identity.email, "name": identity.name}).encode()
    row_id, key_id, sealed = seal_for_invitation(contact_unit(subject.id), "contact", body)
    return Contact(
        id=row_id,
        subject=subject,
        data_key_id=key_id,
        sealed=sealed,
        email_index=email_index(identity.email),
        filed_by=actor.log_name(),
    )


def sealed_reference(subject: DataSubject, purpose: Purpose, reference: str) -> SubjectReference:
    """A reference row, not yet saved, sealed under a key of its own."""
    if not reference:
        raise InvalidReference("A reference is needed: what does the study call this person?")
    unit = reference_unit(subject.id, purpose.id)
    row_id, key_id, sealed = seal_for_invitation(unit, "subject_reference", reference.encode())
    return SubjectReference(
        id=row_id,
        subject=subject,
        purpose=purpose,
        data_key_id=key_id,
        sealed=sealed,
        index=reference_index(purpose.id, reference),
    )


def seal_for_invitation(unit: Unit, table: str, body: bytes) -> tuple[UUID, UUID, bytes]:
    """Seal what names a person under a new key: (row id, data-key id, sealed bytes)."""
    row_id = uuid7()
    permit = require_account_use(
        subject_id=unit.subject_id,
        purpose_id=unit.purpose_id,
        use=AccountUse.INVITE,
        action=Action.SUBJECT_CREATE,
        object_kind=table,
        object_id=row_id,
    )
    key_id = create_data_key(unit)
    row = Row(table=table, column="sealed", row_id=row_id)
    return row_id, key_id, seal(permit, key_id, unit, row, body)


def read_reference(
    actor: Actor,
    subject: DataSubject,
    purpose: Purpose,
    reason: ReasonCode,
    use: AccountUse = AccountUse.SHOW_IDENTITY,
) -> str:
    """Show what a purpose calls a person: a read of identity, logged with its reason first.

    Raises UnknownSubject when none is filed, KeyDestroyed once it was erased.
    """
    filed = SubjectReference.objects.filter(subject=subject, purpose=purpose).first()
    if filed is None:
        raise UnknownSubject("No reference is filed for this data subject.")
    permit = require_account_use(
        subject_id=subject.id,
        purpose_id=purpose.id,
        use=use,
        action=Action.IDENTITY_READ,
        object_kind="subject_reference",
        object_id=filed.id,
    )
    receipt = append_durable(identity_entry(permit, actor, reason))
    row = Row(table="subject_reference", column="sealed", row_id=filed.id)
    unit = reference_unit(subject.id, purpose.id)
    plain = unseal(permit, receipt, filed.data_key_id, unit, row, bytes(filed.sealed))
    return plain.reveal().decode()


def read_contact(
    actor: Actor, contact: Contact, use: AccountUse, action: Action, reason: ReasonCode
) -> Identity:
    """Open a person's address and name: a read of identity, logged with its reason first."""
    permit = require_account_use(
        subject_id=contact.subject_id,
        purpose_id=None,
        use=use,
        action=action,
        object_kind="contact",
        object_id=contact.id,
    )
    receipt = append_durable(identity_entry(permit, actor, reason))
    row = Row(table="contact", column="sealed", row_id=contact.id)
    unit = contact_unit(contact.subject_id)
    plain = unseal(permit, receipt, contact.data_key_id, unit, row, bytes(contact.sealed))
    return Identity(**json.loads(plain.reveal()))


def identity_entry(permit: AccountPermit, actor: Actor, reason: ReasonCode) -> Draft:
    """The entry of a read of what names a person."""
    return Draft(
        action=permit.action,
        actor=acting_name(actor, permit.tags),
        reason=reason,
        purpose_id=permit.purpose_id,
        subject_tag=permit.subject_tag,
        object_tag=permit.object_tag,
        permit_id=permit.permit_id,
    )


def look_up(actor: Actor, purpose: Purpose, reference: str, reason: ReasonCode) -> DataSubject:
    """Whom a purpose calls so, for a stated reason that is in the log first, also when nobody is.

    Raises UnknownSubject.
    """
    entry = Draft(
        action=Action.IDENTITY_READ, actor=actor.log_name(), reason=reason, purpose_id=purpose.id
    )
    try:
        filed = find_reference(purpose.id, reference)
    except UnknownSubject:
        append_durable(replace(entry, outcome=Outcome.FAILED))
        raise
    append_durable(replace(entry, subject_tag=tagger(filed.subject_id, purpose.id).subject()))
    return filed.subject
