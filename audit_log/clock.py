"""Whether this machine's clock can be believed. Consent and retention are judged by date.

One row remembers the latest time that this installation has seen. A clock that is *behind* it would let
ended consents live again: the gate refuses, and nothing is erased or rotated by date. A clock that is
far *ahead* of it would have everything erased as overdue: the gate refuses by date as always, but what
cannot be undone is held back, for 24 hours that the keeper has run, or until an operator confirms.

All times are UTC, so daylight saving changes nothing; steps of up to five minutes back and ten minutes
ahead, as time servers make them, are allowed.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from django.db import transaction
from django.db.models import DateTimeField, F
from django.db.models.functions import Greatest
from django.utils import timezone

from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append
from audit_log.models import ClockMark
from audit_log.prepared import Columns, Given, Prepared

log = logging.getLogger("consentry.clock")

BACK = timedelta(minutes=5)
"""How far behind the latest time seen the clock may be."""
JUMP = timedelta(minutes=10)
"""How far the clock may run ahead of the time that the kernel has counted."""
AHEAD = timedelta(days=4)
"""How much later than the latest time seen it may be without doubt: a long weekend switched off."""
HOLD = timedelta(hours=24)
"""For how long, while the keeper runs, a clock that may be ahead holds back what cannot be undone."""
REMIND = 3600.0  # seconds until the same line is written again
ONLY = 1  # the key of the one row
ACTOR = "system:setup"


class ClockState(StrEnum):
    """What can be said of the clock."""

    RIGHT = "right"
    BEHIND = "behind"
    SUSPECT = "suspect"  # it may be ahead


@dataclass(frozen=True)
class Reading:
    """The clock against the mark. ``at`` is None before the keeper's first look."""

    state: ClockState
    now: datetime
    at: datetime | None = None
    suspect_since: datetime | None = None

    def words(self) -> str:
        """One line for an operator: what is wrong and what to do; empty when nothing is."""
        if self.at is None or self.state is ClockState.RIGHT:
            return ""
        times = (
            f"the clock says {self.now:{FORMAT}}, the latest time seen here is {self.at:{FORMAT}}"
        )
        if self.state is ClockState.BEHIND:
            return (
                f"The clock is behind: {times}. Until it is set right nothing is opened, analysed or "
                "erased by date. If it is right now and was wrong before: manage.py confirm_clock"
            )
        return (
            f"The clock may be ahead: {times}. What ends by date is refused as always, but not erased "
            "for up to 24 hours. Set the clock right, or if it is right: manage.py confirm_clock"
        )


FORMAT = "%Y-%m-%d %H:%M UTC"


def read_clock() -> Reading:
    """The clock and the mark by one fresh query; nothing is changed."""
    now = timezone.now()
    mark = ClockMark.objects.using("default").filter(pk=ONLY).first()
    if mark is None:
        return Reading(ClockState.RIGHT, now)
    if now < mark.at - BACK:
        state = ClockState.BEHIND
    elif mark.suspect_since is not None:
        state = ClockState.SUSPECT
    else:
        state = ClockState.RIGHT
    return Reading(state, now, mark.at, mark.suspect_since)


class Seen(NamedTuple):
    """The latest time that this installation has seen."""

    at: datetime


SEEN_AFTER = Prepared(
    Columns(Seen),
    lambda: ClockMark.objects.filter(pk=ONLY, at__gt=Given("latest", DateTimeField())),
)


def is_behind(now: datetime) -> bool:
    """Whether dates cannot be judged by ``now``; one fresh query on the primary database."""
    return SEEN_AFTER.first(latest=now + BACK) is not None


def seconds_since_boot() -> float:
    """Time that the kernel has counted, sleep included; nobody sets it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Watch:
    """The keeper's look at the clock, every few seconds. One per process.

    Several keepers do no harm: the mark only grows, and so does the time that the hold has lasted.
    """

    def __init__(self, counted: Callable[[], float] = seconds_since_boot) -> None:
        self.counted = counted
        self.believed: tuple[datetime, float] | None = None  # the last time that was, counted then
        self.hold: tuple[datetime, timedelta, float] | None = (
            None  # since, lasted then, counted then
        )
        self.holding = True  # until the first look
        self.said = ""
        self.said_at = 0.0

    def look(self) -> None:
        """Move the mark on, or find the clock wrong and say so."""
        counted = self.counted()
        now = timezone.now()
        mark, _made = ClockMark.objects.get_or_create(pk=ONLY, defaults={"at": now})
        if now >= mark.at - BACK:
            if mark.suspect_since is None and (
                self.jumped(mark, now, counted) or now > mark.at + AHEAD
            ):
                begin_hold(mark, now)
                self.hold = (now, timedelta(0), counted)
            elif mark.suspect_since is None or is_back(mark, now):
                move_on(mark, now)
            else:
                go_on_holding(mark, now, self.lasted(mark.suspect_since, mark.held_for, counted))
        found = read_clock()
        self.holding = found.state is not ClockState.RIGHT
        if not self.holding:
            self.believed = (now, counted)
        self.tell(found.words(), counted)

    def jumped(self, mark: ClockMark, now: datetime, counted: float) -> bool:
        """Whether the clock ran ahead of the counted time since this keeper last believed it.

        A mark that is later than that was moved by another keeper or by an operator's word.
        """
        if self.believed is None:
            return False
        return (
            now - max(self.believed[0], mark.at)
            > timedelta(seconds=counted - self.believed[1]) + JUMP
        )

    def lasted(self, since: datetime, held_for: timedelta, counted: float) -> timedelta:
        """How long the hold has lasted: what the row says when this keeper first sees it, and on."""
        if self.hold is None or self.hold[0] != since:
            self.hold = (since, held_for, counted)
        return self.hold[1] + timedelta(seconds=counted - self.hold[2])

    def tell(self, words: str, counted: float) -> None:
        """Write the line when it begins, then hourly; and once that it is over."""
        kind = words.partition(":")[0]
        if words and (kind != self.said or counted - self.said_at >= REMIND):
            log.error("%s", words)
            self.said_at = counted
        elif self.said and not words:
            log.warning("The clock is right again.")
        self.said = kind


def begin_hold(mark: ClockMark, now: datetime) -> None:
    """Note that the clock may be ahead; the mark stays at the last time that was believed."""
    ClockMark.objects.filter(pk=mark.pk, suspect_since=None).update(
        suspect_since=now, held_for=timedelta(0)
    )


def go_on_holding(mark: ClockMark, now: datetime, held: timedelta) -> None:
    """Note how long the hold has lasted; after 24 hours the clock is believed."""
    if held >= HOLD:
        move_on(mark, now)
    else:
        still = ClockMark.objects.filter(pk=mark.pk, suspect_since=mark.suspect_since)
        still.update(held_for=Greatest(F("held_for"), held))


def is_back(mark: ClockMark, now: datetime) -> bool:
    """Whether a clock that jumped ahead has come back to where it would be without the jump."""
    return now <= mark.at + mark.held_for + JUMP


def move_on(mark: ClockMark, now: datetime) -> None:
    """Believe the clock; another keeper's later time, or an operator's word meanwhile, stays."""
    seen = ClockMark.objects.filter(pk=mark.pk, at=mark.at, suspect_since=mark.suspect_since)
    seen.update(at=Greatest(F("at"), now), suspect_since=None, held_for=timedelta(0))


def confirm_clock() -> Reading:
    """An operator's word that the clock is right now; what was believed before, for their answer."""
    with transaction.atomic():
        before = read_clock()
        ClockMark.objects.update_or_create(
            pk=ONLY, defaults={"at": before.now, "suspect_since": None, "held_for": timedelta(0)}
        )
        times = {"now": before.now.isoformat(), "seen": before.at and before.at.isoformat()}
        detail = json.dumps(times, separators=(",", ":")).encode()
        append(Draft(action=Action.CLOCK_CONFIRM, actor=ACTOR, detail=detail))
    return before
