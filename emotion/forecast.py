"""What falls due: how many recordings and consents end in the next days, per purpose. Counts only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, Exists, F, Q, QuerySet, When
from django.db.models.functions import Least
from django.utils import timezone

from consent.models import ConsentState, ConsentStatus, ErasureRequest, LegalHold, Purpose
from emotion.models import MediaState, Recording, erasures_of_each

WITHIN_DAYS = (7, 30, 90)
"""How far the forecast looks; each number includes the ones before it."""


@dataclass
class Due:
    """One purpose: numbers that end within 7, 30 and 90 days, in this order.

    Fields:
        overdue: recordings, photographs and consents past their date for which no erasure was filed.
        under_way: erasures that can go on and are not done; held: those that a legal hold postpones.
        holds: how many holds stand. ends_at: when everything of a closed purpose goes.
    """

    purpose: Purpose
    recordings: list[int] = field(default_factory=lambda: [0] * len(WITHIN_DAYS))
    photographs: list[int] = field(default_factory=lambda: [0] * len(WITHIN_DAYS))
    consents: list[int] = field(default_factory=lambda: [0] * len(WITHIN_DAYS))
    overdue: int = 0
    under_way: int = 0
    held: int = 0
    holds: int = 0

    @property
    def ends_at(self) -> datetime | None:
        """The end of a closed purpose."""
        return self.purpose.ends_at


def tally(rows: QuerySet[Any], now: datetime) -> dict[UUID, list[int]]:
    """Purpose → how many rows are past their date ``due``, then how many end within each span."""
    spans = {
        f"within_{days}": Count("pk", filter=Q(due__gt=now, due__lte=now + timedelta(days=days)))
        for days in WITHIN_DAYS
    }
    counted = (
        rows.order_by()
        .values("purpose_id")
        .annotate(past=Count("pk", filter=Q(due__lte=now)), **spans)
    )
    return {
        row["purpose_id"]: [row["past"], *(row[name] for name in spans)]
        for row in counted.iterator()
    }


def by_purpose(rows: QuerySet[Any]) -> dict[UUID, int]:
    """Purpose → number of rows."""
    counted = rows.order_by().values_list("purpose_id").annotate(number=Count("pk"))
    return dict(counted)


def forecast(purposes: QuerySet[Purpose]) -> list[Due]:
    """What falls due in these purposes, by name; the same number of queries however many rows."""
    now = timezone.now()
    found = {purpose.id: Due(purpose) for purpose in purposes.order_by("name", "id")}
    end = F("purpose__ends_at")
    kept = Recording.objects.filter(purpose__in=found, erased_at=None)
    recordings = kept.exclude(Exists(erasures_of_each(media=False)))
    consents = ConsentState.objects.filter(purpose__in=found, status=ConsentStatus.GIVEN)
    stored = kept.filter(media_state=MediaState.STORED).exclude(
        Exists(erasures_of_each(media=True))
    )
    series = {
        "recordings": first_of(recordings, F("retain_until"), end),
        "photographs": first_of(stored, F("media_retain_until"), end),
        "consents": first_of(consents, F("valid_until"), end),
    }
    for name, rows in series.items():
        for purpose_id, (past, *within) in tally(rows, now).items():
            setattr(found[purpose_id], name, within)
            found[purpose_id].overdue += past
    filed = ErasureRequest.objects.filter(purpose__in=found)
    for name, counts in {
        "under_way": by_purpose(filed.waiting()),
        "held": by_purpose(filed.held()),
        "holds": by_purpose(LegalHold.objects.standing().filter(purpose__in=found)),
    }.items():
        for purpose_id, number in counts.items():
            setattr(found[purpose_id], name, number)
    return list(found.values())


def first_of(rows: QuerySet[Any], own: F, end: F) -> QuerySet[Any]:
    """The rows with ``due``: their own date or the end of their purpose, whichever is first.

    SQLite's least is NULL when one of the two is, PostgreSQL's is not; so both are asked for apart.
    """
    due = Case(When(purpose__ends_at__isnull=True, then=own), default=Least(own, end))
    dated: QuerySet[Any] = rows.annotate(due=due)
    return dated
