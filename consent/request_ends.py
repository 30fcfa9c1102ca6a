"""The end of requests: three years after the answer, the row goes and with it what was written.

Until then it proves that there was an answer, and when. The texts of somebody who closes their account go
with their address (``consent.erasure.remove_contact``); the bare row stays for its time.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.actors import SYSTEM_KEEPER
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from consent.holds import holds_over, lock_holds
from consent.models import RequestState, SubjectRequest, is_person_held
from consent.row_by_row import do_each
from vault.keyring import destroy_data_keys
from vault.tags import tagger_if_alive

KEPT_FOR = timedelta(days=1095)
"""How long an ended request is kept: as long as somebody may still ask whether it was answered."""
BATCH = 200


def erase_old() -> int:
    """Erase the requests that ended ``KEPT_FOR`` ago and that no legal hold keeps. Keeper only.

    The entry first, then the keys, then the row: it can be killed anywhere and goes on. What a hold kept
    of a request that was taken back goes as soon as none does. Returns how many rows and texts went.
    """
    old = Q(~is_person_held(), ended_at__lte=timezone.now() - KEPT_FOR)
    over = SubjectRequest.objects.ended().filter(old)
    begun = Q(erased_at__isnull=False) | Q(pk__in=over.values("pk"))
    return do_each(
        [(erase_one, SubjectRequest.objects.filter(begun)), (erase_text, taken_back())],
        lambda step: do_each(in_turn(step[1]), step[0]),
    )


def erase_one(asked: SubjectRequest) -> bool:
    """Erase one request with its row; False while a hold postpones it."""
    if asked.erased_at is None and not begin(asked, ReasonCode.RETENTION_END, row=True):
        return False
    destroy_data_keys(key for key in (asked.text_key_id, asked.answer_key_id) if key)
    asked.delete()
    return True


def taken_back() -> QuerySet[SubjectRequest]:
    """What was written in requests that were taken back under a hold that is over by now.

    Of a closed account the account's own erasure does it.
    """
    return SubjectRequest.objects.filter(
        Q(text_sealed=None) | ~is_person_held(),
        state=RequestState.RETRACTED,
        text_key_id__isnull=False,
        erased_at=None,
        subject__closed_at=None,
    )


def erase_text(asked: SubjectRequest) -> bool:
    """Erase one text, whose row names the key until it is destroyed; whether this call began it."""
    begins = asked.text_sealed is not None
    if begins and not begin(asked, ReasonCode.WITHDRAWAL, row=False):
        return False
    destroy_data_keys([asked.text_key_id] if asked.text_key_id else [])
    SubjectRequest.objects.filter(pk=asked.pk).update(text_key_id=None)
    return begins


def in_turn(rows: QuerySet[SubjectRequest]) -> list[SubjectRequest]:
    """A batch of them, those that ended first in front."""
    return list(rows.select_related("subject").order_by("ended_at", "pk")[:BATCH])


def begin(asked: SubjectRequest, reason: ReasonCode, *, row: bool) -> bool:
    """Write down that the end of the row, or of its text only, begins; False while a hold postpones it."""
    # Of a closed account the key of the tags is gone by now, and the entry names nobody.
    tags = tagger_if_alive(asked.subject_id, None)
    with transaction.atomic():
        lock_holds(asked.subject_id, None)
        if holds_over(asked.subject_id, None).standing().exists():
            return False
        mine = SubjectRequest.objects.filter(pk=asked.pk, erased_at=None)
        if row:
            first = mine.update(erased_at=timezone.now())
        else:
            first = mine.filter(text_sealed__isnull=False).update(text_sealed=None)
        if first:
            append(
                Draft(
                    action=Action.REQUEST_ERASE,
                    actor=SYSTEM_KEEPER.log_name(),
                    reason=reason,
                    subject_tag=tags.subject() if tags else b"",
                    object_tag=tags.object("request", asked.id) if tags else b"",
                )
            )
    return True
