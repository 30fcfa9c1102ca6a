"""Dates: never later than the consent allows, shortened for what exists, and enforced by the keeper."""

from __future__ import annotations

import os
import re
import signal
import threading
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.core.management import call_command
from django.db import connections
from django.urls import reverse
from django.utils import timezone

from audit_log.actions import Action, ReasonCode
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent import row_by_row
from consent.after_restore import end_for_good, pause_all
from consent.asking import take_back
from consent.contacts import change_address
from consent.errors import InvalidPurpose
from consent.holds import place_hold
from consent.invitations import create_invitation
from consent.models import ConsentState, ErasureRequest, HoldReason, RequestKind
from consent.purposes import close_purpose
from consent.records import anybody, record_notice_shown
from consent.requests import make_request
from consent.retention import end_purposes, expire_consents, expire_recording
from emotion import sweeping
from emotion.analyses import run_analysis
from emotion.erasure import drain
from emotion.forecast import forecast
from emotion.models import Analysis, AnalysisState, Recording, Result
from emotion.periods import Periods, shorten_periods
from emotion.sweeping import expire_recordings
from emotion.unused import give_up_unused
from tests.cast import (
    PHOTO,
    Person,
    Study,
    api_get,
    come_back,
    come_in,
    consent,
    consenting,
    invite,
    open_study,
    upload,
)
from tests.consent.test_paper import in_the_flow
from tests.counting import queries_of
from tests.faults.leftovers import living_keys, sealed_files
from tests.processes import KEEPER, running, wait_for
from vault.tags import destroy_tag_key

pytestmark = pytest.mark.usefixtures("fresh_db")


@pytest.fixture
def study() -> Study:
    return open_study(keep_media=True, media_retention_days=20, result_retention_days=30)


def taken_in(study: Study, key: str = "", reference: str = "P-001") -> Analysis:
    answer = upload(key or study.key(), reference, study.purpose.id, PHOTO.read_bytes())
    assert answer.status_code == 202, answer.content
    return Analysis.objects.select_related("recording").get(pk=answer.json()["analyses"][0]["id"])


def analysed(study: Study, key: str = "", reference: str = "P-001") -> Analysis:
    row = taken_in(study, key, reference)
    run_analysis(row.id)
    row.refresh_from_db()
    assert row.state == AnalysisState.DONE
    return row


def in_days(days: float) -> time_machine.travel:
    return time_machine.travel(timezone.now() + timedelta(days=days), tick=True)


def valid_until() -> datetime:
    until = ConsentState.objects.get().valid_until
    assert until is not None
    return until


def test_many_ends_at_once_leave_others_their_turn(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    for reference in ("P-001", "P-002"):
        consenting(study, reference)
    ConsentState.objects.update(valid_until=timezone.now() + timedelta(days=10))
    monkeypatch.setattr(row_by_row, "LONGEST_TURN", -1.0)
    with in_days(10.1):
        for each in (expire_consents, drain):
            assert [each(), each(), each()] == [1, 1, 0]


def test_no_date_is_later_than_the_consent_and_a_renewal_lengthens_nothing(
    study: Study, person: Person
) -> None:
    end = timezone.now() + timedelta(days=10)
    ConsentState.objects.update(valid_until=end)
    row = analysed(study)
    recording = row.recording
    assert recording.media_retain_until == recording.retain_until == end
    assert set(row.results.values_list("retain_until", flat=True)) == {end}
    consent(person, study.purpose)
    assert valid_until() > end
    assert analysed(study).recording.retain_until > end
    recording.refresh_from_db()
    assert recording.retain_until == end
    with in_days(10.1):
        assert expire_consents() == 0
        refused = api_get(study.key(), "api_result", row.id, Access_Reason="study-analysis")
        assert (refused.status_code, refused.json()["code"]) == (403, "retention-passed")
        assert expire_recordings() == 1


@pytest.mark.parametrize("days", [21, 31], ids=["media", "whole"])
def test_two_keepers_at_once_file_each_erasure_once(
    study: Study, person: Person, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """Both have read their list before either files."""
    taken_in(study)
    together, filed = threading.Barrier(2), list[int]()

    def at_once(*given: Any) -> bool:
        together.wait(30)
        return expire_recording(*given)

    def keep() -> None:
        filed.append(expire_recordings())
        connections.close_all()

    monkeypatch.setattr(sweeping, "expire_recording", at_once)
    with in_days(days):
        keepers = [threading.Thread(target=keep) for _number in range(2)]
        for keeper in keepers:
            keeper.start()
        for keeper in keepers:
            keeper.join()
        integrate_once()
    assert sorted(filed) == [0, 1]
    assert ErasureRequest.objects.count() == 1
    assert LogEntry.objects.filter(action=Action.RETENTION_EXPIRE).count() == 1


def test_a_result_keeps_its_own_date(study: Study, person: Person) -> None:
    row = analysed(study)
    soon = timezone.now() + timedelta(days=3)
    Result.objects.filter(category="blendshapes").update(retain_until=soon)
    with in_days(4):
        refused = api_get(study.key(), "api_result", row.id, Access_Reason="study-analysis")
        assert (refused.status_code, refused.json()["code"]) == (403, "retention-passed")
        assert (expire_recordings(), expire_recordings()) == (1, 0)
        drain()
        left = api_get(study.key(), "api_result", row.id, Access_Reason="study-analysis")
    assert set(left.json()["parts"]) == {"expression", "summary"}


def test_shortening_applies_to_what_exists(study: Study, person: Person) -> None:
    row = analysed(study)
    actor, recording = study.administrator.actor, row.recording
    with pytest.raises(InvalidPurpose, match="1 recordings would end earlier now, not 7"):
        shorten_periods(actor, study.purpose.id, Periods(5, 10), expected=7)
    recording.refresh_from_db()
    assert recording.retain_until == recording.created_at + timedelta(days=30)
    assert shorten_periods(actor, study.purpose.id, Periods(5, 10), expected=1) == 1
    recording.refresh_from_db()
    assert recording.media_retain_until == recording.created_at + timedelta(days=5)
    assert recording.retain_until == recording.created_at + timedelta(days=10)
    assert set(row.results.values_list("retain_until", flat=True)) == {recording.retain_until}
    fresh = analysed(study).recording
    assert fresh.retain_until == fresh.created_at + timedelta(days=10)
    integrate_once()
    assert LogEntry.objects.filter(action=Action.PURPOSE_SHORTEN).count() == 1


@pytest.mark.parametrize(("media", "results"), [(21, 30), (20, 31), (0, 30), (20, 30)])
def test_lengthening_an_open_purpose_is_refused(study: Study, media: int, results: int) -> None:
    with pytest.raises(InvalidPurpose):
        shorten_periods(study.administrator.actor, study.purpose.id, Periods(media, results), 0)
    study.purpose.refresh_from_db()
    assert (study.purpose.media_retention_days, study.purpose.result_retention_days) == (20, 30)


def test_the_page_says_exactly_how_many_end_earlier(study: Study, person: Person) -> None:
    key = study.key()
    taken_in(study, key), taken_in(study, key)
    old = taken_in(study, key).recording
    Recording.objects.filter(pk=old.pk).update(
        retain_until=old.created_at + timedelta(days=2),
        media_retain_until=old.created_at + timedelta(days=2),
    )
    admin = study.administrator.sign_in()
    address = reverse("operate_purpose_periods", args=[study.purpose.id])
    assert (
        address in admin.get(reverse("operate_purpose", args=[study.purpose.id])).content.decode()
    )
    assert admin.get(address).status_code == 200
    assert admin.get(address + "?media_days=40&result_days=30").status_code == 422
    page = admin.get(address + "?media_days=5&result_days=10")
    assert "Exactly 2 recordings end earlier" in page.content.decode()
    fields = {
        field["name"]: field.get("value", "")
        for field in BeautifulSoup(page.content, "html.parser").select("main form input[name]")
    }
    assert fields["number"] == "2"
    wrong = admin.post(address, fields | {"name": "Other"})
    assert wrong.status_code == 422
    assert "Exactly 2 recordings end earlier" in wrong.content.decode()
    taken_in(study, key)  # while the administrator reads
    changed = admin.post(address, fields | {"name": study.purpose.name})
    assert changed.status_code == 422
    assert "Please look again" in changed.content.decode()
    assert (
        admin.post(address, fields | {"name": study.purpose.name, "number": "3"}).status_code == 302
    )
    study.purpose.refresh_from_db()
    assert (study.purpose.media_retention_days, study.purpose.result_retention_days) == (5, 10)
    assert study.officer.sign_in().get(address).status_code == 404


def test_a_closed_purpose_ends_on_its_day(study: Study, person: Person) -> None:
    refusing = consenting(study, "P-002")
    row = analysed(study)
    page = study.officer.sign_in().get(reverse("operate_purpose_close", args=[study.purpose.id]))
    assert 'value="90"' in page.content.decode()
    closed = close_purpose(study.officer.actor, study.purpose.id, keep_days=10)
    assert closed.ends_at == closed.closed_at + timedelta(days=10)  # type: ignore[operator]
    key = study.key()
    assert api_get(key, "api_result", row.id, Access_Reason="study-analysis").status_code == 200
    assert end_purposes() == 0
    with in_days(10.01):
        refused = api_get(key, "api_result", row.id, Access_Reason="study-analysis")
        assert (refused.status_code, refused.json()["code"]) == (403, "retention-passed")
        assert (end_purposes(), end_purposes()) == (2, 0)
        drain()
    for each in (person, refusing):
        assert not living_keys(each.subject)
    assert set(ConsentState.objects.values_list("status", flat=True)) == {"expired"}
    causes = ErasureRequest.objects.filter(only_key=None).values_list("cause", flat=True)
    assert set(causes) == {"purpose-end"}
    assert not sealed_files()


def test_three_years_without_a_visit_end_everything() -> None:
    study = open_study(consent_validity_days=5000, result_retention_days=4000)
    gone, here = consenting(study, "P-001"), consenting(study, "P-002")
    key = study.key()
    analysed(study, key)
    analysed(study, key, "P-002")
    with in_days(1094):
        assert give_up_unused() == 0
        taken_in(study, study.key())  # what the study does is no visit
        record_notice_shown(here.actor, here.subject, study.purpose.notices.get())
    with in_days(1095.1):
        assert (give_up_unused(), give_up_unused()) == (1, 0)
        drain()
    (request,) = ErasureRequest.objects.whole()
    assert (request.subject_id, request.cause) == (gone.subject.id, "unused")
    assert not living_keys(gone.subject)
    assert living_keys(here.subject)
    assert ConsentState.objects.get(subject=gone.subject).status == "expired"


def test_a_sign_in_is_a_visit_and_whoever_never_came_is_given_up_too(study: Study) -> None:
    person = consenting(study, "P-001")
    invite(study, "P-002")
    ConsentState.objects.update(valid_until=timezone.now() + timedelta(days=5000))
    with in_days(500):
        user = person.subject.user
        assert user is not None
        user.last_login = timezone.now()
        user.save(update_fields=["last_login"])
    with in_days(1096):
        assert give_up_unused() == 1
        drain()
    (request,) = ErasureRequest.objects.whole()
    assert request.subject_id != person.subject.id
    assert request.key_ids, "the sealed reference went"


def test_a_request_is_a_visit_and_another_address_forgets_none() -> None:
    """Whoever is put right is not taken for somebody who never came."""
    study = open_study(consent_validity_days=1800)
    signing_in, asking = consenting(study, "P-001"), consenting(study, "P-002")
    with in_days(500):
        come_back(study, signing_in)
        change_address(
            study.administrator.actor,
            signing_in.subject,
            study.purpose,
            "anna@example.org",
            ReasonCode.MISTYPED,
            anybody,
        )
        make_request(asking.actor, asking.subject, kind=RequestKind.ACCESS, purpose=None)
    with in_days(1096):
        assert give_up_unused() == 0
    with in_days(1596):
        assert give_up_unused() == 2


def test_what_system_and_staff_do_is_no_visit() -> None:
    study = open_study(consent_validity_days=1800, paper_allowed=True)
    person, signing = consenting(study, "P-001"), come_in(study, "P-003")
    never, _token = invite(study, "P-002")
    actor, purpose = study.administrator.actor, study.purpose
    with in_days(600):
        take_back(actor, never, purpose)
        in_the_flow(study, signing.subject, study.researcher)
    with in_days(1000):
        assert pause_all() == 2, "a restore without the log pauses everybody"
    with in_days(1096):
        assert give_up_unused() == 2
    given_up = {each.subject_id for each in ErasureRequest.objects.whole()}
    assert given_up == {person.subject.id, never.id}, "who signed on paper was here"
    with in_days(1600):
        create_invitation(actor, never, purpose, show_to_operator=True)
        assert give_up_unused() == 0, "who is asked anew begins anew"
    with in_days(1700):
        assert give_up_unused() == 1
    with in_days(2696):
        assert give_up_unused() == 1


def test_what_a_restore_ended_for_good_is_not_ended_again(study: Study, person: Person) -> None:
    """The backup has a consent whose tags are destroyed since: no erasure of it can be written down."""
    destroy_tag_key(person.subject.id, study.purpose.id)
    assert end_for_good(ConsentState.objects.get()) == 1
    close_purpose(study.officer.actor, study.purpose.id, keep_days=10)
    with in_days(10.01):
        assert end_purposes() == 0
    with in_days(1096):
        assert give_up_unused() == 0
    assert not ErasureRequest.objects.exists()


def dates_passed() -> None:
    """What the keeper finds after a downtime: every date is over."""
    past = timezone.now() - timedelta(minutes=5)
    Recording.objects.update(retain_until=past, media_retain_until=past)


@pytest.mark.processes
def test_the_keeper_killed_in_the_middle_of_erasures_catches_up(
    study: Study, person: Person, tmp_path: Path
) -> None:
    key = study.key()
    rows = [taken_in(study, key) for _number in range(12)]
    assert len(living_keys(person.subject)) == 12
    dates_passed()
    with running(KEEPER, tmp_path / "first.log") as first:
        wait_for(
            lambda: ErasureRequest.objects.exclude(begun_at=None).exists(), what="the first erasure"
        )
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    left = ErasureRequest.objects.filter(rows_removed_at=None).count()
    assert left, "it was killed in the middle"
    started = timezone.now()
    with running(KEEPER, tmp_path / "second.log"):
        wait_for(
            lambda: ErasureRequest.objects.exclude(rows_removed_at=None).count() == len(rows),
            what="the other erasures",
        )
        assert timezone.now() - started < timedelta(minutes=1)
    integrate_once()
    assert not living_keys(person.subject)
    assert not sealed_files()
    page = person.browser.get(reverse("erasures")).content.decode()
    receipts = set(re.findall(r'href="([^"]+/receipt/)"', page))
    assert len(receipts) == len(rows)
    for address in receipts:
        claims = person.browser.get(address).json()
        assert claims["erasure"]["rows_removed_at"]
        assert len(claims["erasure"]["data_key_ids"]) == 1
        assert len(claims["entries"]) == 3


def place(study: Study, **options: Any) -> None:
    place_hold(
        study.officer.actor,
        study.officer.user,
        study.purpose,
        reason=HoldReason.COMPLAINT,
        ends_at=timezone.now() + timedelta(days=200),
        **options,
    )


def test_the_forecast_counts_what_falls_due(study: Study, person: Person) -> None:
    key = study.key()
    taken_in(study, key)
    (due,) = forecast(type(study.purpose).objects.all())
    assert (due.recordings, due.photographs, due.consents) == ([0, 1, 1], [0, 1, 1], [0, 0, 0])
    browser = study.officer.sign_in()
    first = queries_of(browser, reverse("operate_retention"))
    taken_in(study, key)
    assert queries_of(browser, reverse("operate_retention")) == first
    close_purpose(study.officer.actor, study.purpose.id, keep_days=5)
    (due,) = forecast(type(study.purpose).objects.all())
    assert (due.recordings, due.photographs, due.consents) == ([2, 2, 2], [2, 2, 2], [1, 1, 1])
    with in_days(6):
        (due,) = forecast(type(study.purpose).objects.all())
        assert due.overdue == 5, "two recordings, their photographs, one consent"
        place(study)
        end_purposes()
        (due,) = forecast(type(study.purpose).objects.all())
        assert (due.overdue, due.held, due.holds, due.under_way) == (0, 1, 1, 0)
        output = StringIO()
        call_command("retention", stdout=output)
    said = output.getvalue()
    assert "held 1 by 1 holds" in said
    assert str(person.subject.id) not in said


@pytest.mark.parametrize("days", ["21", "9" * 10, "9" * 30])
def test_a_longer_period_of_any_length_is_told_what_is_possible(study: Study, days: str) -> None:
    desk = study.administrator.sign_in()
    address = reverse("operate_purpose_periods", args=[study.purpose.id])
    for asked in (desk.get, desk.post):
        page = asked(address, {"media_days": days, "result_days": "30"})
        assert page.status_code == 422
        assert (
            f"photographs 1 to 20 days, results 1 to 30; got {days} and 30" in page.content.decode()
        )
