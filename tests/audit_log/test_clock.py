"""The clock's mark: what is believed, what is held back, and what an operator's word changes."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import call_command
from django.utils import timezone

from audit_log.actions import Action
from audit_log.clock import ClockState, Watch, is_behind, read_clock
from audit_log.models import ClockMark, LogEntry
from audit_log.sequencer import integrate_once

pytestmark = pytest.mark.usefixtures("fresh_db")
START = datetime(2026, 10, 24, 12, tzinfo=UTC)  # daylight saving ends in the night that follows


class Machine:
    """A machine whose wall clock and counted time can be told apart."""

    def __init__(self, traveller: time_machine.Coordinates) -> None:
        self.traveller = traveller
        self.counted = 1000.0
        self.keeper = self.start_keeper()

    def start_keeper(self) -> Watch:
        self.keeper = Watch(lambda: self.counted)
        return self.keeper

    def passes(self, **span: float) -> ClockState:
        """Time goes by on both clocks, and the keeper looks."""
        self.counted += timedelta(**span).total_seconds()
        self.traveller.shift(timedelta(**span))
        return self.look()

    def is_set(self, **span: float) -> ClockState:
        """Somebody sets the wall clock ahead or back, and the keeper looks."""
        self.traveller.shift(timedelta(**span))
        return self.look()

    def look(self) -> ClockState:
        self.keeper.look()
        assert self.keeper.holding is (read_clock().state is not ClockState.RIGHT)
        return read_clock().state


@pytest.fixture
def machine(fresh_db: None) -> Iterator[Machine]:
    with time_machine.travel(START, tick=False) as traveller:
        made = Machine(traveller)
        assert made.keeper.holding, "nothing is destroyed before the first look"
        assert made.look() is ClockState.RIGHT
        yield made


def seen() -> datetime:
    return ClockMark.objects.get().at


def test_the_mark_moves_on_with_time(machine: Machine) -> None:
    for _look in range(3):
        assert machine.passes(hours=9) is ClockState.RIGHT
        assert seen() == timezone.now()


@pytest.mark.parametrize("step", [-4, 9])
def test_a_small_step_of_a_time_server_is_nothing(machine: Machine, step: float) -> None:
    assert machine.is_set(minutes=step) is ClockState.RIGHT
    assert seen() == max(START, timezone.now())


def test_a_clock_behind_leaves_the_mark(machine: Machine) -> None:
    assert machine.is_set(minutes=-6) is ClockState.BEHIND
    assert seen() == START
    assert is_behind(timezone.now())
    assert not is_behind(START)
    assert machine.passes(minutes=2) is ClockState.RIGHT


def test_a_jump_ahead_holds_and_coming_back_ends_it(machine: Machine) -> None:
    assert machine.is_set(days=400) is ClockState.SUSPECT
    assert machine.passes(hours=3) is ClockState.SUSPECT
    assert seen() == START, "the mark stays where it was believed"
    assert not is_behind(timezone.now()), "dates are judged as always, and refused"
    assert machine.is_set(days=-400) is ClockState.RIGHT
    assert seen() == START + timedelta(hours=3)


def test_a_jump_of_hours_is_held_too(machine: Machine) -> None:
    assert machine.is_set(minutes=11) is ClockState.SUSPECT


def test_the_hold_ends_after_24_hours_that_the_keeper_ran(machine: Machine) -> None:
    machine.is_set(days=30)
    for _hour in range(23):
        assert machine.passes(hours=1) is ClockState.SUSPECT
    machine.start_keeper()
    assert machine.passes(days=7) is ClockState.SUSPECT, "a restart neither restarts nor ends it"
    assert machine.passes(minutes=59) is ClockState.SUSPECT
    assert machine.passes(minutes=1) is ClockState.RIGHT
    assert seen() == timezone.now()


def test_a_second_jump_does_not_end_the_hold(machine: Machine) -> None:
    machine.is_set(days=30)
    assert machine.is_set(days=30) is ClockState.SUSPECT
    assert machine.passes(hours=23) is ClockState.SUSPECT


def test_two_keepers_do_not_shorten_the_hold(machine: Machine) -> None:
    first, second = machine.keeper, Watch(lambda: machine.counted)
    machine.is_set(days=30)
    second.look()
    for _hour in range(20):
        machine.passes(hours=1)
        second.look()
    assert ClockMark.objects.get().held_for == timedelta(hours=20)
    assert first.holding
    assert second.holding


def test_a_long_weekend_is_nothing_and_more_is_doubtful(machine: Machine) -> None:
    machine.start_keeper()
    assert machine.passes(days=3, hours=23) is ClockState.RIGHT
    machine.start_keeper()
    assert machine.passes(days=4, minutes=1) is ClockState.SUSPECT


@pytest.mark.parametrize("wrong", [timedelta(days=40), timedelta(days=-40)])
def test_an_operators_word_is_written_down(machine: Machine, wrong: timedelta) -> None:
    assert machine.is_set(seconds=wrong.total_seconds()) is not ClockState.RIGHT
    said = StringIO()
    call_command("confirm_clock", stdout=said)
    assert "latest time seen before: 2026-10-24 12:00 UTC" in said.getvalue()
    assert machine.passes(seconds=10) is ClockState.RIGHT
    assert not is_behind(timezone.now())
    integrate_once()
    entry = LogEntry.objects.get(action=Action.CLOCK_CONFIRM)
    assert entry.actor == "system:setup"
    detail = json.loads(entry.entry().draft.detail)
    assert detail == {"now": (START + wrong).isoformat(), "seen": START.isoformat()}


def test_one_line_when_it_changes_and_then_hourly(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "consentry.clock"):
        machine.is_set(hours=-10)
        for _look in range(30):
            machine.passes(seconds=10)
        assert len(caplog.messages) == 1
        assert "The clock is behind" in caplog.messages[0]
        assert "manage.py confirm_clock" in caplog.messages[0]
        machine.passes(hours=1)
        assert len(caplog.messages) == 2
        machine.is_set(hours=9)
        assert caplog.messages[2:] == ["The clock is right again."]
