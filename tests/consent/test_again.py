"""Consenting again: to less, and after a withdrawal."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.actors import SYSTEM_WORKER
from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.errors import InvalidChoice
from consent.giving import give_consent, refuse_consent
from consent.messages import open_message
from consent.models import (
    ConsentEvent,
    ConsentState,
    ErasureRequest,
    EventKind,
    Invitation,
    OutboxMessage,
)
from consent.purposes import close_purpose
from consent.retention import expire_consents
from consent.withdrawals import withdraw
from emotion.erasure import drain
from emotion.models import AnalysisState
from tests.cast import (
    CATEGORIES,
    CHILDREN,
    PHOTO,
    Person,
    Study,
    analysed,
    api_get,
    child_says,
    come_in,
    consent,
    consenting,
    guardian_says,
    open_study,
    text_of,
    upload,
)
from vault.keyring import data_key_ids

pytestmark = pytest.mark.usefixtures("fresh_db")


def again(person: Person, study: Study, categories: list[str]) -> None:
    give_consent(
        person.actor,
        person.subject,
        study.purpose.notices.get(),
        categories,
        of_age=True if study.purpose.guardian_allowed else None,
        gives_up=CATEGORIES,
    )


def test_a_category_that_was_dropped_stays_closed() -> None:
    study = open_study()
    person = consenting(study)
    row = analysed(study)
    key = study.key()
    before = api_get(key, "api_result", row.id, Access_Reason="quality-check").json()["parts"]
    assert set(before) == {"summary", "expression", "blendshapes"}
    again(person, study, ["media", "blendshapes"])
    after = api_get(key, "api_result", row.id, Access_Reason="quality-check").json()["parts"]
    assert set(after) == {"summary", "blendshapes"}
    page = person.browser.get(reverse("own_result", args=[row.id])).content.decode()
    assert "Of seven expressions" not in page


def test_a_new_consent_waits_for_the_old_erasure() -> None:
    study = open_study()
    person = consenting(study)
    analysed(study)
    withdraw(person.actor, person.subject, study.purpose)
    with pytest.raises(InvalidChoice, match="still being erased"):
        again(person, study, ["media"])
    drain()
    again(person, study, ["media", "expression"])
    row = analysed(study)
    drain()
    row.refresh_from_db()
    assert row.state == AnalysisState.DONE
    answer = api_get(study.key(), "api_result", row.id, Access_Reason="quality-check")
    assert set(answer.json()["parts"]) == {"summary", "expression"}


@pytest.mark.parametrize("options", [{}, CHILDREN], ids=["the same person", "a child come of age"])
def test_a_yes_after_the_end_waits_for_the_erasure_of_the_old_data(options: dict[str, Any]) -> None:
    study = open_study(**options)
    person = come_in(study) if options else consenting(study)
    if options:
        assert guardian_says(person, study.purpose).status_code == 302
        assert child_says(person, study.purpose).status_code == 302
    assert upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes()).status_code == 202
    assert data_key_ids(subject_id=person.subject.id, category="media")
    end = ConsentState.objects.get().valid_until
    assert end is not None
    with time_machine.travel(end + timedelta(seconds=1)):
        for ends in (expire_consents, drain):
            with pytest.raises(InvalidChoice, match="still being erased"):
                again(person, study, ["media", "expression"])
            assert ends() == 1
        again(person, study, ["media", "expression"])
    assert not data_key_ids(subject_id=person.subject.id, category="media")
    assert ErasureRequest.objects.get().cause == "retention"
    acts = ConsentEvent.objects.filter(kind__in=["given", "re-affirmed", "renewed", "expired"])
    kinds = list(acts.order_by("sequence").values_list("kind", flat=True))
    assert kinds == ["given", "expired", "given"]


def test_a_new_consent_does_not_bring_the_reference_back() -> None:
    study = open_study()
    person = consenting(study)
    withdraw(person.actor, person.subject, study.purpose)
    drain()
    again(person, study, ["media"])
    assert upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes()).status_code == 202
    asked = reverse("operate_identity", args=[study.purpose.id, person.subject.id])
    page = study.administrator.sign_in().post(asked, {"reason": "subject-request"})
    assert page.status_code == 410
    assert "P-001" not in page.content.decode()


def link_back(desk: Client, study: Study, person: Person) -> str:
    """The staff make a link back in on the person's page, which offers no invitation: its address."""
    both = [study.purpose.id, person.subject.id]
    page = desk.get(reverse("operate_person", args=both)).content.decode()
    assert reverse("operate_invitation_card", args=both) not in page
    assert "It asks them nothing" in page
    card = desk.post(reverse("operate_link_back", args=both))
    assert card.status_code == 200
    link = card.content.decode().split('id="invitation-link">')[1].split("<")[0]
    return link.removeprefix("http://testserver")


def comes_back(person: Person, path: str) -> Client:
    """The person opens it in a new browser, and stands on their own page."""
    browser = Client()
    page = text_of(browser.get(path))
    assert "You are asked for nothing." in page
    assert "You are invited" not in page
    assert browser.post(path).headers["Location"] == reverse("subject_home")
    assert browser.get(reverse("subject_home")).status_code == 200
    return browser


def asked() -> int:
    return ConsentEvent.objects.filter(kind=EventKind.REQUESTED).count()


@pytest.mark.parametrize("closed", [False, True])
def test_whoever_consented_is_let_in_again_to_withdraw(closed: bool) -> None:
    study = open_study()
    person, times = consenting(study), asked()
    if closed:
        close_purpose(study.officer.actor, study.purpose.id)
    browser = comes_back(person, link_back(study.administrator.sign_in(), study, person))
    gone = browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    assert gone.status_code == 302
    assert person.subject.consent_states.get().status == "withdrawn"
    assert asked() == times


def test_whoever_withdrew_is_let_in_again_to_the_receipt_and_whoever_refused_to_say_yes() -> None:
    study = open_study()
    left, refused = consenting(study), come_in(study, "P-002")
    erasure = withdraw(left.actor, left.subject, study.purpose)
    refuse_consent(refused.actor, refused.subject, study.purpose.notices.get())
    times, desk = asked(), study.administrator.sign_in()
    browser = comes_back(left, link_back(desk, study, left))
    receipt = browser.get(reverse("erasure_receipt", args=[erasure.id]))
    assert receipt.status_code == 200
    browser = comes_back(refused, link_back(desk, study, refused))
    notice = reverse("consent_notice", args=[study.purpose.id])
    assert notice in browser.get(reverse("subject_home")).content.decode()
    assert asked() == times
    integrate_once()
    entries = LogEntry.objects.filter(action=Action.INVITATION_SHOW).order_by("index")
    assert [entry.reason for entry in entries] == ["", "", "sign-in", "sign-in"]


def test_a_link_back_goes_to_the_address_and_asks_for_nothing() -> None:
    study = open_study()
    person = come_in(study, email="ann@example.net")
    consent(person, study.purpose)
    withdraw(person.actor, person.subject, study.purpose)
    times, both = asked(), [study.purpose.id, person.subject.id]
    desk = study.administrator.sign_in()
    assert desk.post(reverse("operate_link_back", args=both)).status_code == 302
    address, heading, text, _language = open_message(
        SYSTEM_WORKER, OutboxMessage.objects.latest("created_at"), Action.MESSAGE_SEND
    )
    assert (address, heading) == ("ann@example.net", "Your way back in: Story study")
    assert "You are not asked for anything." in text
    assert "invites" not in text
    comes_back(person, "/me/" + text.split("/me/")[1].split()[0])
    assert asked() == times


def test_nobody_is_let_in_whose_part_has_ended_or_whose_account_is_closed() -> None:
    study = open_study()
    ended, closed = come_in(study), come_in(study, "P-002")
    ConsentState.objects.filter(subject=ended.subject).update(tags_ended_at=timezone.now())
    refuse_consent(closed.actor, closed.subject, study.purpose.notices.get())
    assert closed.browser.post(reverse("close_account")).status_code == 302
    desk, links = study.administrator.sign_in(), Invitation.objects.count()
    for person in (ended, closed):
        both = [study.purpose.id, person.subject.id]
        page = desk.post(reverse("operate_link_back", args=both))
        assert page.status_code == 422
        assert "part in this study has ended" in page.content.decode()
    assert Invitation.objects.count() == links
