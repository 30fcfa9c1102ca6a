"""A person's address: a mistyped one opens nothing for its owner, and is changed without being shown."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from accounts.actors import SYSTEM_WORKER
from audit_log.actions import Action, ReasonCode
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.contacts import masked
from consent.invitations import send_invitation
from consent.messages import open_message
from consent.models import (
    ConsentState,
    Contact,
    DataSubject,
    Invitation,
    OutboxMessage,
    RequestKind,
    SignInCode,
)
from consent.outbox import hand_over
from consent.requests import make_request
from consent.subjects import find_by_email, register_subject
from tests.cast import Operator, Person, Study, come_in, consent, invite, open_study, text_of
from tests.consent.test_paper import in_the_flow
from vault.keyring import data_key_ids

pytestmark = pytest.mark.usefixtures("fresh_db")
WRONG, RIGHT = "anna@exmaple.org", "anna@example.org"


@pytest.fixture(autouse=True)
def mail_server(settings: Any) -> None:
    """One is configured; no keeper runs here, so letters wait until a test reads them."""
    settings.EMAIL_URL = "smtp://127.0.0.1:1"
    DESKS.clear()


DESKS: dict[UUID, Client] = {}


def desk_of(operator: Operator) -> Client:
    """The browser of an operator, who signs in once: a one-time code works once."""
    if operator.user.pk not in DESKS:
        DESKS[operator.user.pk] = operator.sign_in()
    return DESKS[operator.user.pk]


def change(
    study: Study, subject: DataSubject, email: str = RIGHT, by: Operator | None = None
) -> Any:
    address = reverse("operate_address", args=[study.purpose.id, subject.id])
    return desk_of(by or study.researcher).post(address, {"email": email, "reason": "mistyped"})


def invited(study: Study, email: str = WRONG) -> DataSubject:
    """Somebody whom the researcher invites on the page, to this address."""
    page = desk_of(study.researcher).post(
        reverse("operate_invite", args=[study.purpose.id]), {"reference": "P-777", "email": email}
    )
    assert page.status_code == 302
    return ConsentState.objects.get().subject


def letter_to(subject: DataSubject) -> tuple[str, str]:
    """The newest letter as the keeper sends it: (address, link)."""
    message = OutboxMessage.objects.filter(subject=subject, kind="invitation").latest("created_at")
    address, _heading, text, _language = open_message(SYSTEM_WORKER, message, Action.MESSAGE_SEND)
    found = re.search(r"/me/invitation/[\w-]+/", text)
    assert found
    return address, found[0]


def come_by_letter(subject: DataSubject) -> Person:
    browser = Client()
    assert browser.post(letter_to(subject)[1]).status_code == 302
    return Person(DataSubject.objects.get(pk=subject.pk), browser, "P-777")


def asked_for_code(email: str) -> int:
    """How many codes are on their way after somebody asked for one."""
    page = Client().post(reverse("subject_sign_in"), {"email": email})
    assert page.headers["Location"] == reverse("subject_sign_in_code"), "the same for everybody"
    return SignInCode.objects.count()


def refusals() -> int:
    integrate_once()
    return LogEntry.objects.filter(action=Action.CONTACT_CHANGE, outcome="refused").count()


def test_a_mistyped_address_is_changed_and_opens_nothing_for_its_owner(study: Study) -> None:
    subject = invited(study)
    wrong_address, old_link = letter_to(subject)
    old_keys = data_key_ids(subject_id=subject.id, category="contact")
    assert wrong_address == WRONG
    page = change(study, subject)
    assert page.status_code == 302
    assert Client().post(old_link).status_code == 410
    assert letter_to(subject)[0] == RIGHT
    assert not set(old_keys) & set(data_key_ids(subject_id=subject.id, category="contact"))
    assert find_by_email(WRONG) is None
    anna = come_by_letter(subject)
    consent(anna, study.purpose)
    assert asked_for_code(WRONG) == 0
    assert asked_for_code(RIGHT) == 1
    integrate_once()
    entry = LogEntry.objects.get(action=Action.CONTACT_CHANGE)
    assert (entry.actor, entry.reason) == (study.researcher.actor.log_name(), ReasonCode.MISTYPED)
    seen = text_of(anna.browser.get(reverse("access_history")))
    assert "Your e-mail address was changed" in seen
    assert "the address was mistyped" in seen


def test_no_code_goes_to_an_address_before_somebody_came_by_a_letter_to_it(study: Study) -> None:
    """Anna came in by a link that was handed over; whoever owns the mistyped address gets no code."""
    subject = invited(study)
    shown = hand_over(study.administrator.actor, OutboxMessage.objects.get(), ReasonCode.NOTIFY)
    found = re.search(r"/me/invitation/[\w-]+/", shown.text)
    assert found
    browser = Client()
    assert browser.post(found[0]).status_code == 302
    assert Contact.objects.get().confirmed_at is None
    assert asked_for_code(WRONG) == 0
    assert not OutboxMessage.objects.filter(kind="sign-in-code").exists()
    home = text_of(browser.get(reverse("subject_home")))
    assert "no codes go to your e-mail address yet" in home
    assert change(study, subject).status_code == 302
    assert browser.get(reverse("subject_home")).status_code == 302, "sessions end"
    come_by_letter(subject)
    assert asked_for_code(RIGHT) == 1


def test_an_address_that_brought_its_owner_in_is_changed_only_when_they_ask(study: Study) -> None:
    subject = invited(study, RIGHT)
    anna = come_by_letter(subject)
    for by in (study.researcher, study.administrator):
        assert change(study, subject, "thief@example.org", by).status_code == 422
    make_request(
        anna.actor, anna.subject, kind=RequestKind.RECTIFICATION, purpose=None, text="I moved."
    )
    assert change(study, subject, "thief@example.org").status_code == 422
    assert find_by_email("thief@example.org") is None
    assert anna.browser.get(reverse("subject_home")).status_code == 200
    assert change(study, subject, "new@example.org", study.administrator).status_code == 302
    assert letter_to(subject)[0] == "new@example.org"
    assert anna.browser.get(reverse("subject_home")).status_code == 302
    assert asked_for_code(RIGHT) == 0


def test_the_address_of_somebody_in_two_studies_is_no_study_s_alone(study: Study) -> None:
    subject, other = invited(study), open_study(name="Study B")
    register_subject(other.researcher.actor, other.purpose, reference="B-1", email=WRONG)
    send_invitation(other.researcher.actor, subject, other.purpose)
    for each in (study, other):
        assert change(each, subject).status_code == 422
    assert find_by_email(WRONG) == subject


def test_an_address_of_somebody_else_is_refused_without_a_word_about_them(study: Study) -> None:
    subject = invited(study)
    invite(open_study(name="Study B"), "B-1", RIGHT)
    before = (
        Contact.objects.get(subject=subject).pk,
        Invitation.objects.filter(revoked_at=None).count(),
    )
    keys = data_key_ids(subject_id=subject.id, category="contact")
    page = change(study, subject)
    assert page.status_code == 422
    assert "This address cannot be filed for this person." in text_of(page)
    after = (
        Contact.objects.get(subject=subject).pk,
        Invitation.objects.filter(revoked_at=None).count(),
    )
    assert after == before
    assert data_key_ids(subject_id=subject.id, category="contact") == keys
    assert refusals() == 1, "each try is an entry"


def test_whoever_attested_sets_no_address_of_that_person() -> None:
    study = open_study(paper_allowed=True)
    person = come_in(study)
    in_the_flow(study, person.subject, study.researcher)
    page = change(study, person.subject, "attester@example.org")
    assert page.status_code == 422
    assert not Contact.objects.exists()
    assert change(study, person.subject, RIGHT, study.administrator).status_code == 302


def test_who_withdrew_is_not_written_to_at_another_address(study: Study) -> None:
    person = come_in(study)
    consent(person, study.purpose)
    person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    assert change(study, person.subject).status_code == 422
    assert not Contact.objects.exists()


def test_the_person_s_page_leads_there_and_shows_no_address(study: Study) -> None:
    subject = invited(study)
    desk = desk_of(study.researcher)
    page = desk.get(reverse("operate_person", args=[study.purpose.id, subject.id])).content.decode()
    there = reverse("operate_address", args=[study.purpose.id, subject.id])
    assert there in page
    assert "exmaple" not in page + desk.get(there).content.decode()


def test_people_see_in_part_where_their_codes_go(study: Study) -> None:
    anna = come_by_letter(invited(study, RIGHT))
    page = text_of(anna.browser.get(reverse("own_address")))
    assert "Codes to sign in go to a…a@example.org" in page
    assert RIGHT not in page
    integrate_once()
    entry = LogEntry.objects.get(action=Action.CONTACT_READ)
    assert (entry.actor.partition(":")[0], entry.reason) == ("subject", ReasonCode.OWN_ACCESS)
    without = come_in(study, "P-2")
    assert "has no e-mail address of yours" in text_of(without.browser.get(reverse("own_address")))
    assert reverse("own_address") in anna.browser.get(reverse("subject_home")).content.decode()


@pytest.mark.parametrize(
    ("email", "shown"),
    [("anna@x.org", "a…a@x.org"), ("a@x.org", "a…@x.org"), ('"a@b"@x.org', '"…"@x.org')],
)
def test_an_address_is_masked(email: str, shown: str) -> None:
    assert masked(email) == shown
