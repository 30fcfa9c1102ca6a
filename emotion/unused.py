"""Three years without a visit: whoever has not been seen for so long is given up, purpose by purpose.

Source of the period: Illinois BIPA §15(a), destruction within three years of the last interaction at the
latest. An interaction is what the person does: an event of their consent to the purpose, a signature, a
sign-in, a request, an upload of their own. What a study's program uploads for them is none.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.timezone import localdate

from audit_log.actions import ReasonCode
from consent.models import (
    ConsentEvent,
    ConsentState,
    ErasureCause,
    ErasureRequest,
    PaperConsent,
    SubjectRequest,
)
from consent.retention import BATCH, end_all
from consent.row_by_row import do_each
from emotion.models import Recording

AT_MOST = timedelta(days=3 * 365)
"""Three years, and never a day more: a leap year would make it one longer."""
OWN = "subject"


def unused_since(moment: datetime) -> QuerySet[ConsentState]:
    """The states of people who have not been seen since; those already given up left out.

    Whoever never came is as old here as the first that is known of them. What the system or the staff do
    moves no clock.
    """
    same = {"subject_id": OuterRef("subject_id"), "purpose_id": OuterRef("purpose_id")}
    acted = ConsentEvent.objects.filter(**same, by=OWN, at__gt=moment)
    signed = PaperConsent.objects.filter(
        subject=OuterRef("subject"),
        event__purpose=OuterRef("purpose"),
        signed_on__gt=localdate(moment),
    )
    asked = SubjectRequest.objects.filter(subject=OuterRef("subject"), received_at__gt=moment)
    uploaded = Recording.objects.filter(**same, uploaded_by=OWN, created_at__gt=moment)
    return (
        ConsentState.objects.filter(subject__created_at__lte=moment)
        .filter(Exists(known_by(moment, same)))
        .exclude(subject__user__last_login__gt=moment)
        .exclude(Exists(acted))
        .exclude(Exists(signed))
        .exclude(Exists(asked))
        .exclude(Exists(uploaded))
        .not_given_up()
    )


def known_by(moment: datetime, same: dict[str, OuterRef]) -> QuerySet[ConsentEvent]:
    """The events until then that no erasure of everything has followed: asked anew, one begins anew."""
    given_up = ErasureRequest.objects.whole().filter(**same, requested_at__gte=OuterRef("at"))
    return ConsentEvent.objects.filter(~Exists(given_up), **same, at__lte=moment)


def is_unused(state: ConsentState) -> bool:
    """Whether this person has not been seen for three years."""
    return unused_since(timezone.now() - AT_MOST).filter(pk=state.pk).exists()


def give_up_unused() -> int:
    """File the erasure of everything of people not seen for three years. Keeper only."""
    due = unused_since(timezone.now() - AT_MOST).values_list("subject_id", "purpose_id")
    return do_each(
        list(due[:BATCH]),
        lambda each: end_all(*each, ErasureCause.UNUSED, ReasonCode.UNUSED, is_unused),
    )
