"""One act on many recordings: what would happen to each, and then each through the act for a single one.

Nothing here changes anything itself. A plan only asks; carrying it out calls, row after row, what the
buttons of a single recording call, each with its own question to the gate, its own transaction and its own
entry. What was done stays done when a later row is refused, and the same act sent again does nothing twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.actors import Actor
from consent.enforcement import asker_of, current_state, decide_now
from consent.errors import ConsentError, ConsentRefused
from consent.models import DataCategory, LegalHold
from consent.rules import Operation
from emotion.cancelling import cancel
from emotion.discarding import ANSWER_IT, discard
from emotion.errors import EmotionError
from emotion.models import (
    UNDER_WAY,
    Analysis,
    AnalysisState,
    MediaState,
    Recording,
    erasures_of_each,
    recording_standing,
)
from emotion.reanalysis import analyse_again

MOST = 50
"""Rows at a time: as many as a page lists. The page waits for all of them."""


class Act(models.TextChoices):
    """What can be done with many recordings at once."""

    RETRY = "retry", gettext_lazy("Try the failed ones again")
    REPEAT = "repeat", gettext_lazy("Analyse again with the models in use now")
    STOP = "stop", gettext_lazy("Stop what waits or runs")
    ERASE = "erase", gettext_lazy("Erase the recordings")


NEEDS = {
    Act.RETRY: "emotion.analyse_again",
    Act.REPEAT: "emotion.analyse_again",
    Act.STOP: "emotion.cancel_analysis",
    Act.ERASE: "emotion.erase_recording",
}
"""The permission that each act needs, as for a single recording."""
DESTROYS = {Act.STOP, Act.ERASE}
"""What cannot be taken back: with what is stopped, media as they came go too."""


def acts_of(user: Any) -> list[tuple[str, str]]:
    """The acts that this operator may do, as the choices of a field."""
    return [(act.value, str(act.label)) for act in Act if user.has_perm(NEEDS[act])]


@dataclass(frozen=True)
class Item:
    """One ticked row.

    Fields:
        left_out: why nothing would happen to it, in a sentence; nothing when it would be done.
        held: whether a legal hold postpones its destruction.
        keeps_media: whether a covered photograph stays when its analysis is stopped.
    """

    analysis: Analysis
    left_out: str
    held: bool = False

    @property
    def recording(self) -> Recording:
        """What the row is about."""
        return self.analysis.recording

    @property
    def keeps_media(self) -> bool:
        """Whether its media are kept, covered, so that they outlive an analysis that is stopped."""
        return self.recording.covered_at is not None


@dataclass(frozen=True)
class Done:
    """What became of one row: done, or why not."""

    analysis: Analysis
    problem: str


def ticked(actor: Actor, ids: Collection[UUID]) -> list[Analysis]:
    """The rows with these ids that the actor may know of, the newest first; others are not there."""
    under_way = Analysis.objects.filter(recording=OuterRef("recording"), state__in=UNDER_WAY)
    given_up = Recording.objects.filter(pk=OuterRef("recording")).filter(
        Exists(erasures_of_each(media=False))
    )
    rows = Analysis.objects.visible_to(actor).filter(pk__in=list(ids))
    rows = rows.annotate(busy=Exists(under_way), given_up=Exists(given_up))
    return list(rows.select_related("recording__purpose").order_by("-pk"))


def plan(actor: Actor, act: Act, ids: Collection[UUID]) -> list[Item]:
    """What this act would do to each of these rows now. It asks the gate, and nothing is written down.

    A recording is taken once, however many of its analyses are ticked.
    """
    found, taken = [], set[UUID]()
    for row in ticked(actor, ids):
        left_out = why_not(actor, act, row)
        if not left_out and act is not Act.STOP and row.recording_id in taken:
            left_out = _("Another ticked row is about the same recording.")
        if not left_out:
            taken.add(row.recording_id)
        held = act is Act.ERASE and not left_out and is_held(row.recording)
        found.append(Item(row, left_out, held))
    return found


def is_held(recording: Recording) -> bool:
    """Whether a legal hold stands over it."""
    holds = LegalHold.objects.covering(recording.subject_id, recording.purpose_id)
    return holds.standing().exists()


def why_not(actor: Actor, act: Act, row: Any) -> str:
    """Why nothing would happen to a row, in a sentence; nothing when it would be done."""
    if act is Act.ERASE:
        return why_not_erased(row)
    if act is Act.STOP:
        left_out = "" if row.state in UNDER_WAY else _("Its analysis has ended already.")
    else:
        left_out = why_not_analysed(act, row)
    return left_out or refused_by_gate(actor, row.recording)


def why_not_erased(row: Any) -> str:
    """Of a recording that is to be erased."""
    if row.recording.erased_at is not None or row.given_up:
        return _("It is erased already, or being erased.")
    return str(ANSWER_IT) if row.recording.disputed_at is not None else ""


def why_not_analysed(act: Act, row: Any) -> str:
    """Of a recording that is to be analysed again."""
    if act is Act.RETRY and row.state != AnalysisState.FAILED:
        return _("Its analysis has not failed.")
    if row.recording.media_state != MediaState.STORED:
        return _("Its photograph or film is erased, so there is nothing to analyse again.")
    return _("An analysis of it waits or runs already.") if row.busy else ""


def refused_by_gate(actor: Actor, recording: Recording) -> str:
    """What the gate would say now, in a sentence; nothing when it would let an analysis go on."""
    asking = asker_of(actor)
    reason = decide_now(
        current_state(recording.subject_id, recording.purpose_id, asking),
        Operation.ANALYSE,
        asking,
        frozenset({DataCategory.MEDIA}),
        partial(recording_standing, recording.id, media=True),
    )
    return str(ConsentRefused(reason)) if reason else ""


def carry_out(actor: Actor, act: Act, ids: Iterable[UUID], key: str) -> list[Done]:
    """Do it, row after row. ``key``: of this one act; sent again with it, nothing happens twice.

    Raises LogUnavailable and what else stands in the way of all of them; what was done by then stays.
    """
    return [carry_out_one(actor, act, row, key) for row in ticked(actor, list(ids))]


def carry_out_one(actor: Actor, act: Act, row: Analysis, key: str) -> Done:
    """Do it with one row, through the act for a single recording."""
    try:
        if act is Act.ERASE:
            discard(actor, row.recording_id)
        elif act is Act.STOP:
            cancel(actor, row.id)
        elif act is Act.REPEAT or row.state == AnalysisState.FAILED:
            analyse_again(actor, row.recording_id, f"{key} {row.recording_id}")
        else:
            return Done(row, _("Its analysis has not failed."))
    except (ConsentError, EmotionError) as problem:
        return Done(row, str(problem))
    return Done(row, "")
