"""Letters that stopped being true while they waited: they are not sent, and thrown away.

A letter can wait for long: until a mail server is configured, or an administrator hands it over.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.actors import SYSTEM_KEEPER
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append
from consent import ending_soon, renewals
from consent.invitations import LETTER
from consent.models import (
    ConsentEvent,
    ConsentState,
    ConsentStatus,
    EventKind,
    Invitation,
    OutboxMessage,
    PurposeState,
    is_person_held,
)
from consent.row_by_row import do_each
from vault.keyring import destroy_data_keys
from vault.tags import tagger_if_alive

BATCH = 200


def overtaken() -> QuerySet[OutboxMessage]:
    """Those whose link works no more, to whose question the person has answered, or whose end has moved."""
    here = {"subject_id": OuterRef("subject_id"), "purpose_id": OuterRef("purpose_id")}
    now, states = timezone.now(), ConsentState.objects.filter(**here)
    working = Invitation.objects.filter(
        **here, redeemed_at=None, revoked_at=None, expires_at__gt=now
    )
    answered = states.filter(event__by="subject", event__at__gt=OuterRef("created_at"))
    renewable = states.filter(
        status=ConsentStatus.GIVEN, purpose__state=PurposeState.OPEN, valid_until__gt=now
    )
    asked_anew = ConsentEvent.objects.filter(
        **here,
        kind=EventKind.REQUESTED,
        method=renewals.METHOD,
        notice__version__gt=OuterRef("notice__version"),
    )
    changed = renewable.filter(Exists(asked_anew))
    same_end = renewable.filter(reminded_at__lte=OuterRef("created_at"))
    return OutboxMessage.objects.filter(
        (Q(kind=LETTER) & (~Q(Exists(working)) | Q(Exists(answered))))
        | (Q(kind=renewals.KIND) & ~Q(Exists(changed)))
        | (Q(kind=ending_soon.KIND) & ~Q(Exists(same_end))),
        sent_at=None,
    )


def discard_overtaken() -> int:
    """Throw them away, and their keys after them; what a legal hold covers only stays. Keeper only."""
    due = overtaken().filter(~is_person_held()).order_by("created_at")
    return do_each(due[:BATCH], discard)


def discard(message: OutboxMessage) -> int:
    """Throw one away if it still is overtaken, with its entry; how many that were."""
    tags = tagger_if_alive(message.subject_id, None)
    with transaction.atomic():
        still = overtaken().filter(~is_person_held(), pk=message.pk)
        if not still.select_for_update(of=("self",)).values_list("pk", flat=True):
            return 0
        OutboxMessage.objects.filter(pk=message.pk).delete()
        append(
            Draft(
                action=Action.MESSAGE_DISCARD,
                actor=SYSTEM_KEEPER.log_name(),
                subject_tag=tags.subject() if tags else b"",
                object_tag=tags.object("message", message.id) if tags else b"",
            )
        )
    destroy_data_keys([message.data_key_id])
    return 1
