"""Retention and the end of consents: what is over is refused at once and erased soon after.

The gate refuses by date, also when the keeper is down; the keeper turns dates into erasures.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.actors import SYSTEM_KEEPER
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from consent.erasure import request_erasure
from consent.models import ConsentState, ConsentStatus, ErasureCause, EventKind
from consent.records import lock_state, move_state, write_event
from vault.tags import tagger


def expire_consents() -> int:
    """End every consent whose date has passed and file the erasure of what was recorded under it."""
    due = ConsentState.objects.filter(
        status=ConsentStatus.GIVEN, valid_until__lte=timezone.now()
    ).values_list("subject_id", "purpose_id")
    ended = 0
    for subject_id, purpose_id in list(due):
        ended += expire_consent(subject_id, purpose_id)
    return ended


def expire_consent(subject_id: UUID, purpose_id: UUID) -> int:
    """End one consent, unless it was renewed or withdrawn in the meantime."""
    tags = tagger(subject_id, purpose_id)
    with transaction.atomic():
        state = lock_state(subject_id, purpose_id)
        now = timezone.now()
        if (
            state.status != ConsentStatus.GIVEN
            or state.valid_until is None
            or state.valid_until > now
        ):
            return 0
        event = write_event(state, EventKind.EXPIRED, by="system", method="keeper")
        move_state(state, ConsentStatus.EXPIRED, event)
        append(
            Draft(
                action=Action.CONSENT_EXPIRE,
                actor=SYSTEM_KEEPER.log_name(),
                reason=ReasonCode.CONSENT_EXPIRED,
                purpose_id=purpose_id,
                subject_tag=tags.subject(),
                consent_tag=tags.consent_record(event.id),
            )
        )
        request_erasure(
            subject_id=subject_id,
            purpose_id=purpose_id,
            cause=ErasureCause.RETENTION,
            actor_name=SYSTEM_KEEPER.log_name(),
            reason=ReasonCode.CONSENT_EXPIRED,
            tags=tags,
        )
    return 1


def expire_recording(subject_id: UUID, purpose_id: UUID, recording_id: UUID, category: str) -> None:
    """File the erasure of one recording, or of one category of it, whose retention is over."""
    tags = tagger(subject_id, purpose_id)
    with transaction.atomic():
        append(
            Draft(
                action=Action.RETENTION_EXPIRE,
                actor=SYSTEM_KEEPER.log_name(),
                reason=ReasonCode.RETENTION_END,
                purpose_id=purpose_id,
                subject_tag=tags.subject(),
                object_tag=tags.object("recording", recording_id),
            )
        )
        request_erasure(
            subject_id=subject_id,
            purpose_id=purpose_id,
            cause=ErasureCause.RETENTION,
            actor_name=SYSTEM_KEEPER.log_name(),
            reason=ReasonCode.RETENTION_END,
            tags=tags,
            recording_id=recording_id,
            category=category,
        )
