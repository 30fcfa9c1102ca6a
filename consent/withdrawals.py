"""Withdrawal: one step for the person, no more than giving took.

From the commit of this transaction (T1) the gate refuses everything; destroying keys and removing
rows follows, at once where it can be and by the keeper until it is done.
"""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.actors import Actor
from audit_log.actions import Action, ReasonCode
from consent.erasure import destroy_keys, request_erasure
from consent.errors import InvalidChoice
from consent.models import (
    ConsentState,
    ConsentStatus,
    DataSubject,
    ErasureCause,
    ErasureRequest,
    EventKind,
    Purpose,
)
from consent.records import (
    append_consent_entry,
    lock_state,
    move_state,
    require_subject,
    subject_log_name,
    write_event,
)
from vault.tags import tagger


def withdraw(actor: Actor, subject: DataSubject, purpose: Purpose) -> ErasureRequest:
    """Withdraw consent; everything recorded for this purpose is erased.

    A second withdrawal (two browsers at once) finds the first one's erasure. Raises NotTheSubject, or
    InvalidChoice when there is no consent to withdraw.
    """
    require_subject(actor, subject)
    tags = tagger(subject.id, purpose.id)
    with transaction.atomic():
        try:
            state = lock_state(subject.id, purpose.id)
        except ConsentState.DoesNotExist:
            raise InvalidChoice(_("You have not been asked about this study.")) from None
        if state.status == ConsentStatus.WITHDRAWN:
            return ErasureRequest.objects.filter(
                subject=subject, purpose=purpose, cause=ErasureCause.WITHDRAWAL
            ).latest("requested_at")
        if state.status not in {ConsentStatus.GIVEN, ConsentStatus.EXPIRED}:
            raise InvalidChoice(_("There is no consent to withdraw: you have not said yes."))
        event = write_event(state, EventKind.WITHDRAWN, by="subject", method="web")
        move_state(state, ConsentStatus.WITHDRAWN, event)
        entry_id = append_consent_entry(Action.CONSENT_WITHDRAW, tags, event)
        request = request_erasure(
            subject_id=subject.id,
            purpose_id=purpose.id,
            cause=ErasureCause.WITHDRAWAL,
            actor_name=subject_log_name(tags),
            reason=ReasonCode.WITHDRAWAL,
            tags=tags,
        )
        request.entry_ids = [str(entry_id), *request.entry_ids]
        request.save(update_fields=["entry_ids"])
    destroy_keys(request)
    return request
