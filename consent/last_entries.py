"""The last entry about somebody in a purpose, after which their tags link to no one.

The key of a person's tags outlives their data keys, so that erasure entries can be written and the person
can find and check them. When the last erasure is final and its receipt was taken, or was offered for
``OFFERED_FOR`` without anything new, one last entry is written and the key is destroyed. With it goes the
keyed index of the study's reference, which is of no more use. While a legal hold stands over them it waits:
who looked at somebody's data is what a matter is often about, and without the key no entry says it. The
main database comes first and the keystore after it: every step can be killed and repeated.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from accounts.actors import SYSTEM_KEEPER
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from consent.holds import lock_holds
from consent.models import (
    ConsentEvent,
    ConsentState,
    ConsentStatus,
    DataSubject,
    ErasureRequest,
    LegalHold,
    SubjectReference,
    is_person_held,
)
from consent.recipients import forget_references
from consent.records import lock_state
from consent.row_by_row import do_each
from vault.tags import destroy_tag_key, tagger

OFFERED_FOR = timedelta(days=30)
"""How long a final receipt waits on the person's page before what it rests on is destroyed."""
BATCH = 200


def record_receipt_taken(request: ErasureRequest) -> None:
    """Note that the person has the receipt of a final erasure; of an unfinished one it says nothing yet."""
    ErasureRequest.objects.filter(pk=request.pk, receipt_taken_at=None).exclude(
        final_at=None
    ).update(receipt_taken_at=timezone.now())


def ended_states(now: datetime) -> QuerySet[ConsentState]:
    """Where everything is final, the receipt was offered, no hold stands, and nobody has begun anew."""
    same = {"subject_id": OuterRef("subject_id"), "purpose_id": OuterRef("purpose_id")}
    erasures = ErasureRequest.objects.filter(**same)
    last = erasures.whole().order_by("-requested_at")
    events = ConsentEvent.objects.filter(**same).order_by("-sequence")
    offered = now - OFFERED_FOR
    begun_anew = ConsentState.objects.not_given_up()
    holds = LegalHold.objects.standing().covering(*same.values())
    return (
        ConsentState.objects.filter(tags_ended_at=None)
        .exclude(status=ConsentStatus.GIVEN)
        .exclude(pk__in=begun_anew.values("pk"))
        .exclude(Exists(erasures.filter(final_at=None)))
        .exclude(Exists(holds))
        .annotate(
            final=Subquery(last.values("final_at")[:1]),
            taken=Subquery(last.values("receipt_taken_at")[:1]),
            last_event=Subquery(events.values("at")[:1]),
        )
        .filter(
            Q(final__lte=offered, last_event__lte=offered)
            | Q(taken__gte=F("final"), taken__gt=F("last_event"))
        )
    )


def end_tags() -> int:
    """Write the last entries and destroy the tag keys that are of no more use. Keeper only."""
    steps = (write_last_entries, destroy_ended_tags, end_accounts, destroy_account_tags)
    return do_each(steps, lambda step: step())


def write_last_entries() -> int:
    """Write what is due of ``write_last_entry``; 0, because the key is counted when it is destroyed."""
    due = ended_states(timezone.now()).values_list("subject_id", "purpose_id")
    do_each(list(due[:BATCH]), lambda each: write_last_entry(*each))
    return 0


def destroy_ended_tags() -> int:
    """Destroy the tag keys after whose last entry nothing more is written; safe to repeat."""
    half_done = ConsentState.objects.filter(tags_destroyed_at=None).exclude(tags_ended_at=None)
    rows = list(half_done[:BATCH])
    forget_references()
    return do_each(rows, destroy_tags_of)


def destroy_tags_of(state: ConsentState) -> None:
    """The same for one person in one purpose."""
    references = SubjectReference.objects.filter(subject_id=state.subject_id)
    references.filter(purpose_id=state.purpose_id).delete()
    destroy_tag_key(state.subject_id, state.purpose_id)
    ConsentState.objects.filter(pk=state.pk).update(tags_destroyed_at=timezone.now())


def write_last_entry(subject_id: UUID, purpose_id: UUID) -> None:
    """Write the entry after which nothing is written about this person in this purpose any more.

    Asked once more under the locks: whoever began anew or was put under a hold meanwhile keeps their tags.
    """
    tags = tagger(subject_id, purpose_id)
    with transaction.atomic():
        lock_holds(subject_id, purpose_id)
        state = lock_state(subject_id, purpose_id)
        if not ended_states(timezone.now()).filter(pk=state.pk).exists():
            return
        state.tags_ended_at = timezone.now()
        state.version += 1
        state.save(update_fields=["tags_ended_at", "version"])
        appended = append(
            Draft(
                action=Action.TAGS_DESTROY,
                actor=SYSTEM_KEEPER.log_name(),
                reason=ReasonCode.SCHEDULE,
                purpose_id=purpose_id,
                subject_tag=tags.subject(),
            )
        )
        last = ErasureRequest.objects.whole().filter(subject_id=subject_id, purpose_id=purpose_id)
        request = last.latest("requested_at")
        request.entry_ids = [*request.entry_ids, str(appended.entry_id)]
        request.save(update_fields=["entry_ids"])


def ended_accounts(now: datetime) -> QuerySet[DataSubject]:
    """Closed accounts of which everything is final, the receipt was offered, and no hold stands."""
    erasures = ErasureRequest.objects.filter(subject_id=OuterRef("pk"))
    of_account = erasures.of_account().order_by("-requested_at")
    return (
        DataSubject.objects.exclude(closed_at=None)
        .filter(~is_person_held("pk"), tags_ended_at=None)
        .exclude(Exists(erasures.filter(final_at=None)))
        .annotate(
            final=Subquery(of_account.values("final_at")[:1]),
            taken=Subquery(of_account.values("receipt_taken_at")[:1]),
        )
        .filter(Q(final__lte=now - OFFERED_FOR) | Q(taken__gte=F("final")))
    )


def end_accounts() -> int:
    """The last entries under the tags of closed accounts, which sign-ins and messages were written with."""
    do_each(list(ended_accounts(timezone.now())[:BATCH]), write_last_entry_of_account)
    return 0


def write_last_entry_of_account(subject: DataSubject) -> None:
    """The same for one account."""
    tags = tagger(subject.id, None)
    with transaction.atomic():
        lock_holds(subject.id, None)
        mine = ended_accounts(timezone.now()).filter(pk=subject.pk)
        if mine.update(tags_ended_at=timezone.now()):
            append(
                Draft(
                    action=Action.TAGS_DESTROY,
                    actor=SYSTEM_KEEPER.log_name(),
                    reason=ReasonCode.SCHEDULE,
                    subject_tag=tags.subject(),
                )
            )


def destroy_account_tags() -> int:
    """Destroy the tag keys of closed accounts after their last entry; safe to repeat."""
    half_done = DataSubject.objects.filter(tags_destroyed_at=None).exclude(tags_ended_at=None)
    return do_each(list(half_done[:BATCH]), destroy_tags_of_account)


def destroy_tags_of_account(subject: DataSubject) -> None:
    """The same for one account."""
    destroy_tag_key(subject.id, None)
    DataSubject.objects.filter(pk=subject.pk).update(tags_destroyed_at=timezone.now())
