"""A person's address: who has shown that it reaches them, changing a wrong one, and showing them theirs.

An address that was mistyped belongs to a stranger. So no code to sign in leaves for it before somebody has
come in by a letter to that very address.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.models import Role
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append, append_durable
from consent.enforcement import require_not_attester
from consent.errors import AddressNotFiled
from consent.invitations import open_invitations_of, require_open, revoke_open
from consent.models import (
    ConsentState,
    Contact,
    DataSubject,
    Purpose,
    RequestKind,
    SubjectRequest,
)
from consent.open_accounts import require_open_account
from consent.own_record import own_contact
from consent.records import (
    Check,
    lock_state,
    require_can_be_asked,
    require_subject,
)
from consent.subjects import Identity, sealed_contact
from consent.ways_in import end_ways_in
from vault.keyring import destroy_data_keys, keys_kept_if_filed
from vault.tags import tagger


def takes_codes(subject: DataSubject) -> bool:
    """Whether a code to sign in goes to this person's address.

    Without a mail server it waits in the outbox for an administrator, and no stranger gets it.
    """
    filed = Contact.objects.filter(subject=subject)
    if settings.EMAIL_URL:
        filed = filed.exclude(confirmed_at=None)
    return filed.exists()


def change_address(
    actor: Actor,
    subject: DataSubject,
    purpose: Purpose,
    email: str,
    reason: ReasonCode,
    check: Check,
) -> DataSubject:
    """File another address in the place of the one that is filed, or the first; the old one is erased.

    Whatever lets anybody in as this person ends: links, codes, sessions and passkeys. The caller sends a
    letter to the new address; returned is the person with their new user. Raises AddressNotFiled where it
    is not this actor's to change or belongs to somebody else, InvalidPurpose, InvalidChoice,
    AlreadyAnswered for a closed account, ConsentRefused for an attester, and what ``check`` raises.
    """
    require_open(purpose)
    require_can_be_asked(subject, purpose)
    contact = sealed_contact(actor, subject, Identity(email=email.strip()))
    entry = Draft(
        action=Action.CONTACT_CHANGE,
        actor=actor.log_name(),
        reason=reason,
        purpose_id=purpose.id,
        subject_tag=tagger(subject.id, purpose.id).subject(),
    )
    try:
        with keys_kept_if_filed(contact.data_key_id), transaction.atomic():
            require_open_account(subject.id)
            state = lock_state(subject.id, purpose.id)
            check(state)
            require_may_change(actor, state)
            replace_contact(contact)
            end_letters(subject.id, timezone.now())
            end_ways_in(subject.id)
            append(entry)
    except IntegrityError:
        append_durable(replace(entry, outcome=Outcome.REFUSED, reason=ReasonCode.NOT_PERMITTED))
        raise AddressNotFiled(
            _("This address cannot be filed for this person. Nothing has changed.")
        ) from None
    return DataSubject.objects.get(pk=subject.pk)


def require_may_change(actor: Actor, state: ConsentState) -> None:
    """Raise AddressNotFiled unless the address is unproven and this purpose's alone, or the person asked.

    Whoever sets an address gets the account with it. So one that has brought its owner in, or of somebody
    who takes part elsewhere, is changed by an administrator, for a person who asked after signing in.
    """
    subject_id = state.subject_id
    require_not_attester(actor, subject_id)
    proven = Contact.objects.filter(subject_id=subject_id).exclude(confirmed_at=None)
    elsewhere = ConsentState.objects.filter(subject_id=subject_id).exclude(pk=state.pk)
    if not proven.exists() and not elsewhere.exists():
        return
    asked = SubjectRequest.objects.waiting().filter(
        subject_id=subject_id, kind=RequestKind.RECTIFICATION
    )
    if actor.role != Role.ADMINISTRATOR or not asked.exists():
        raise AddressNotFiled(
            _(
                "Somebody came in by this address, or it serves more than this study. An administrator "
                "changes it when the person asks for a correction under “My requests”."
            )
        )


def replace_contact(contact: Contact) -> None:
    """Put the new row in the place of the old one, whose key goes after the caller's transaction."""
    old = Contact.objects.select_for_update().filter(subject_id=contact.subject_id).first()
    if old is not None:
        old.delete()
        transaction.on_commit(partial(destroy_data_keys, [old.data_key_id]))
    contact.save(force_insert=True)


def end_letters(subject_id: UUID, at: datetime) -> None:
    """Let every open link of this person die, in all purposes, and the letters that wait with one."""
    purposes = set(open_invitations_of(subject_id).values_list("purpose_id", flat=True))
    for purpose_id in purposes:
        revoke_open(subject_id, purpose_id, at)


def own_address(actor: Actor, subject: DataSubject) -> str:
    """The signed-in person's own address, masked; the reading is in the log first. Empty without one."""
    require_subject(actor, subject)
    email = own_contact(actor, subject).email
    return masked(email) if email else ""


def masked(email: str) -> str:
    """An address as its owner knows it and nobody else can use it: ``a…a@example.org``."""
    name, _at, host = email.rpartition("@")
    return f"{name[:1]}…{name[-1:] if len(name) > 1 else ''}@{host}"
