"""The keeper has the whole log verified once a day, in another process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from audit_log import verdicts
from audit_log.actions import Action
from audit_log.daily_verification import DailyVerification, VerificationFailed, due
from audit_log.entries import Draft
from audit_log.log import append_durable
from audit_log.sequencer import integrate_once
from audit_log.verification import Verdict
from tests.processes import environment

pytestmark = pytest.mark.usefixtures("fresh_db")
FINE = Verdict(entries=3, checkpoints=1, root=b"", waiting=0)


@pytest.fixture(autouse=True)
def no_verdict() -> Iterator[None]:
    verdicts.path().unlink(missing_ok=True)
    yield
    verdicts.path().unlink(missing_ok=True)


def write() -> None:
    append_durable(Draft(action=Action.LOG_START, actor="system:keeper"))
    integrate_once()


def test_it_is_due_a_day_after_the_last_or_after_the_beginning() -> None:
    now = timezone.now()
    with time_machine.travel(now + timedelta(days=9)):
        assert not due(), "an empty log"
    write()
    assert not due()
    with time_machine.travel(now + timedelta(hours=25)):
        assert due()
        verdicts.remember(FINE)
        assert not due()
    assert due(), "the last one was given by a clock that ran ahead"


def ended(verification: DailyVerification) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if said := verification.look():
            return said
        time.sleep(0.1)
    raise AssertionError("it does not end")


@pytest.mark.processes
def test_the_verdict_comes_from_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    write()
    verdicts.remember(Verdict(entries=0, checkpoints=0, root=b"", waiting=0))
    verification = DailyVerification()
    assert verification.look() == ""
    assert verification.running is None, "not due"
    verdicts.path().unlink()
    verification.start()
    assert ended(verification) == "1 entries"
    with connection.cursor() as cursor:  # as nobody can while the rules stand
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER audit_log_treenode_update")
        else:
            cursor.execute("ALTER TABLE audit_log_treenode DISABLE TRIGGER USER")
        cursor.execute("UPDATE audit_log_treenode SET hash = %s", [b"x" * 32])
    verification.start()
    with pytest.raises(VerificationFailed, match="stored hash 0 is wrong"):
        ended(verification)
    last = verdicts.last_verdict()
    assert last is not None
    assert "stored hash 0 is wrong" in last.problem


@pytest.mark.processes
def test_it_ends_with_the_keeper(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    verification = DailyVerification()
    verification.end()
    verification.start()
    verification.end()
    assert verification.running is not None
    assert verification.running.returncode != 0
    with pytest.raises(VerificationFailed, match="ended with status"):
        verification.look()
