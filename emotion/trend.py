"""One's own results over time: a private page that a person may turn on for themselves.

Nothing about it is kept here. Whether it is on lies in a cookie of the person's own browser, sent to this
one page and good for this one person; no table, entry, list or export knows of it. What is shown is opened
through the same door as any own result, one entry each, and nothing is computed from it: no score, no
threshold, no message. Operators and API clients have no such page.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.actors import Actor
from consent.errors import ConsentRefused
from consent.models import ConsentState, ConsentStatus, DataSubject
from emotion.errors import EmotionError, Gone, NotFound
from emotion.models import Analysis, AnalysisState, Recording, erasures_of_each
from emotion.results import read_result
from emotion.set_words import EXPRESSIONS
from emotion.wording import in_words
from vault.errors import KeyDestroyed

COOKIE = "consentry_over_time"
COOKIE_DAYS = 90
MOST = 50  # results opened for one page; each costs an entry


def mark(subject: DataSubject) -> str:
    """What the cookie holds: a keyed hash that fits this person only and names nobody."""
    return salted_hmac("emotion.trend", str(subject.id), algorithm="sha256").hexdigest()


def is_on(subject: DataSubject, cookie: str) -> bool:
    """Whether this person turned the page on in the browser that sent the cookie."""
    return constant_time_compare(cookie, mark(subject))


@dataclass(frozen=True)
class Moment:
    """What one photograph showed.

    Fields:
        headline: in words; abstained: why it was not analysed, or nothing.
        shares: by expression, 0 to 1; None without a measured expression.
        caveat: on which data what measured it was calibrated; nothing without an expression.
    """

    at: datetime
    analysis_id: UUID
    purpose_name: str
    headline: str
    abstained: str
    findings: list[str]
    shares: dict[str, float] | None
    caveat: str

    def __repr__(self) -> str:
        return f"Moment({self.analysis_id}, sealed)"


@dataclass
class Trend:
    """The moments, oldest first; how many could not be opened, and how many entries that made."""

    moments: list[Moment] = field(default_factory=list)
    closed: int = 0
    entries: int = 0

    def counted(self) -> list[tuple[str, int]]:
        """How many photographs have each headline, the most frequent first."""
        return Counter(moment.headline for moment in self.moments).most_common()

    def caveats(self) -> list[str]:
        """On which data the packs that measured were calibrated, each once."""
        return list(dict.fromkeys(each.caveat for each in self.moments if each.caveat))


def own_analyses(actor: Actor, subject: DataSubject) -> QuerySet[Analysis]:
    """The newest results of the studies whose consent is live now, as far as one can tell beforehand.

    Of each photograph only its newest one: measured again, it is no other moment of the person. The gate
    decides about each; this only spares the log refusals that are certain.
    """
    now = timezone.now()
    live = ConsentState.objects.filter(
        subject=subject, status=ConsentStatus.GIVEN, valid_until__gt=now
    )
    recordings = Recording.objects.visible_to(actor).filter(
        ~Exists(erasures_of_each(media=False)),
        subject=subject,
        purpose__in=live.values("purpose_id"),
        erased_at=None,
        disputed_at=None,
        retain_until__gt=now,
    )
    # One photograph is one moment; a film has a course of its own on its own page.
    photographs = recordings.exclude(media_type__startswith="video/")
    done = Analysis.objects.filter(state=AnalysisState.DONE)
    newest = done.filter(recording=OuterRef("recording")).order_by("-id").values("id")[:1]
    found = done.filter(recording__in=photographs, id=Subquery(newest))
    return found.order_by("-recording__created_at", "-id")[:MOST]


def open_trend(actor: Actor, subject: DataSubject) -> Trend:
    """Open the results one by one, each an own access in the log.

    What its consent or its end has closed is counted and left out. Raises LogUnavailable and whatever
    else stands in the way of reading at all.
    """
    trend = Trend()
    for analysis in reversed(own_analyses(actor, subject)):
        try:
            opened = read_result(actor, analysis.id)
        except (NotFound, Gone):
            trend.closed += 1
        except (ConsentRefused, EmotionError, KeyDestroyed):
            trend.closed += 1
            trend.entries += 1
        else:
            trend.entries += 1
            trend.moments.append(moment(opened.analysis, opened.parts))
    return trend


def moment(analysis: Analysis, parts: dict[str, dict[str, Any]]) -> Moment:
    """One opened result as a point in time."""
    words = in_words(parts)
    return Moment(
        at=analysis.recording.created_at,
        analysis_id=analysis.id,
        purpose_name=analysis.recording.purpose.name,
        headline=words["headline"],
        abstained=str(words["abstained"]),
        findings=words["findings"],
        shares=parts.get("expression", {}).get("probabilities"),
        caveat=words["caveat"],
    )


def strips(moments: list[Moment]) -> list[dict[str, Any]]:
    """The chart: for each expression a row of columns, one for each photograph, oldest first.

    A column has ``x``, and ``top`` from 20 (none of the votes) to 0 (all), or None without a measurement.
    """
    return [
        {
            "label": label,
            "columns": [
                {"x": x, "top": 20 * (1 - each.shares[name]) if each.shares else None}
                for x, each in enumerate(moments)
            ],
        }
        for name, label in EXPRESSIONS.items()
    ]
