"""Operators' pages about recordings and results, their overview and health, over HTTP."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.models import Role
from audit_log.actions import Action
from audit_log.entries import Draft, parse
from audit_log.log import append_durable
from audit_log.models import PendingEntry
from audit_log.sequencer import integrate_once
from audit_log.verdicts import remember
from audit_log.verification import Verdict
from consent.erasure import record_final
from consent.models import DataSubject
from consent.templatetags.operate import with_commands
from consent.withdrawals import withdraw
from emotion.analyses import run_analysis
from emotion.erasure import drain
from emotion.keys_views import STATES
from emotion.marks import KEEPER, WORKER, is_silent, touch
from emotion.models import Analysis, AnalysisState, Recording
from tests.cast import PHOTO, Person, Study, consenting, open_study, operator, text_of, upload
from tests.counting import queries_of
from vault.epochs import rotate
from vault.models import DataKey, EpochState

pytestmark = pytest.mark.usefixtures("fresh_db")


def written(action: Action) -> list[Any]:
    entries = [parse(row.body).draft for row in PendingEntry.objects.order_by("created")]
    return [draft for draft in entries if draft.action is action]


def recorded(study: Study) -> tuple[Person, Analysis]:
    """Somebody who consented, with one analysed photograph."""
    person = consenting(study)
    answer = upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes())
    assert answer.status_code == 202, answer.content
    analysis = Analysis.objects.get()
    run_analysis(analysis.id)
    analysis.refresh_from_db()
    assert analysis.state == AnalysisState.DONE, analysis.reason
    return person, analysis


def test_result_opens_after_a_reason_and_names_its_entry() -> None:
    study = open_study()
    _person, analysis = recorded(study)
    rita = study.researcher.sign_in()
    address = reverse("operate_result", args=[analysis.id])

    page = rita.get(address)
    assert page.status_code == 200
    assert "happy" not in page.content.decode()
    assert rita.post(address, {}).status_code == 422
    assert rita.post(address, {"reason": "own-access"}).status_code == 422
    assert not written(Action.RESULT_READ)

    page = rita.post(address, {"reason": "study-analysis"})
    body = page.content.decode()
    assert page.status_code == 200
    assert "no-store" in page.headers["Cache-Control"]
    assert "happy" in body
    (read,) = written(Action.RESULT_READ)
    assert (read.actor, str(read.reason)) == (study.researcher.actor.log_name(), "study-analysis")
    entry = next(
        row.entry_id
        for row in PendingEntry.objects.all()
        if parse(row.body).draft.action is Action.RESULT_READ
    )
    assert str(entry) in body


def test_recordings_and_results_of_others_are_not_there() -> None:
    study = open_study()
    _person, analysis = recorded(study)
    charlie = operator(Role.RESEARCHER, "charlie").sign_in()
    officer = study.officer.sign_in()
    pages = [
        reverse("operate_recording", args=[analysis.recording_id]),
        reverse("operate_result", args=[analysis.id]),
    ]
    for browser in (charlie, officer):
        for page in pages:
            assert browser.get(page).status_code == 404
        assert browser.post(pages[1], {"reason": "study-analysis"}).status_code == 404
    assert not charlie.get(reverse("operate_recordings")).context["page"].rows
    assert not written(Action.RESULT_READ)


def test_withdrawn_result_is_refused_and_the_refusal_is_written() -> None:
    study = open_study()
    person, analysis = recorded(study)
    admin = study.administrator.sign_in()
    address = reverse("operate_result", args=[analysis.id])
    withdraw(person.actor, person.subject, study.purpose)
    page = admin.post(address, {"reason": "quality-check"})
    assert page.status_code in {410, 422}
    assert "happy" not in page.content.decode()
    (refused,) = written(Action.RESULT_READ)
    assert (refused.outcome, refused.reason) == ("refused", "consent-withdrawn")

    drain()
    page = admin.post(address, {"reason": "quality-check"})
    assert page.status_code == 410
    assert "erased" in page.content.decode()


def test_unfinished_analysis_says_so() -> None:
    study = open_study()
    consenting(study)
    upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes())
    analysis = Analysis.objects.get()
    page = study.researcher.sign_in().post(
        reverse("operate_result", args=[analysis.id]), {"reason": "quality-check"}
    )
    assert page.status_code == 409
    assert "not finished" in page.content.decode()


def test_recording_page_shows_states_and_no_name() -> None:
    study = open_study()
    _person, analysis = recorded(study)
    page = study.researcher.sign_in().get(
        reverse("operate_recording", args=[analysis.recording_id])
    )
    body = page.content.decode()
    assert reverse("operate_result", args=[analysis.id]) in body
    assert "P-001" not in body


def test_overview_counts_what_there_is() -> None:
    study = open_study()
    recorded(study)
    integrate_once()
    page = study.administrator.sign_in().get(reverse("operate_home"))
    overview = page.context["overview"]
    assert [(row.given, row.asked, row.recordings) for row in overview.purposes] == [(1, 0, 1)]
    assert {state: number for state, _label, number in overview.people}["given"] == 1
    assert {state: number for state, _label, number in overview.analyses}["done"] == 1
    assert page.context["checkpoint"].size > 0
    assert page.context["checkpoint"].root.hex() in page.content.decode()


def test_review_waits_on_the_officers_overview() -> None:
    study = open_study()
    study.purpose.state = "in-review"
    study.purpose.save()
    tasks = study.officer.sign_in().get(reverse("operate_home")).context["tasks"]
    assert tasks["review"] == [study.purpose]
    assert "messages" not in tasks
    assert "failed" not in tasks


def states(page: Any) -> dict[str, str]:
    return {check.name: check.kind for check in page.context["checks"]}


def test_health_sees_a_silent_keeper_and_a_log_behind() -> None:
    admin = operator(Role.ADMINISTRATOR).sign_in()
    mark = settings.VAR_DIR / "run" / "keeper"
    touch(KEEPER)
    touch(WORKER)
    append_durable(Draft(action=Action.BACKUP_MAKE, actor="system:setup"))
    integrate_once()
    found = states(admin.get(reverse("operate_health")))
    assert set(found.values()) == {"live"}

    os.utime(mark, (time.time() - 60, time.time() - 60))
    page = admin.get(reverse("operate_health"))
    assert states(page)["Keeper"] == "refused"
    assert page.context["well"] is False
    mark.unlink()
    assert states(admin.get(reverse("operate_health")))["Keeper"] == "refused"


def test_health_sees_what_was_not_done_for_long() -> None:
    admin = operator(Role.ADMINISTRATOR).sign_in()
    integrate_once()
    found = states(admin.get(reverse("operate_health")))
    assert (found["Backup"], found["Verification of the log"]) == ("waiting", "live")
    append_durable(Draft(action=Action.BACKUP_MAKE, actor="system:setup"))
    integrate_once()
    call_command("verify_log", stdout=io.StringIO())
    page = admin.get(reverse("operate_health"))
    found = states(page)
    assert (found["Backup"], found["Verification of the log"]) == ("live", "live")
    assert "0\xa0minutes ago" in page.content.decode()
    with time_machine.travel(timezone.now() + timedelta(days=3)):
        later = operator(Role.ADMINISTRATOR).sign_in()
        found = states(later.get(reverse("operate_health")))
    assert (found["Backup"], found["Verification of the log"]) == ("waiting", "waiting")
    remember(Verdict(entries=3, checkpoints=1, root=b"", waiting=0, problem="entry 3 is wrong"))
    found = states(admin.get(reverse("operate_health")))
    assert found["Verification of the log"] == "refused"


def test_health_sees_a_worker_by_its_mark(fresh_db: None, worker: object) -> None:
    """A real one touches it when it starts, and again and again."""
    admin = operator(Role.ADMINISTRATOR).sign_in()
    first = settings.VAR_DIR / "run" / WORKER
    wait_until(lambda: not is_silent(WORKER))  # not the mark that an earlier one has left
    assert states(admin.get(reverse("operate_health")))["Workers"] == "live"
    then = first.stat().st_mtime
    wait_until(lambda: first.stat().st_mtime > then)
    os.utime(first, (time.time() - 60, time.time() - 60))
    page = admin.get(reverse("operate_health"))
    assert states(page)["Workers"] == "waiting"
    wait_until(lambda: states(admin.get(reverse("operate_health")))["Workers"] == "live")


def wait_until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_each_state_of_an_epoch_has_its_word() -> None:
    assert set(STATES) == set(EpochState.values)


def test_keys_are_shown_as_numbers(study: Study) -> None:
    """Before and after a rotation, and where the keystore cannot be used."""
    person = consenting(study)
    upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes())
    withdraw(person.actor, person.subject, study.purpose)
    drain()
    officer = study.officer.sign_in()
    said = text_of(officer.get(reverse("operate_keys")))
    assert "In use" in said
    assert "Waiting for the end of their epoch 1" in said
    rotate()
    record_final()
    said = text_of(officer.get(reverse("operate_keys")))
    assert "Destroyed" in said
    assert "Final 1" in said
    keys = [str(each) for each in DataKey.objects.values_list("id", flat=True)]
    assert keys
    assert not [key for key in keys if key in said]


def test_health_sees_idle_workers() -> None:
    study = open_study()
    consenting(study)
    upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes())
    admin = study.administrator.sign_in()
    touch(WORKER)
    assert states(admin.get(reverse("operate_health")))["Workers"] == "live"
    long_ago = timezone.now() - timedelta(minutes=2)
    Analysis.objects.update(queued_at=long_ago, not_before=long_ago)
    assert states(admin.get(reverse("operate_health")))["Workers"] == "refused"


def fill(study: Study, number: int) -> None:
    """Recordings as the flows leave them, made quickly."""
    now = timezone.now()
    with transaction.atomic():
        for _count in range(number):
            recording = Recording.objects.create(
                subject=DataSubject.objects.create(id=uuid7()), purpose=study.purpose,
                uploaded_by="client:x", media_type="image/jpeg", width=1, height=1, size=1,
                media_key_id=uuid7(), keep_media=False, media_retain_until=now, retain_until=now,
                created_at=now,
            )  # fmt: skip
            Analysis.objects.create(recording=recording, queued_at=now, not_before=now)


@pytest.mark.parametrize("role", ["administrator", "researcher"])
def test_lists_ask_as_often_for_thirty_rows_as_for_three(role: str) -> None:
    study = open_study()
    browser = getattr(study, role).sign_in()
    names = ["operate_home", "operate_recordings"]
    fill(study, 3)
    few = {name: queries_of(browser, reverse(name)) for name in names}
    fill(study, 27)
    assert {name: queries_of(browser, reverse(name)) for name in names} == few


def test_commands_in_a_text_are_code_and_all_of_it_is_escaped() -> None:
    text = with_commands("Run `manage.py <b>` every <i>day</i>.")
    assert text == "Run <code>manage.py &lt;b&gt;</code> every &lt;i&gt;day&lt;/i&gt;."
