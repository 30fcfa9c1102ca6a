"""Closing an account: everything that stands is withdrawn, and whatever says who it was is erased.

What is left of the person is an opaque row, the history of their consents, and the entries of the access
log, which name them by tags until those are destroyed too. The receipts of the erasures can be had for a
while under a link that is shown once: nobody can sign in to a closed account.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.actors import Actor
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from consent.erasure import destroy_keys, request_erasure
from consent.models import (
    ConsentState,
    ConsentStatus,
    DataSubject,
    ErasureCause,
    ErasureRequest,
    Invitation,
    SignInCode,
)
from consent.open_accounts import lock_person
from consent.records import lock_state, require_subject, subject_log_name
from consent.requests import retract_all
from consent.withdrawals import withdraw
from vault.tags import tagger

RECEIPTS_FOR = timedelta(days=30)
"""How long after the last erasure is final the receipts of a closed account can be had."""


def token_hash(token: str) -> bytes:
    """SHA-256 of the token; a bare hash will do for 256 random bits."""
    return hashlib.sha256(token.encode()).digest()


def close_account(actor: Actor, subject: DataSubject) -> str:
    """Withdraw everything, erase contact data and references, and let nobody sign in any more.

    Returns the token under which the receipts can be had. A kill in between leaves consents withdrawn and
    the account open; closing it again does the rest. Raises NotTheSubject.
    """
    require_subject(actor, subject)
    token = secrets.token_urlsafe(32)
    filed: list[ErasureRequest] = []
    while not filed:
        for state in standing(subject).select_related("purpose"):
            withdraw(actor, subject, state.purpose)
        filed = file_closing(subject, token)
    for request in filed:
        destroy_keys(request)
    return token


def standing(subject: DataSubject) -> QuerySet[ConsentState]:
    """The consents that have to be withdrawn before the account can be closed."""
    return ConsentState.objects.filter(
        subject=subject, status__in=[ConsentStatus.GIVEN, ConsentStatus.EXPIRED], tags_ended_at=None
    )


def file_closing(subject: DataSubject, token: str) -> list[ErasureRequest]:
    """One transaction: the account closed, and the erasure filed of all that is left of the person.

    Files nothing where a consent was given or another study has asked since: then it has to begin anew.
    Under the lock of the person neither can happen any more.
    """
    left = ConsentState.objects.filter(subject=subject).not_given_up()
    tags = {purpose: tagger(subject.id, purpose) for purpose in purposes_of(left)}
    account = tagger(subject.id, None)
    with transaction.atomic():
        held = lock_person(subject.id)
        if standing(subject).exists() or not set(purposes_of(left)) <= tags.keys():
            return []
        filed = []
        for purpose_id, tag in tags.items():
            lock_state(subject.id, purpose_id)
            filed.append(
                request_erasure(
                    subject_id=subject.id,
                    purpose_id=purpose_id,
                    cause=ErasureCause.ACCOUNT,
                    actor_name=subject_log_name(tag),
                    reason=ReasonCode.ACCOUNT_CLOSED,
                    tags=tag,
                )
            )
        retract_all(subject.id, account)
        append(
            Draft(
                action=Action.ACCOUNT_CLOSE,
                actor=subject_log_name(account),
                subject_tag=account.subject(),
            )
        )
        filed.append(
            request_erasure(
                subject_id=subject.id,
                purpose_id=None,
                cause=ErasureCause.ACCOUNT,
                actor_name=subject_log_name(account),
                reason=ReasonCode.ACCOUNT_CLOSED,
                tags=account,
            )
        )
        shut(held, token)
    return filed


def purposes_of(states: QuerySet[ConsentState]) -> list[UUID]:
    """The purposes of these states."""
    return list(states.values_list("purpose_id", flat=True))


def shut(subject: DataSubject, token: str) -> None:
    """Let nobody come in any more: no user, no passkey, no code, no invitation."""
    now = timezone.now()
    Invitation.objects.filter(subject=subject, redeemed_at=None, revoked_at=None).update(
        revoked_at=now
    )
    SignInCode.objects.filter(subject=subject).delete()
    user, subject.user = subject.user, None
    subject.closed_at = now
    subject.receipts_sha256 = token_hash(token)
    subject.save(update_fields=["user", "closed_at", "receipts_sha256"])
    if user is not None:
        user.delete()  # its passkeys go with it, and a session of a user who is gone opens nothing


def find_closed(token: str) -> DataSubject | None:
    """Whose closed account this link belongs to; None when it is unknown or over."""
    subject = DataSubject.objects.filter(receipts_sha256=token_hash(token)).first()
    if subject is None:
        return None
    unfinished = ErasureRequest.objects.filter(subject=subject, final_at=None)
    if unfinished.exists():
        return subject
    last = ErasureRequest.objects.filter(subject=subject).order_by("-final_at").first()
    if last is None or last.final_at is None or last.final_at + RECEIPTS_FOR < timezone.now():
        return None
    return subject
