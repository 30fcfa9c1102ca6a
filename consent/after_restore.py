"""What people have ended since a backup was made must stay ended when the backup is put back.

The log knows it: entries that were signed later are replayed first (``audit_log.replay``), and those that
bear a person's tags say what happened. Whatever they do not say in full is decided against processing: a
consent that was changed is paused, and the person goes on by themself.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from accounts.actors import SYSTEM_KEEPER
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from audit_log.models import LogEntryQuerySet
from consent.closed_after_restore import close_accounts, close_purposes, over, retract_again
from consent.dead_keys import destroy_again
from consent.erasure import request_erasure
from consent.models import (
    ConsentState,
    ConsentStatus,
    ErasureCause,
    ErasureRequest,
    EventKind,
)
from consent.records import lock_state, move_state, write_event
from consent.retention import end_all
from vault.tags import tagger, tagger_if_alive

UNDECIDED = [
    ConsentStatus.REQUESTED,
    ConsentStatus.CANCELLED,
    ConsentStatus.GIVEN,
    ConsentStatus.EXPIRED,
]
"""Where a no that was said since would be lost: somebody could still be answered for on paper."""
CHANGED = {
    Action.CONSENT_GIVE,
    Action.CONSENT_GUARDIAN,
    Action.CONSENT_ATTEST,
    Action.CONSENT_REFUSE,
    Action.CONSENT_NARROW,
    Action.CONSENT_RESTRICT,
    Action.CONSENT_RESUME,
    Action.DISPUTE_OPEN,
}


@dataclass(frozen=True, kw_only=True)
class Reapplied:
    """How much of what happened after the backup was done again."""

    keys_destroyed: int
    consents_ended: int
    consents_paused: int
    accounts_closed: int
    purposes_closed: int


def reapply(later: LogEntryQuerySet) -> Reapplied:
    """Do again what entries from after the backup say of consents, keys, accounts and purposes.

    Safe to repeat. Nothing may process anybody's data before it has run.
    """
    keys = destroy_again()
    ended = paused = 0
    for state in ConsentState.objects.filter(tags_ended_at=None).order_by("id"):
        happened, given = changes_of(state, later), is_given(state)
        if happened is None:
            ended += end_for_good(state)
        elif state.status not in UNDECIDED:
            continue
        elif Action.CONSENT_WITHDRAW in happened:
            ended += answer_again(state, ConsentStatus.WITHDRAWN)
        elif given and Action.CONSENT_EXPIRE in happened:
            ended += end_all(
                state.subject_id,
                state.purpose_id,
                ErasureCause.RETENTION,
                ReasonCode.CONSENT_EXPIRED,
                is_given,
            )
        elif given and happened & CHANGED:
            paused += pause_again(state)
        elif Action.CONSENT_REFUSE in happened:
            ended += answer_again(state, ConsentStatus.REFUSED)
    retract_again(later)
    # Last: it files erasures under tags, and by now no state without them is left open.
    closed = close_accounts(later)
    return Reapplied(
        keys_destroyed=keys,
        consents_ended=ended,
        consents_paused=paused,
        accounts_closed=closed,
        purposes_closed=close_purposes(later),
    )


def pause_all() -> int:
    """Pause every consent that is given, because what was said after the backup is lost; how many.

    Whoever withdrew or refused since is asked again by their own page; until they say so, nothing of
    anybody is processed. Safe to repeat. Runs after ``reapply``.
    """
    return sum(
        pause_again(state)
        for state in ConsentState.objects.filter(tags_ended_at=None).order_by("id")
        if is_given(state)
    )


def changes_of(state: ConsentState, later: LogEntryQuerySet) -> set[str] | None:
    """What happened to this consent since; None when nobody can tell any more, because it is all over."""
    tags = tagger_if_alive(state.subject_id, state.purpose_id)
    if tags is None:
        return None
    return set(later.about_subject([tags.subject()]).values_list("action", flat=True))


def is_given(state: ConsentState) -> bool:
    """Whether there is still something to end."""
    return state.status == ConsentStatus.GIVEN


def end_for_good(state: ConsentState) -> int:
    """Close a part whose tags are destroyed: its data keys are too, and no entry can name it.

    Returns 1 for a consent that stood in the backup.
    """
    now = timezone.now()
    with transaction.atomic():
        held = lock_state(state.subject_id, state.purpose_id)
        given = is_given(held)
        if given:
            held.status = ConsentStatus.EXPIRED
        held.version += 1
        held.changed_at = held.tags_ended_at = held.tags_destroyed_at = now
        held.save()
        ErasureRequest.objects.filter(
            subject_id=held.subject_id, purpose_id=held.purpose_id
        ).filter(final_at=None).update(**over(now))
    return int(given)


def answer_again(state: ConsentState, status: ConsentStatus) -> int:
    """Let the person's no stand that the backup does not have; a withdrawal is followed by its erasure."""
    withdrawn = status == ConsentStatus.WITHDRAWN
    tags = tagger(state.subject_id, state.purpose_id)
    with transaction.atomic():
        held = lock_state(state.subject_id, state.purpose_id)
        if held.status not in UNDECIDED:
            return 0
        kind = EventKind.WITHDRAWN if withdrawn else EventKind.REFUSED
        event = write_event(held, kind, by="subject", method="restore")
        move_state(held, status, event)
        append(
            Draft(
                action=Action.CONSENT_WITHDRAW if withdrawn else Action.CONSENT_REFUSE,
                actor=SYSTEM_KEEPER.log_name(),
                reason=ReasonCode.BACKUP_RESTORED,
                purpose_id=held.purpose_id,
                subject_tag=tags.subject(),
                consent_tag=tags.consent_record(event.id),
            )
        )
        if withdrawn:
            request_erasure(
                subject_id=held.subject_id,
                purpose_id=held.purpose_id,
                cause=ErasureCause.WITHDRAWAL,
                actor_name=SYSTEM_KEEPER.log_name(),
                reason=ReasonCode.WITHDRAWAL,
                tags=tags,
            )
    return 1


def pause_again(state: ConsentState) -> int:
    """Pause a consent that was changed in a way that the backup does not have."""
    tags = tagger(state.subject_id, state.purpose_id)
    with transaction.atomic():
        held = lock_state(state.subject_id, state.purpose_id)
        if held.restricted_at is not None or not is_given(held):
            return 0
        event = write_event(
            held,
            EventKind.RESTRICTED,
            by="system",
            method="restore",
            notice=held.notice,
            language=held.event.language if held.event else "",
        )
        held.restricted_at = held.changed_at = event.at
        held.version += 1
        held.save(update_fields=["restricted_at", "version", "changed_at"])
        append(
            Draft(
                action=Action.CONSENT_RESTRICT,
                actor=SYSTEM_KEEPER.log_name(),
                reason=ReasonCode.BACKUP_RESTORED,
                purpose_id=held.purpose_id,
                subject_tag=tags.subject(),
                consent_tag=tags.consent_record(event.id),
            )
        )
    return 1
