"""What does not make sense gets a clear answer with a stable code, and nothing is half-done.

Elsewhere: used, expired, replaced and unknown invitations, two browsers with one invitation or
withdrawing at once, and a notice that changes while it is read (``test_subject_pages``); a wrong age
(``test_guardians``); a clock that is set wrong (``tests/faults/test_wrong_clock``).
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connections
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from consent.giving import refuse_consent
from consent.models import ConsentEvent, ConsentState, PaperConsent
from consent.notices import Change, publish_notice
from consent.paper import SignedPaper, attest_paper, ends_at
from consent.purposes import assign, close_purpose
from consent.retention import expire_consents
from consent.scans import Scan
from emotion.models import Recording
from tests.cast import (
    CATEGORIES,
    CHILDREN,
    NOTICE,
    PHOTO,
    Person,
    Study,
    come_in,
    consent,
    consenting,
    invite,
    open_study,
    operator,
    upload,
)

pytestmark = pytest.mark.usefixtures("fresh_db")
DECISIONS = ("given", "renewed", "re-affirmed", "refused", "withdrawn", "narrowed")


@pytest.fixture
def person(study: Study) -> Person:
    return come_in(study)


def decided() -> list[str]:
    found = ConsentEvent.objects.filter(kind__in=DECISIONS).order_by("sequence")
    return list(found.values_list("kind", flat=True))


def said(study: Study, **changes: Any) -> dict[str, Any]:
    notice = study.purpose.notices.latest("version").id
    return {"notice": notice, "decision": "give", "categories": ["media"]} | changes


def answer(person: Person, study: Study, **changes: Any) -> Any:
    """The person opens the notice and sends a form: the answer."""
    address = reverse("consent_notice", args=[study.purpose.id])
    person.browser.get(address)
    return person.browser.post(address, said(study, **changes))


def code_of(page: Any) -> str:
    """The stable code of a refusal on a page."""
    found = re.search(r'class="error-summary"[^>]* data-code="([a-z-]+)"', page.content.decode())
    assert found, page.content.decode()
    return found[1]


# --- overlapping and contradictory choices -------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"decision": ["give", "refuse"]}, "invalid-choice"),
        ({"decision": ["refuse", "give"]}, "invalid-choice"),
        ({"decision": "withdraw"}, "invalid-choice"),
        ({"categories": []}, "invalid-choice"),
        ({"categories": ["expression"]}, "invalid-choice"),
        ({"categories": ["media", "head-pose"]}, "invalid-choice"),
        ({"categories": ["media", "MEDIA"]}, "invalid-choice"),
        ({"categories": ["media", ""]}, "invalid-choice"),
        ({"categories": ["media,expression"]}, "invalid-choice"),
        ({"age": "younger"}, "wrong-age"),
        ({"notice": str(uuid4())}, "invalid-notice"),
        ({"notice": "1 OR 1=1"}, "invalid-notice"),
        ({"notice": ""}, "invalid-notice"),
    ],
)
def test_choices_that_make_no_sense_record_nothing(
    study: Study, person: Person, changes: dict[str, Any], code: str
) -> None:
    page = answer(person, study, **changes)
    assert (page.status_code, code_of(page)) == (422, code)
    assert decided() == []
    assert ConsentState.objects.get().status == "requested"


def test_two_notices_in_one_form_are_none(study: Study, person: Person) -> None:
    first = study.purpose.notices.get().id
    publish_notice(study.administrator.actor, study.purpose, NOTICE, Change({"en": "New."}, True))
    newest = study.purpose.notices.latest("version").id
    page = answer(person, study, notice=[first, newest])
    assert (page.status_code, code_of(page)) == (422, "invalid-notice")
    assert decided() == []


def test_a_box_that_was_sent_twice_is_one_box(study: Study, person: Person) -> None:
    page = answer(person, study, categories=["media", "expression", "media", "expression"])
    assert page.status_code == 302
    assert ConsentState.objects.get().categories == ["media", "expression"]


def test_two_ages_at_once_are_none() -> None:
    study = open_study(**CHILDREN)
    page = answer(come_in(study), study, age=["alone", "younger"])
    assert (page.status_code, code_of(page)) == (422, "invalid-choice")
    assert decided() == []


def test_a_no_to_what_stands_is_told_how_to_withdraw(study: Study) -> None:
    person = consenting(study)
    page = answer(person, study, decision="refuse")
    assert (page.status_code, code_of(page)) == (422, "invalid-choice")
    assert "withdraw instead of refusing" in page.content.decode()
    assert ConsentState.objects.get().status == "given"


def test_a_yes_and_a_no_at_once_leave_one_whole_answer(study: Study, person: Person) -> None:
    address = reverse("consent_notice", args=[study.purpose.id])
    person.browser.get(address)
    form = said(study)

    def send(decision: str) -> int:
        try:
            return int(person.browser.post(address, form | {"decision": decision}).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        answers = dict(zip(("give", "refuse"), pool.map(send, ("give", "refuse")), strict=True))
    state = ConsentState.objects.select_related("event").get()
    assert state.status == "given", "whichever came second: a no after the yes is no withdrawal"
    assert decided() in (["given"], ["refused", "given"])
    assert answers == {"give": 302, "refuse": 422 if decided() == ["given"] else 302}
    assert state.event is not None
    assert state.event.kind == "given"


# --- unknown and closed purposes -----------------------------------------------------------------

THEIRS = (
    "consent_notice", "consent_guardian", "consent_assent", "consent_done", "consent_withdraw",
    "consent_change", "consent_history", "upload", "camera", "camera_open", "own_bundle",
)  # fmt: skip


@pytest.mark.parametrize("name", THEIRS)
def test_an_unknown_purpose_is_not_there(person: Person, study: Study, name: str) -> None:
    address = reverse(name, args=[uuid4()])
    assert person.browser.get(address).status_code == 404
    assert person.browser.post(address, said(study)).status_code in {404, 405}
    assert decided() == []


def test_an_unknown_purpose_of_the_api_is_a_problem_with_a_code(study: Study) -> None:
    consenting(study)
    unknown = upload(study.key(), "P-001", uuid4(), PHOTO.read_bytes())
    foreign = upload(study.key(), "P-001", open_study().purpose.id, PHOTO.read_bytes())
    told = [(each.status_code, each.json()["code"]) for each in (unknown, foreign)]
    assert told[0] == told[1], "nobody learns which purposes there are"
    assert told[0][0] in {400, 403, 404}
    assert not Recording.objects.exists()


def test_an_operators_unknown_purpose_is_not_there(study: Study) -> None:
    desk = study.administrator.sign_in()
    for name in ("operate_invite", "operate_purpose", "operate_purpose_close"):
        assert desk.get(reverse(name, args=[uuid4()])).status_code == 404
    for name in ("operate_person", "operate_paper", "operate_paper_scan", "operate_identity"):
        assert desk.get(reverse(name, args=[uuid4(), uuid4()])).status_code == 404


def test_a_closed_purpose_takes_no_yes_and_still_a_no_and_a_withdrawal(study: Study) -> None:
    late, gone, key = come_in(study, "P-1"), consenting(study, "P-2"), study.key()
    close_purpose(study.officer.actor, study.purpose.id)
    page = answer(late, study)
    assert (page.status_code, code_of(page)) == (422, "invalid-purpose")
    sent = upload(key, "P-2", study.purpose.id, PHOTO.read_bytes())
    assert (sent.status_code, sent.json()["code"]) == (403, "purpose-not-open")
    assert answer(late, study, decision="refuse").status_code == 302
    withdrawal = reverse("consent_withdraw", args=[study.purpose.id])
    assert gone.browser.post(withdrawal).status_code == 302
    assert set(decided()) == {"given", "refused", "withdrawn"}


def test_a_form_refusal_of_an_operator_carries_its_code(study: Study) -> None:
    invite(study, "P-1")
    form = {"reference": "P-1"}
    page = study.administrator.sign_in().post(
        reverse("operate_invite", args=[study.purpose.id]), form
    )
    assert page.status_code == 422
    (told,) = page.context["form"].errors.as_data()["__all__"]
    assert told.code == "reference-taken"


# --- daylight saving and the clock's zone --------------------------------------------------------

BERLIN = override_settings(TIME_ZONE="Europe/Berlin")
SPRING = datetime(2027, 3, 27, 12, tzinfo=UTC)  # the clocks go forward in the coming night
AUTUMN = datetime(2027, 10, 30, 12, tzinfo=UTC)  # and back


@pytest.mark.parametrize("night", [SPRING, AUTUMN], ids=["forward", "back"])
def test_days_are_days_of_24_hours_across_a_change_of_clocks(night: datetime) -> None:
    with BERLIN, time_machine.travel(night, tick=True):
        study = open_study(consent_validity_days=1, result_retention_days=1)
        consenting(study)
        state = ConsentState.objects.select_related("event").get()
        assert state.event is not None
        assert state.valid_until is not None
        assert state.valid_until - state.event.at == timedelta(hours=24)
        key = study.key()
        sent = upload(key, "P-001", study.purpose.id, PHOTO.read_bytes())
        assert sent.status_code == 202
        recording = Recording.objects.get()
        assert recording.retain_until <= state.valid_until
        assert state.valid_until - recording.retain_until < timedelta(minutes=5)
    with BERLIN, time_machine.travel(state.valid_until - timedelta(seconds=20), tick=False):
        assert upload(key, "P-001", study.purpose.id, PHOTO.read_bytes()).status_code == 202
        assert expire_consents() == 0
    with BERLIN, time_machine.travel(state.valid_until, tick=False):
        refused = upload(key, "P-001", study.purpose.id, PHOTO.read_bytes())
        assert refused.json()["code"] == "consent-expired"
        assert expire_consents() == 1


def test_the_hour_that_comes_twice_keeps_the_order_of_events() -> None:
    """Half past two is there twice that night; the database has one time, UTC, and no doubt."""
    with BERLIN:
        with time_machine.travel(datetime(2027, 10, 31, 0, 30, tzinfo=UTC), tick=True):
            study = open_study()
            person = consenting(study)
        with time_machine.travel(datetime(2027, 10, 31, 1, 30, tzinfo=UTC), tick=True):
            parts = [str(category) for category in CATEGORIES]
            assert answer(person, study, categories=parts).status_code == 302
        first, second = ConsentEvent.objects.filter(kind__in=DECISIONS).order_by("sequence")
        zone = ZoneInfo("Europe/Berlin")
        assert first.at.astimezone(zone).strftime("%H:%M") == "02:30"
        assert second.at.astimezone(zone).strftime("%H:%M") == "02:30"
        assert second.at - first.at > timedelta(minutes=59)
        assert first.at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("zone", "signed", "ends"),
    [
        ("Europe/Berlin", "2027-03-27", "2027-03-28T22:00:00+00:00"),
        ("Europe/Berlin", "2027-10-30", "2027-10-31T23:00:00+00:00"),
        ("Africa/Cairo", "2027-04-29", "2027-04-30T21:00:00+00:00"),
        ("UTC", "2027-03-27", "2027-03-29T00:00:00+00:00"),
    ],
)
def test_a_paper_lasts_whole_days_of_the_calendar(zone: str, signed: str, ends: str) -> None:
    """Also where a day has 23 or 25 hours, or begins at one o'clock because there is no midnight."""
    study = open_study(consent_validity_days=2)
    with timezone.override(zone):
        until = ends_at(study.purpose, datetime.fromisoformat(signed).date())
    assert until.astimezone(UTC).isoformat() == ends


def test_the_day_of_a_signature_is_that_of_the_installation() -> None:
    """Late in the evening of New York it is tomorrow in UTC; nobody signed tomorrow."""
    evening = datetime(2027, 6, 2, 1, tzinfo=UTC)
    with (
        override_settings(TIME_ZONE="America/New_York"),
        timezone.override("America/New_York"),
        time_machine.travel(evening, tick=True),
    ):
        study = open_study(paper_allowed=True)
        subject, _token = invite(study)
        attester = operator(Role.RESEARCHER)
        assign(study.administrator.actor, study.purpose, attester.user)
        notice, today = study.purpose.notices.get(), timezone.localdate()
        assert today.isoformat() == "2027-06-01"
        paper = SignedPaper(notice, ["media"], today, Scan("application/pdf", b"%PDF-1.4"))
        attest_paper(attester.actor, attester.user, subject, study.purpose, paper)
    assert PaperConsent.objects.get().signed_on == today


def test_a_second_withdrawal_in_another_window_changes_nothing(study: Study) -> None:
    person = consenting(study)
    address = reverse("consent_withdraw", args=[study.purpose.id])
    answers = {person.browser.post(address).headers["Location"] for _window in range(2)}
    assert len(answers) == 1, "both windows show the one erasure"
    assert decided() == ["given", "withdrawn"]


def test_saying_no_twice_is_two_answers_and_opens_nothing(study: Study, person: Person) -> None:
    notice = study.purpose.notices.get()
    answer(person, study, decision="refuse")
    refuse_consent(person.actor, person.subject, notice)
    assert decided() == ["refused", "refused"]
    assert ConsentState.objects.get().status == "refused"
    consent(person, study.purpose)
    assert ConsentState.objects.get().status == "given", "a no can become a yes"
