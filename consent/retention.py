"""Retention and the end of consents: what is over is refused at once and erased soon after.

The gate refuses by date, also when the keeper is down; the keeper turns dates into erasures.
"""

from __future__ import annotations

from collections.abc import Callable
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
from consent.row_by_row import do_each, for_a_turn
from vault.tags import Tagger, tagger

BATCH = 200


def expire_consents() -> int:
    """End every consent whose date has passed and file the erasure of what was recorded under it.

    As many as one turn has time for. Keeper only.
    """
    due = ConsentState.objects.filter(
        status=ConsentStatus.GIVEN, valid_until__lte=timezone.now()
    ).values_list("subject_id", "purpose_id")
    return do_each(
        for_a_turn(list(due)),
        lambda each: end_all(*each, ErasureCause.RETENTION, ReasonCode.CONSENT_EXPIRED, is_expired),
    )


def is_expired(state: ConsentState) -> bool:
    """Whether the consent is past its date; it may have been renewed or withdrawn in the meantime."""
    if state.status != ConsentStatus.GIVEN or state.valid_until is None:
        return False
    return state.valid_until <= timezone.now()


def end_purposes() -> int:
    """Erase everything of the closed purposes whose end has come, person by person. Keeper only."""
    due = ConsentState.objects.filter(purpose__ends_at__lte=timezone.now()).not_given_up()
    return do_each(
        list(due.values_list("subject_id", "purpose_id")[:BATCH]),
        lambda each: end_all(
            *each, ErasureCause.PURPOSE_END, ReasonCode.PURPOSE_END, is_not_given_up
        ),
    )


def is_not_given_up(state: ConsentState) -> bool:
    """Whether no erasure of everything was filed since the state changed."""
    return ConsentState.objects.filter(pk=state.pk).not_given_up().exists()


def end_all(
    subject_id: UUID,
    purpose_id: UUID,
    cause: ErasureCause,
    reason: ReasonCode,
    still: Callable[[ConsentState], bool],
) -> int:
    """File the erasure of everything of one person in one purpose; a standing consent ends with it.

    ``still`` asks once more, under the lock, whether it is to be. Returns whether it was (0 or 1).
    """
    tags = tagger(subject_id, purpose_id)
    with transaction.atomic():
        state = lock_state(subject_id, purpose_id)
        if not still(state):
            return 0
        if state.status == ConsentStatus.GIVEN:
            end_consent(state, tags, reason)
        request_erasure(
            subject_id=subject_id,
            purpose_id=purpose_id,
            cause=cause,
            actor_name=SYSTEM_KEEPER.log_name(),
            reason=reason,
            tags=tags,
        )
    return 1


def end_consent(state: ConsentState, tags: Tagger, reason: ReasonCode) -> None:
    """Let a locked state's consent end, with its event and entry."""
    event = write_event(state, EventKind.EXPIRED, by="system", method="keeper")
    move_state(state, ConsentStatus.EXPIRED, event)
    append(
        Draft(
            action=Action.CONSENT_EXPIRE,
            actor=SYSTEM_KEEPER.log_name(),
            reason=reason,
            purpose_id=state.purpose_id,
            subject_tag=tags.subject(),
            consent_tag=tags.consent_record(event.id),
        )
    )


def expire_recording(
    subject_id: UUID,
    purpose_id: UUID,
    recording_id: UUID,
    category: str,
    still: Callable[[], bool],
) -> bool:
    """File the erasure of one recording, or of one category of it, whose retention is over.

    ``still`` asks once more, under the lock, whether it is to be. Returns whether it was.
    """
    tags = tagger(subject_id, purpose_id)
    with transaction.atomic():
        lock_state(subject_id, purpose_id)
        if not still():
            return False
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
    return True
