"""The end of requests: three years after the answer, the row goes and with it what was written.

Until then it proves that there was an answer, and when. The texts of somebody who closes their account go
with their address (``consent.erasure.remove_contact``); the bare row stays for its time.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.actors import SYSTEM_KEEPER
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from consent.holds import holds_over, lock_holds
from consent.models import SubjectRequest
from vault.keyring import destroy_data_keys
from vault.tags import tagger

KEPT_FOR = timedelta(days=1095)
"""How long an ended request is kept: as long as somebody may still ask whether it was answered."""
BATCH = 200


def erase_old() -> int:
    """Erase the requests that ended ``KEPT_FOR`` ago and that no legal hold keeps. Keeper only.

    The entry first, then the keys, then the row: it can be killed anywhere and goes on.
    """
    over = SubjectRequest.objects.ended().filter(ended_at__lte=timezone.now() - KEPT_FOR)
    begun = Q(erased_at__isnull=False) | Q(pk__in=over.values("pk"))
    erased = 0
    for asked in list(SubjectRequest.objects.filter(begun).select_related("subject")[:BATCH]):
        if asked.erased_at is None and not begin(asked):
            continue
        destroy_data_keys(key for key in (asked.text_key_id, asked.answer_key_id) if key)
        asked.delete()
        erased += 1
    return erased


def begin(asked: SubjectRequest) -> bool:
    """Write down that the end begins; False while a legal hold over the person postpones it."""
    # Of a closed account the key of the tags is gone by now, and the entry names nobody.
    ended = asked.subject.tags_ended_at is not None
    tags = None if ended else tagger(asked.subject_id, None)
    with transaction.atomic():
        lock_holds(asked.subject_id, None)
        if holds_over(asked.subject_id, None).standing().exists():
            return False
        mine = SubjectRequest.objects.filter(pk=asked.pk, erased_at=None)
        if mine.update(erased_at=timezone.now()):
            append(
                Draft(
                    action=Action.REQUEST_ERASE,
                    actor=SYSTEM_KEEPER.log_name(),
                    reason=ReasonCode.RETENTION_END,
                    subject_tag=tags.subject() if tags else b"",
                    object_tag=tags.object("request", asked.id) if tags else b"",
                )
            )
    return True
