"""Whom a breach concerns, drawn from the access log.

Entries name people by tags under a key of each person and purpose. So the tags of everybody who still has
one are made anew and compared; a tag that fits nobody belonged to somebody whose key is destroyed, and
is counted as what it is: no longer to be linked. Who went around the program left no entry; then the
officer names everybody whom the purpose ever asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db.models import Count, QuerySet

from audit_log.actions import LOOKS, Outcome
from audit_log.models import LogEntry, PendingEntry
from consent.models import ConsentEvent, ConsentState, DataSubject
from vault.errors import KeyDestroyed
from vault.tags import tagger

Tagged = tuple[UUID | None, bytes]
"""The purpose of an entry (None: the account) and the person's tag in it."""


@dataclass(frozen=True)
class Span:
    """Which entries to look at: from when to when, and if given of which purpose and by whom."""

    begins_at: datetime
    ends_at: datetime
    purpose_id: UUID | None = None
    actor: str = ""
    everybody: bool = False


@dataclass
class Reach:
    """Entries by person, and how many tags fit nobody any more."""

    people: Counter[UUID] = field(default_factory=Counter)
    unlinked: int = 0


def reads_in(span: Span) -> QuerySet[LogEntry]:
    """The entries of reads that succeeded in this span, but for people's own."""
    rows = LogEntry.objects.filter(
        action__in=LOOKS,
        outcome=Outcome.OK,
        time__gte=span.begins_at,
        time__lt=span.ends_at,
    ).exclude(actor__startswith="subject:")
    if span.purpose_id is not None:
        rows = rows.filter(purpose_id=span.purpose_id)
    if span.actor:
        rows = rows.filter(actor=span.actor)
    return rows


def draw(span: Span) -> Reach:
    """Whom the span concerns. It opens tag keys one by one: not under a lock."""
    found = reads_in(span).order_by().values_list("purpose_id", "subject_tag")
    counted: dict[Tagged, int] = {
        (purpose_id, bytes(tag)): number
        for purpose_id, tag, number in found.annotate(number=Count("pk"))
        if tag
    }
    reach = Reach()
    for subject_id, purpose_id in candidates({purpose for purpose, _tag in counted}):
        if not counted:
            break
        number = counted.pop((purpose_id, tag_of(subject_id, purpose_id)), 0)
        if number:
            reach.people[subject_id] += number
    reach.unlinked = len(counted)
    if span.everybody:
        for subject_id in asked_before(span):
            reach.people.setdefault(subject_id, 0)
    return reach


def not_yet_in_the_tree(span: Span) -> int:
    """How many entries of that time the keeper has not integrated: a list drawn now may lack some."""
    return PendingEntry.objects.filter(created__lt=span.ends_at).count()


def candidates(purposes: set[UUID | None]) -> Iterator[tuple[UUID, UUID | None]]:
    """Everybody who still has tags in one of these purposes, or in their account."""
    given = [purpose_id for purpose_id in purposes if purpose_id is not None]
    states = ConsentState.objects.filter(purpose_id__in=given, tags_ended_at=None)
    yield from states.values_list("subject_id", "purpose_id").order_by("pk").iterator()
    if None in purposes:
        accounts = DataSubject.objects.filter(tags_ended_at=None).order_by("pk")
        for subject_id in accounts.values_list("pk", flat=True).iterator():
            yield subject_id, None


def tag_of(subject_id: UUID, purpose_id: UUID | None) -> bytes:
    """The person's tag; none when its key was destroyed just now."""
    try:
        return tagger(subject_id, purpose_id).subject()
    except KeyDestroyed:
        return b""


def asked_before(span: Span) -> list[UUID]:
    """Everybody whom the purpose asked before the span was over; of no one purpose, who was known."""
    if span.purpose_id is None:
        people = DataSubject.objects.filter(created_at__lt=span.ends_at)
        return list(people.values_list("pk", flat=True))
    events = ConsentEvent.objects.filter(purpose_id=span.purpose_id, at__lt=span.ends_at)
    return list(events.order_by().values_list("subject_id", flat=True).distinct())
