"""The figures of the operators' first page: counts of states, never anything about one person."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from accounts.actors import Actor
from consent.models import ConsentState, ConsentStatus, Purpose, PurposeState
from consent.visibility import visible_purposes, visible_states
from emotion.models import Analysis, AnalysisState, Recording

SHOWN = 12


@dataclass
class PurposeFigures:
    """One purpose with how many people consent to it and how many recordings it has."""

    purpose: Purpose
    given: int = 0
    asked: int = 0
    ended: int = 0
    recordings: int = 0


@dataclass
class Overview:
    """Counts by state: (value, label, number) in the order of the states."""

    purposes: list[PurposeFigures] = field(default_factory=list)
    purpose_total: int = 0
    people: list[tuple[str, str, int]] = field(default_factory=list)
    people_total: int = 0
    analyses: list[tuple[str, str, int]] = field(default_factory=list)
    recording_total: int = 0


def by_state(rows: QuerySet[Any], column: str, choices: list[Any]) -> list[tuple[str, str, int]]:
    """How many rows are in each state; one query."""
    found = dict(rows.order_by().values_list(column).annotate(number=Count("pk")))
    return [(str(value), str(label), found.get(value, 0)) for value, label in choices]


def purpose_figures(actor: Actor) -> list[PurposeFigures]:
    """The purposes that are under way, newest first, with their counts; three queries."""
    shown = visible_purposes(actor).exclude(state=PurposeState.CLOSED).order_by("-id")[:SHOWN]
    figures = {purpose.id: PurposeFigures(purpose) for purpose in shown}
    states = ConsentState.objects.filter(purpose__in=figures).values_list("purpose_id")
    ended = [ConsentStatus.WITHDRAWN, ConsentStatus.REFUSED, ConsentStatus.EXPIRED]
    counted: QuerySet[ConsentState, tuple[UUID, int, int, int]] = states.annotate(
        given=Count("pk", filter=Q(status=ConsentStatus.GIVEN)),
        asked=Count("pk", filter=Q(status=ConsentStatus.REQUESTED)),
        ended=Count("pk", filter=Q(status__in=ended)),
    )
    for purpose_id, given, asked, over in counted:
        of = figures[purpose_id]
        of.given, of.asked, of.ended = given, asked, over
    recordings = Recording.objects.filter(purpose__in=figures, erased_at=None)
    for purpose_id, number in recordings.values_list("purpose_id").annotate(number=Count("pk")):
        figures[purpose_id].recordings = number
    return list(figures.values())


def overview(actor: Actor, *, people: bool, recordings: bool) -> Overview:
    """The figures that this operator may see; the same number of queries however many rows."""
    found = Overview(purposes=purpose_figures(actor), purpose_total=visible_purposes(actor).count())
    if people:
        found.people = by_state(visible_states(actor), "status", ConsentStatus.choices)
        found.people_total = sum(number for _value, _label, number in found.people)
    if recordings:
        rows = Analysis.objects.visible_to(actor)
        found.analyses = by_state(rows, "state", AnalysisState.choices)
        found.recording_total = Recording.objects.visible_to(actor).count()
    return found
