"""Legal holds: they postpone destruction, never refusal, and every step is in the log."""

from __future__ import annotations

import base64
import json
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import connections
from django.urls import reverse
from django.utils import timezone

from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.errors import InvalidHold
from consent.holds import end_holds, lift_hold, person_in, place_hold
from consent.models import ConsentState, DataSubject, ErasureRequest, HoldReason, LegalHold
from consent.retention import expire_consents
from emotion.analyses import run_analysis
from emotion.disputes import dispute, handle
from emotion.erasure import drain
from emotion.health import check_erasures
from emotion.models import Analysis, AnalysisState, Result
from emotion.sweeping import expire_recordings
from tests.breaches import breach_told
from tests.cast import PHOTO, Person, Study, api_get, consent, consenting, open_study, upload
from tests.faults.leftovers import living_keys, sealed_files
from vault.epochs import rotate

pytestmark = pytest.mark.usefixtures("fresh_db")


@pytest.fixture
def study() -> Study:
    return open_study(keep_media=True)


def analysed(study: Study, key: str, reference: str = "P-001") -> Analysis:
    answer = upload(key, reference, study.purpose.id, PHOTO.read_bytes())
    assert answer.status_code == 202, answer.content
    row = Analysis.objects.select_related("recording").get(pk=answer.json()["analyses"][0]["id"])
    run_analysis(row.id)
    row.refresh_from_db()
    assert row.state == AnalysisState.DONE
    return row


def hold(study: Study, days: int = 30, **options: Any) -> LegalHold:
    return place_hold(
        study.officer.actor,
        study.officer.user,
        study.purpose,
        reason=HoldReason.LEGAL_CLAIM,
        ends_at=timezone.now() + timedelta(days=days),
        **options,
    )


def lift(study: Study, held: LegalHold) -> None:
    lift_hold(study.officer.actor, study.officer.user, held.id)


def entries(action: Action) -> list[LogEntry]:
    integrate_once()
    return list(LogEntry.objects.filter(action=action))


def withdraw_on_page(person: Person, study: Study) -> str:
    answer = person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    assert answer.status_code == 302
    return str(answer.headers["Location"])


def untouched(person: Person, keys: list[Any]) -> None:
    """Nothing at all was destroyed."""
    assert living_keys(person.subject) == keys
    assert sealed_files()
    assert Result.objects.count() == 3


def test_a_withdrawal_under_a_hold_closes_at_once_and_is_erased_after_it(
    study: Study, person: Person
) -> None:
    key = study.key()
    row = analysed(study, key)
    keys = living_keys(person.subject)
    assert len(keys) == 4
    held = hold(study)
    before = person.browser.get(reverse("consent_withdraw", args=[study.purpose.id]))
    assert "A legal claim was made or is expected" in before.content.decode()
    page = withdraw_on_page(person, study)

    drain()
    untouched(person, keys)
    refused = api_get(key, "api_result", row.id, Access_Reason="study-analysis")
    assert (refused.status_code, refused.json()["code"]) == (403, "consent-withdrawn")
    assert person.browser.get(reverse("own_result", args=[row.id])).status_code == 403
    researcher, reason = study.researcher.sign_in(), {"reason": "quality-check"}
    for name, identity in (("operate_result", row.id), ("operate_photograph", row.recording_id)):
        assert researcher.post(reverse(name, args=[identity]), reason).status_code == 422
    shown = person.browser.get(page).content.decode()
    assert "Waits: legal hold" in shown
    assert "A legal claim was made or is expected" in shown
    rotate()  # the keys live on in the next epoch
    untouched(person, keys)

    lift(study, held)
    drain()
    assert not living_keys(person.subject)
    assert not sealed_files()
    assert not Result.objects.exists()
    integrate_once()
    receipt = person.browser.get(page + "receipt/").json()
    (told,) = receipt["erasure"]["legal_holds"]
    assert (told["reason"], told["over_by"]) == ("legal-claim", "lifted")
    assert receipt["erasure"]["t1"] < told["over_at"] <= receipt["erasure"]["begun_at"]
    proven = {json.loads(base64.b64decode(entry["entry"]))["id"] for entry in receipt["entries"]}
    held.refresh_from_db()
    assert set(held.entry_ids) <= proven, "the receipt proves the hold's own steps"


def test_it_ends_by_its_date_and_the_erasure_goes_on(study: Study, person: Person) -> None:
    analysed(study, study.key())
    hold(study, days=10)
    withdraw_on_page(person, study)
    with time_machine.travel(timezone.now() + timedelta(days=9), tick=True):
        assert end_holds() == 0
        assert drain() == 0
        assert living_keys(person.subject)
    with time_machine.travel(timezone.now() + timedelta(days=10, minutes=1), tick=True):
        assert drain() == 0, "a date alone destroys nothing before the end is written down"
        assert (end_holds(), end_holds()) == (1, 0)
        assert drain() == 1
    assert not living_keys(person.subject)
    assert [(e.actor, e.reason) for e in entries(Action.HOLD_END)] == [
        ("system:keeper", "legal-claim")
    ]


def test_over_one_person_it_covers_nobody_else(study: Study, person: Person) -> None:
    other = consenting(study, "P-002")
    key = study.key()
    analysed(study, key)
    analysed(study, key, "P-002")
    hold(study, subject_id=person.subject.id)
    withdraw_on_page(person, study)
    withdraw_on_page(other, study)
    drain()
    assert living_keys(person.subject)
    assert not living_keys(other.subject)
    (placed,) = entries(Action.HOLD_PLACE)
    assert placed.subject_tag
    history = person.browser.get(reverse("access_history")).content.decode()
    assert "A legal hold was placed on your data" in history
    assert "A legal hold" not in other.browser.get(reverse("subject_home")).content.decode()


def test_photographs_that_are_not_kept_stay_closed_while_they_are_held() -> None:
    study = open_study()
    person = consenting(study)
    held = hold(study)
    row = analysed(study, study.key())
    drain()
    assert sealed_files(), "the hold keeps it"
    reason = {"reason": "quality-check"}
    address = reverse("operate_photograph", args=[row.recording_id])
    assert study.researcher.sign_in().post(address, reason).status_code == 422
    assert person.browser.get(reverse("own_photograph", args=[row.recording_id])).status_code == 403
    assert {e.reason for e in entries(Action.MEDIA_READ)} == {"being-erased"}
    page = person.browser.get(reverse("own_recording", args=[row.recording_id])).content.decode()
    assert "closed, being erased" in page
    assert "A legal hold applies." in page
    assert reverse("own_photograph", args=[row.recording_id]) not in page
    # The result is not what is given up, so it still opens.
    assert person.browser.get(reverse("own_result", args=[row.id])).status_code == 200
    lift(study, held)
    drain()
    assert not sealed_files()


def test_a_stopped_category_a_dispute_and_a_date_wait_too(study: Study, person: Person) -> None:
    key = study.key()
    first, second = analysed(study, key), analysed(study, key)
    held = hold(study, days=60)
    keys = living_keys(person.subject)
    page = person.browser.post(
        reverse("consent_change", args=[study.purpose.id]), {"step": "stop:blendshapes"}
    )
    assert page.status_code == 302
    parts = api_get(key, "api_result", first.id, Access_Reason="study-analysis").json()["parts"]
    assert "blendshapes" not in parts
    opened = dispute(person.actor, second.recording_id)
    handle(study.administrator.actor, opened.id)
    with time_machine.travel(timezone.now() + timedelta(days=31), tick=True):
        assert expire_recordings() == 1, "the other one has its dispute's erasure already"
        drain()
    assert living_keys(person.subject) == keys
    assert ErasureRequest.objects.held().count() == 3
    assert check_erasures().kind == "live", "what waits for a hold is not late"
    lift(study, held)
    assert drain() == 3
    assert not living_keys(person.subject)


def test_saying_yes_again_waits_for_the_end_of_the_hold(study: Study, person: Person) -> None:
    held = hold(study)
    withdraw_on_page(person, study)
    address = reverse("consent_notice", args=[study.purpose.id])
    shown = person.browser.get(address).content.decode()
    assert "A legal hold applies." in shown
    notice = study.purpose.notices.get()
    form = {"notice": str(notice.id), "decision": "give", "categories": ["media"]}
    refused = person.browser.post(address, form)
    assert refused.status_code == 422
    assert "A legal hold postpones the erasure" in refused.content.decode()
    lift(study, held)
    drain()
    consent(person, study.purpose)


def test_an_ended_consent_waits_closed(study: Study, person: Person) -> None:
    hold(study, days=366)
    row = analysed(study, study.key())
    with time_machine.travel(timezone.now() + timedelta(days=365, minutes=1), tick=True):
        assert expire_consents() == 1
        drain()
        assert living_keys(person.subject)
        key = study.key()
        refused = api_get(key, "api_result", row.id, Access_Reason="study-analysis")
        assert (refused.status_code, refused.json()["code"]) == (403, "consent-expired")


def test_what_has_begun_is_not_stopped(study: Study, person: Person) -> None:
    analysed(study, study.key())
    withdraw_on_page(person, study)
    hold(study)
    assert drain() == 1
    assert not sealed_files()


@pytest.mark.parametrize("days", [-1, 0, 367])
def test_a_hold_has_a_possible_end(study: Study, days: int) -> None:
    with pytest.raises(InvalidHold, match="at most 366 days"):
        hold(study, days=days)
    assert not LegalHold.objects.exists()


def test_the_form_places_one_until_the_end_of_the_last_possible_day(study: Study) -> None:
    officer = study.officer.sign_in()
    placing = reverse("operate_hold_place", args=[study.purpose.id])
    form = {"reason": "complaint", "whom": "everybody", "name": study.purpose.name}
    today = timezone.localdate()
    too_far = officer.post(placing, form | {"until": str(today + timedelta(days=367))})
    assert too_far.status_code == 422
    last = today + timedelta(days=366)
    assert officer.post(placing, form | {"until": str(last)}).status_code == 302
    assert timezone.localtime(LegalHold.objects.get().ends_at).date() == last


def test_only_the_officer_holds_and_a_hold_ends_once(study: Study, person: Person) -> None:
    administrator = study.administrator
    with pytest.raises(InvalidHold, match="data protection officer"):
        place_hold(
            administrator.actor,
            administrator.user,
            study.purpose,
            reason=HoldReason.COMPLAINT,
            ends_at=timezone.now() + timedelta(days=1),
        )
    with pytest.raises(InvalidHold, match="nobody with this number"):
        hold(study, subject_id=study.purpose.id)
    held = hold(study)
    lift(study, held)
    with pytest.raises(InvalidHold, match="over already"):
        lift(study, held)
    assert (len(entries(Action.HOLD_PLACE)), len(entries(Action.HOLD_LIFT))) == (1, 1)


def test_the_pages_place_and_lift_it(study: Study, person: Person) -> None:
    officer, admin = study.officer.sign_in(), study.administrator.sign_in()
    here = reverse("operate_purpose", args=[study.purpose.id])
    placing = reverse("operate_hold_place", args=[study.purpose.id])
    assert placing in officer.get(here).content.decode()
    until = timezone.now().date() + timedelta(days=20)
    form = {"reason": "complaint", "until": until.isoformat(), "whom": "everybody", "name": "Other"}
    assert officer.post(placing, form).status_code == 422
    assert not LegalHold.objects.exists()
    form["name"] = study.purpose.name
    assert officer.post(placing, form).status_code == 302
    held = LegalHold.objects.get()
    assert held.ends_at.date() == until
    for browser in (officer, admin):
        assert "A complaint is being looked into" in browser.get(here).content.decode()
        listed = browser.get(reverse("operate_holds")).content.decode()
        assert "A complaint is being looked into" in listed
    lifting = reverse("operate_hold_lift", args=[held.id])
    assert lifting not in admin.get(reverse("operate_holds")).content.decode()
    one = admin.get(reverse("operate_person", args=[study.purpose.id, person.subject.id]))
    assert "A legal hold stands." in one.content.decode()
    assert officer.post(lifting, {"name": study.purpose.name}).status_code == 302
    assert "Lifted" in officer.get(reverse("operate_holds") + "?show=all").content.decode()
    home = person.browser.get(reverse("subject_home")).content.decode()
    assert "A legal hold" not in home


def test_one_person_is_held_by_what_lists_show_of_their_number(
    study: Study, person: Person
) -> None:
    """A link fills the form in; the end of a number will do, and the form asks over whom."""
    bob = consenting(study, "P-002")
    end = person.subject.id.hex[-8:]
    officer = study.officer.sign_in()
    placing = reverse("operate_hold_place", args=[study.purpose.id])
    page = officer.get(f"{placing}?person={end}").content.decode()
    assert f"nothing of person {end} in this purpose is destroyed" in page
    assert f'value="{end}"' in page
    assert "<script>" not in officer.get(f"{placing}?person=<script>x").content.decode()
    until = (timezone.now().date() + timedelta(days=20)).isoformat()
    form = {"reason": "complaint", "until": until, "name": study.purpose.name}
    for wrong in (
        {},
        {"number": end},
        {"whom": "one"},
        {"whom": "one", "number": end[1:]},
        {"whom": "one", "number": "00000000"},
        {"whom": "everybody", "number": end},
    ):
        assert officer.post(placing, form | wrong).status_code == 422, wrong
    assert not LegalHold.objects.exists(), "nobody is held by a form that does not say whom"
    for number, held in ((end, person), (str(bob.subject.id), bob)):
        assert officer.post(placing, form | {"whom": "one", "number": number}).status_code == 302
        assert LegalHold.objects.latest("placed_at").subject_id == held.subject.id


def test_an_end_that_two_people_share_is_not_enough(study: Study, person: Person) -> None:
    double = UUID(int=person.subject.id.int ^ (1 << 100))
    DataSubject.objects.create(id=double)
    ConsentState.objects.create(
        subject_id=double, purpose=study.purpose, status="requested", changed_at=timezone.now()
    )
    with pytest.raises(InvalidHold, match="More than one person"):
        person_in(study.purpose, person.subject.id.hex[-8:])
    assert person_in(study.purpose, str(person.subject.id)) == person.subject.id


def test_a_breach_leads_to_a_hold_on_each_person(study: Study, person: Person) -> None:
    breach = breach_told(study)
    page = study.officer.sign_in().get(reverse("operate_breach", args=[breach.id])).content.decode()
    placing = reverse("operate_hold_place", args=[study.purpose.id])
    assert f"{placing}?person={person.subject.id.hex[-8:]}" in page
    seen = study.administrator.sign_in().get(reverse("operate_breach", args=[breach.id]))
    assert placing not in seen.content.decode()


def test_a_hold_and_an_erasure_at_once_are_one_after_the_other(
    study: Study, person: Person
) -> None:
    """Whichever comes first: an erasure begins before the hold, or waits whole."""
    analysed(study, study.key())
    keys = living_keys(person.subject)
    gate = threading.Barrier(2)

    def placed() -> None:
        gate.wait()
        hold(study)
        connections.close_all()

    thread = threading.Thread(target=placed)
    thread.start()
    gate.wait()
    withdraw_on_page(person, study)
    thread.join()
    drain()
    request = ErasureRequest.objects.get(only_key=None)
    held = LegalHold.objects.get()
    if request.begun_at is None:
        assert living_keys(person.subject) == keys
    else:
        assert not living_keys(person.subject)
        assert request.begun_at <= held.placed_at + timedelta(seconds=1)
