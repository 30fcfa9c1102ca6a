"""The operators' first page: counts of states, and what waits for them; nothing about one person."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from accounts.actors import Actor
from accounts.training import valid_of
from consent.models import (
    Breach,
    ConsentState,
    ConsentStatus,
    OutboxMessage,
    Purpose,
    PurposeState,
    SubjectRequest,
    Telling,
)
from consent.purposes import EDITABLE
from consent.visibility import visible_purposes, visible_states
from emotion.models import Analysis, AnalysisState, Dispute, Recording
from emotion.reanalysis import analysed_by_other_packs

SHOWN = 12
LISTED = 10


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


def purposes_in(actor: Actor, states: Collection[str]) -> list[Purpose]:
    """The first purposes of this operator that are in one of these states."""
    return list(visible_purposes(actor).filter(state__in=states).order_by("id")[:LISTED])


def failed_analyses(actor: Actor) -> int:
    """How many analyses that this operator may know of have failed."""
    return Analysis.objects.visible_to(actor).filter(state=AnalysisState.FAILED).count()


TASKS: dict[str, tuple[str, Callable[[Actor], Any]]] = {
    "review": ("consent.open_purpose", lambda actor: purposes_in(actor, [PurposeState.IN_REVIEW])),
    "drafts": ("consent.submit_purpose", lambda actor: purposes_in(actor, EDITABLE)),
    "messages": (
        "consent.view_outbox",
        lambda actor: OutboxMessage.objects.filter(sent_at=None).count(),
    ),
    "missing": ("accounts.manage_clients", lambda actor: Telling.objects.missing().count()),
    "requests": ("consent.answer_request", lambda actor: SubjectRequest.objects.waiting().count()),
    "overdue": ("consent.answer_request", lambda actor: SubjectRequest.objects.overdue().count()),
    "breaches": (
        "consent.record_breach",
        lambda actor: list(Breach.objects.unfinished().order_by("noticed_at")[:LISTED]),
    ),
    "untrained": ("emotion.read_result", lambda actor: not valid_of(actor.id).exists()),
    "disputes": (
        "emotion.view_disputes",
        lambda actor: Dispute.objects.visible_to(actor).open().count(),
    ),
    "failed": ("emotion.view_recordings", failed_analyses),
    "other_packs": (
        "emotion.analyse_again",
        lambda actor: analysed_by_other_packs(Analysis.objects.visible_to(actor)).count(),
    ),
}
"""What can wait for somebody: who could move it on, and how much of it there is."""


def waiting_for(actor: Actor, user: Any) -> dict[str, Any]:
    """What this person can move on now, by the names of TASKS."""
    return {name: ask(actor) for name, (needs, ask) in TASKS.items() if user.has_perm(needs)}
