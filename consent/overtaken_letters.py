"""Letters that stopped being true while they waited: they are not sent, and thrown away.

A letter can wait for long: until a mail server is configured, or an administrator hands it over.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

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
from vault.keyring import destroy_data_keys

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
    with transaction.atomic():
        due = overtaken().filter(~is_person_held()).select_for_update(of=("self",))
        keys = dict(due.values_list("pk", "data_key_id")[:BATCH])
        OutboxMessage.objects.filter(pk__in=keys).delete()
    return len(destroy_data_keys(keys.values()))
