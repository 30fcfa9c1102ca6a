"""What is kept of a person themselves, for their own archive: address, references, numbers, language.

Each is opened like every other use of contact data: the entry first, under the person's own name.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from accounts.actors import Actor
from audit_log.actions import Action, ReasonCode
from consent.enforcement import AccountUse
from consent.models import Contact, DataSubject, SubjectReference
from consent.subjects import Identity, read_contact, read_reference
from vault.errors import KeyDestroyed

OWN = ReasonCode.OWN_ACCESS


def own_record(actor: Actor, subject: DataSubject) -> dict[str, Any]:
    """Everything of it, ready for JSON; what was erased is null. ``actor`` is the person themself."""
    known = own_contact(actor, subject)
    references = SubjectReference.objects.filter(subject=subject).select_related("purpose")
    return {
        "number": subject.id,
        "known_since": subject.created_at.isoformat(),
        "email": known.email or None,
        "name": known.name or None,
        "language": (subject.user.language or None) if subject.user else None,
        "studies": [
            {
                "study": filed.purpose.name,
                "purpose": filed.purpose_id,
                "reference": own_reference(actor, filed),
                "number_for_programs": filed.id,
            }
            for filed in references.order_by("id")
        ],
    }


def own_contact(actor: Actor, subject: DataSubject) -> Identity:
    """Address and name; empty for whoever gave none, and once they were erased."""
    contact = Contact.objects.filter(subject=subject).first()
    if contact is not None:
        with suppress(KeyDestroyed):
            return read_contact(actor, contact, AccountUse.OWN_ACCESS, Action.CONTACT_READ, OWN)
    return Identity()


def own_reference(actor: Actor, filed: SubjectReference) -> str | None:
    """What a study calls the person; None once it was erased."""
    with suppress(KeyDestroyed):
        return read_reference(actor, filed.subject, filed.purpose, OWN, AccountUse.OWN_ACCESS)
    return None
