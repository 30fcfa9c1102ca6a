"""A clock that is wrong opens nothing that has ended, and destroys nothing that has not."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit_log.actions import Action
from audit_log.clock import Watch
from audit_log.daily_verification import DailyVerification
from audit_log.models import ClockMark, LogEntry
from audit_log.sequencer import integrate_once
from consent.models import ConsentState, ErasureRequest
from consent.withdrawals import withdraw
from emotion.analyses import run_analysis
from emotion.management.commands.keeper import chores
from emotion.models import Analysis, Recording
from tests.cast import PHOTO, Person, Study, api_get, upload
from tests.processes import wait_for

pytestmark = pytest.mark.usefixtures("fresh_db")


@pytest.fixture
def key(study: Study) -> str:
    return study.key()


def send(study: Study, key: str) -> Any:
    return upload(key, "P-001", study.purpose.id, PHOTO.read_bytes())


def result(key: str, row: Analysis) -> Any:
    return api_get(key, "api_result", row.pk, Access_Reason="quality-check")


def seen(**ago: float) -> None:
    """The latest time that this installation has seen, counted from now."""
    ClockMark.objects.update_or_create(pk=1, defaults={"at": timezone.now() - timedelta(**ago)})


def refusals() -> list[str]:
    integrate_once()
    found = LogEntry.objects.filter(outcome="refused", reason="clock-wrong")
    return sorted(found.values_list("action", flat=True))


def test_a_clock_that_is_behind_opens_nothing(study: Study, person: Person, key: str) -> None:
    assert send(study, key).status_code == 202
    done = Analysis.objects.get()
    run_analysis(done.pk)
    assert send(study, key).status_code == 202
    waiting = Analysis.objects.exclude(pk=done.pk).get()
    seen(minutes=-6)
    for answer in (send(study, key), result(key, done)):
        assert (answer.status_code, answer.json()["code"]) == (503, "clock-wrong")
    own = person.browser.get(reverse("own_result", args=[done.id]))
    assert own.status_code == 503
    assert "The clock of this installation is wrong" in own.content.decode()
    assert refusals() == [Action.MEDIA_UPLOAD, Action.RESULT_READ, Action.RESULT_READ]
    run_analysis(waiting.pk)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.tries) == ("queued", 0), "it is not the recording's fault"
    assert Client().get(reverse("readyz")).json()["parts"]["clock"] == "behind"
    page = study.administrator.sign_in().get(reverse("operate_health")).content.decode()
    assert "manage.py confirm_clock" in page

    seen(minutes=-4)
    assert result(key, done).status_code == 200, "a time server's small step is allowed"
    seen(days=-3)
    call_command("confirm_clock")
    assert result(key, done).status_code == 200
    assert send(study, key).status_code == 202


def test_withdrawal_needs_no_clock(study: Study, person: Person) -> None:
    seen(days=-3)
    withdraw(person.actor, person.subject, study.purpose)
    assert ConsentState.objects.get().status == "withdrawn"


def test_an_ended_consent_does_not_live_again(study: Study, person: Person, key: str) -> None:
    """The consent ended yesterday; then the clock was set back by a week."""
    ConsentState.objects.update(valid_until=timezone.now() + timedelta(days=6))
    seen(days=-7)
    assert send(study, key).json()["code"] == "clock-wrong"
    assert not Recording.objects.exists()


def test_what_cannot_be_undone_waits_for_a_clock_that_is_believed() -> None:
    held = {chore.name for chore in chores(Watch(), DailyVerification()) if chore.by_date}
    assert held == {
        "recordings past their retention",
        "consents that ended",
        "people asked before a consent ends",
        "purposes that ended",
        "people not seen for three years",
        "legal holds ended",
        "disputed recordings given up",
        "old requests erased",
        "old breach records erased",
        "old log keys destroyed",
        "letters that are true no more",
        "tag keys destroyed",
        "key epochs rotated",
        "ended sessions forgotten",
        "exports that are over forgotten",
        "old news for programs forgotten",
        "uploads not finished in time",
    }


@pytest.fixture
def overdue(study: Study, person: Person, key: str) -> Recording:
    """A recording whose retention is over by this machine's clock."""
    assert send(study, key).status_code == 202
    Recording.objects.update(retain_until=timezone.now() - timedelta(hours=1))
    ConsentState.objects.update(valid_until=timezone.now() - timedelta(hours=1))
    return Recording.objects.get()


def keeps_for(seconds: float, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition()
        time.sleep(0.1)


@pytest.mark.processes
@pytest.mark.parametrize("wrong", [{"days": 5}, {"hours": -1}], ids=["ahead", "behind"])
def test_a_wrong_clock_erases_nothing(
    study: Study, key: str, overdue: Recording, wrong: dict[str, float], request: Any
) -> None:
    seen(**wrong)
    keeper: subprocess.Popen[bytes] = request.getfixturevalue("keeper")
    log = Path(request.getfixturevalue("tmp_path")) / "keeper.log"
    wait_for(lambda: "The clock" in log.read_text(), 60, "the keeper's first look")
    keeps_for(4, lambda: not ErasureRequest.objects.exists())
    assert ConsentState.objects.get().status == "given"
    assert send(study, key).json()["code"] in {"consent-expired", "clock-wrong"}, "refused, always"
    call_command("confirm_clock")
    wait_for(lambda: Recording.objects.get().erased_at, 60, "the erasure")
    assert ConsentState.objects.get().status == "expired"
    assert keeper.poll() is None
    said = log.read_text()
    assert said.count("manage.py confirm_clock") == 1, "one line"
    assert "The clock is right again" in said
