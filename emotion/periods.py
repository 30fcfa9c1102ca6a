"""Shortening how long a purpose keeps things: it applies to what exists, at once.

Lengthening is no change of an open purpose: people said yes to the periods in the notice they read, so a
longer one is a new promise and needs a new purpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext as _

from accounts.actors import Actor
from audit_log.actions import Action
from audit_log.log import append
from consent.errors import InvalidPurpose
from consent.models import Purpose, PurposeState
from consent.purposes import entry, locked
from emotion.models import MediaState, Recording, Result


@dataclass(frozen=True)
class Periods:
    """For how many days photographs and results are kept."""

    media_days: int
    result_days: int


def periods_of(purpose: Purpose) -> Periods:
    """What a purpose says now; 0 where it says nothing."""
    return Periods(purpose.media_retention_days or 0, purpose.result_retention_days or 0)


def check_periods(purpose: Purpose, new: Periods) -> None:
    """Raise InvalidPurpose unless these are shorter, and not of a purpose that is still being written."""
    if purpose.state not in {PurposeState.OPEN, PurposeState.CLOSED}:
        raise InvalidPurpose(_("This purpose has not opened yet: change its draft instead."))
    old = periods_of(purpose)
    if new == old:
        raise InvalidPurpose(_("These are the periods it has already."))
    if not 1 <= new.media_days <= old.media_days or not 1 <= new.result_days <= old.result_days:
        raise InvalidPurpose(
            _(
                "Periods of a purpose that people said yes to only become shorter: photographs 1 to "
                "%(media)s days, results 1 to %(results)s; got %(new_media)s and %(new_results)s. For a "
                "longer one write a new purpose."
            )
            % {
                "media": old.media_days,
                "results": old.result_days,
                "new_media": new.media_days,
                "new_results": new.result_days,
            }
        )


def media_ending_earlier(purpose_id: UUID, days: int) -> QuerySet[Recording]:
    """The recordings whose photograph would go earlier."""
    return Recording.objects.filter(
        purpose_id=purpose_id,
        erased_at=None,
        media_state=MediaState.STORED,
        media_retain_until__gt=F("created_at") + timedelta(days=days),
    )


def results_ending_earlier(purpose_id: UUID, days: int) -> QuerySet[Recording]:
    """The recordings that would go earlier as a whole."""
    return Recording.objects.filter(
        purpose_id=purpose_id,
        erased_at=None,
        retain_until__gt=F("created_at") + timedelta(days=days),
    )


def count_ending_earlier(purpose_id: UUID, new: Periods) -> int:
    """How many recordings would end earlier, as a whole or their photograph."""
    media = media_ending_earlier(purpose_id, new.media_days).values("pk")
    whole = results_ending_earlier(purpose_id, new.result_days).values("pk")
    return Recording.objects.filter(Q(pk__in=media) | Q(pk__in=whole)).count()


def shorten_periods(actor: Actor, purpose_id: UUID, new: Periods, expected: int) -> int:
    """Shorten a purpose's periods and the dates of what it has; returns how many recordings end earlier.

    ``expected``: the number that was shown before it was decided. Raises InvalidPurpose when another
    number would end earlier by now, or the periods do not become shorter; then nothing has changed.
    """
    with transaction.atomic():
        purpose = locked(purpose_id)
        check_periods(purpose, new)
        number = count_ending_earlier(purpose_id, new)
        if number != expected:
            raise InvalidPurpose(
                _(
                    "Since you looked the number has changed: %(number)s recordings would end earlier "
                    "now, not %(expected)s. Please look again."
                )
                % {"number": number, "expected": expected}
            )
        purpose.media_retention_days = new.media_days
        purpose.result_retention_days = new.result_days
        purpose.save(update_fields=["media_retention_days", "result_retention_days"])
        media_ending_earlier(purpose_id, new.media_days).update(
            media_retain_until=F("created_at") + timedelta(days=new.media_days)
        )
        results_ending_earlier(purpose_id, new.result_days).update(
            retain_until=F("created_at") + timedelta(days=new.result_days)
        )
        follow_recordings(purpose_id)
        append(entry(actor, Action.PURPOSE_SHORTEN, purpose_id))
    return number


def follow_recordings(purpose_id: UUID) -> None:
    """Let no result outlive its recording's date."""
    recording = Recording.objects.filter(analyses=OuterRef("analysis_id")).values("retain_until")
    results = Result.objects.filter(analysis__recording__purpose_id=purpose_id)
    until = Subquery(recording[:1])
    results.filter(retain_until__gt=until).update(retain_until=until)
