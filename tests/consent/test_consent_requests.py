"""Asking by the API: watched without telling who hesitates, asked again without pestering, taken back."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Scope
from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent import asking, invitations
from consent.asking import take_back
from consent.errors import AlreadyAnswered, InvalidChoice
from consent.giving import give_consent, refuse_consent
from consent.invitations import create_invitation, send_invitation
from consent.mail_sending import deliver_waiting
from consent.messages import open_message
from consent.models import (
    ConsentEvent,
    ConsentState,
    DataSubject,
    Invitation,
    OutboxMessage,
    RequestKey,
    SubjectReference,
)
from consent.records import record_notice_shown
from consent.request_keys import forget_old_keys
from consent.subjects import Identity, register_subject, sealed_contact
from tests.cast import Person, Study, api, come_in, consenting, invite, open_study
from tests.consent.test_receipts import RECEIPT, statuses
from tests.counting import queries_of
from tests.mail_server import mail_server
from vault.keyring import data_key_ids

pytestmark = pytest.mark.usefixtures("fresh_db")
ADDRESS = "val@example.org"


def ask(key: str, subject: str, email: str = "", idempotency: str = "") -> Any:
    body = {"subject": subject} | ({"email": email} if email else {})
    headers = {"Idempotency-Key": idempotency} if idempotency else {}
    return api(key).post(
        reverse("api_consent_requests"), body, content_type="application/json", headers=headers
    )


def step(key: str, name: str, id: object, **headers: str) -> Any:
    return api(key).post(reverse(f"api_consent_request_{name}", args=[id]), headers=headers)


def look(key: str, id: object) -> dict[str, Any]:
    answer = api(key).get(reverse("api_consent_request", args=[id]))
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def link_in(message: OutboxMessage, study: Study) -> str:
    _to, _heading, text, _language = open_message(
        study.administrator.actor, message, Action.MESSAGE_READ
    )
    return next(line for line in text.splitlines() if "/me/invitation/" in line)


def entries(action: Action) -> int:
    integrate_once()
    return LogEntry.objects.filter(action=action).count()


def test_a_question_is_watched_and_says_nothing_of_who_hesitates(
    study: Study, settings: Any
) -> None:
    key = study.key(Scope.CONSENT_REQUEST)
    made = ask(key, "ISS-115", ADDRESS)
    assert made.status_code == 201, made.content
    first = made.json()
    assert (first["status"], first["letter_sent_at"], first["letters_left"]) == (
        "requested",
        None,
        3,
    )
    assert first["link_until"]
    assert first["next_letter_not_before"]
    link = link_in(OutboxMessage.objects.get(), study)
    with mail_server(settings):
        assert deliver_waiting() == 1
    sent = look(key, first["id"])
    assert sent["letter_sent_at"]
    before = ConsentEvent.objects.count()

    browser = Client()
    assert browser.post(link).status_code == 302
    page = browser.get(reverse("consent_notice", args=[study.purpose.id]))
    assert page.status_code == 200
    assert ConsentEvent.objects.count() > before, "the notice was shown, and that is in the log"
    assert look(key, first["id"]) == sent, "whoever reads and hesitates is nobody's business"

    written = entries(Action.CONSENT_REQUEST)
    for _each in range(3):
        look(key, first["id"])
        api(key).get(reverse("api_consent_requests"))
    assert entries(Action.CONSENT_REQUEST) == written
    said = json.dumps(look(key, first["id"]))
    subject = DataSubject.objects.get()
    assert not [x for x in ("ISS-115", ADDRESS, str(subject.id), link[-20:]) if x in said]


def test_the_list_is_filtered_and_asks_as_little_for_many_as_for_few(study: Study) -> None:
    key = study.key(Scope.CONSENT_REQUEST)
    for number in range(3):
        invite(study, f"P-{number}", f"p{number}@example.org" if number else "")
    consenting(study, "P-yes")
    address = reverse("api_consent_requests")
    api(key).get(address)  # the first request of a key and of a minute writes that it came
    few = queries_of(api(key), f"{address}?limit=3")
    many_of(study, 57)
    assert queries_of(api(key), f"{address}?limit=60") == few
    page = api(key).get(f"{address}?limit=60").json()
    assert len(page["results"]) == 60
    assert page["next"], "61 were asked"
    ids = [row["id"] for row in page["results"]]
    assert ids == sorted(ids, reverse=True), "newest first"
    rest = api(key).get(page["next"]).json()["results"]
    assert len(rest) == 1
    assert rest[0]["id"] not in ids
    given = api(key).get(f"{address}?status=given").json()["results"]
    assert [row["status"] for row in given] == ["given"]
    assert given[0]["link_until"] is None
    for wrong in ("status=maybe", "state=given", "limit=0", "order=by-name"):
        answer = api(key).get(f"{address}?{wrong}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), wrong
        assert "maybe" not in answer.content.decode()
        assert "by-name" not in answer.content.decode()
    other = api(open_study().key())
    assert other.get(address).json()["results"] == []


def many_of(study: Study, number: int, first: int = 0) -> None:
    """More people of the study who were asked, without the walk of each: only the rows that are listed."""
    now = timezone.now()
    for each in range(first, first + number):
        subject = DataSubject.objects.create()
        SubjectReference.objects.create(
            subject=subject, purpose=study.purpose, data_key_id=subject.id, sealed=b"",
            index=each.to_bytes(32, "big"),
        )  # fmt: skip
        ConsentState.objects.create(
            subject=subject, purpose=study.purpose, status="requested", changed_at=now
        )


def test_of_others_there_is_nothing(study: Study) -> None:
    key, other = study.key(), open_study().key()
    made = ask(key, "P-1", ADDRESS).json()["id"]
    assert api(other).get(reverse("api_consent_request", args=[made])).status_code == 404
    for name in ("resend", "cancel"):
        refused = step(other, name, made)
        nothing = step(other, name, study.purpose.id)
        assert refused.status_code == nothing.status_code == 404
        assert refused.json() == nothing.json(), "like what does not exist"
    assert ConsentState.objects.get().status == "requested"
    assert OutboxMessage.objects.count() == 1


def test_asked_again_once_a_day_and_three_times_in_all(study: Study) -> None:
    key = study.key(Scope.CONSENT_REQUEST)
    made = ask(key, "P-1", ADDRESS).json()["id"]
    begun = timezone.now()
    soon = step(key, "resend", made)
    assert (soon.status_code, soon.json()["code"]) == (429, "asked-too-soon")
    assert 86_000 < int(soon.headers["Retry-After"]) <= 86_400
    links = [link_in(OutboxMessage.objects.get(), study)]
    for day in range(1, 4):
        with time_machine.travel(begun + timedelta(days=day, minutes=day), tick=False):
            sent = step(key, "resend", made)
            assert sent.status_code == 200, sent.content
            assert sent.json()["letters_left"] == 3 - day
            message = OutboxMessage.objects.get()  # the one before had not left: it was thrown away
            links.append(link_in(message, study))
            assert step(key, "resend", made).status_code == (429 if day < 3 else 409)
            old = Client().post(links[-2])
            assert old.status_code == 410
    with time_machine.travel(begun + timedelta(days=9), tick=False):
        enough = step(key, "resend", made)
        assert (enough.status_code, enough.json()["code"]) == (409, "asked-often-enough")
        assert "Retry-After" not in enough.headers, "no time makes it better"
        assert look(key, made)["letters_left"] == 0
        assert Client().post(links[-1]).status_code == 302, "the newest link works"
    assert len(data_key_ids(subject_id=DataSubject.objects.get().id, category="message")) == 1
    assert entries(Action.INVITATION_CREATE) == 4


def test_letters_of_operators_count_too(study: Study) -> None:
    key = study.key(Scope.CONSENT_REQUEST)
    made = ask(key, "P-1", ADDRESS).json()["id"]
    with time_machine.travel(timezone.now() + timedelta(days=2), tick=False):
        subject = DataSubject.objects.get()
        send_invitation(study.administrator.actor, subject, study.purpose)
        assert step(key, "resend", made).status_code == 429


def test_never_after_an_answer_and_never_without_an_address(study: Study) -> None:
    key = study.key(Scope.CONSENT_REQUEST)
    nobody = ask(key, "P-0").json()
    assert nobody["letters_left"] == 0
    refused = step(key, "resend", nobody["id"])
    assert (refused.status_code, refused.json()["code"]) == (409, "no-address")
    later = timezone.now() + timedelta(days=3)
    for decision in ("refuse", "give"):
        person = come_in(study, f"P-{decision}", f"{decision}@example.org")
        answer(person, study, decision)
        reference = person.subject.references.get().id
        messages = OutboxMessage.objects.count()
        with time_machine.travel(later, tick=False):
            for name in ("resend", "cancel"):
                closed = step(key, name, reference)
                assert (closed.status_code, closed.json()["code"]) == (409, "already-answered")
        if decision == "give":
            person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
            with time_machine.travel(later, tick=False):
                assert step(key, "resend", reference).json()["code"] == "already-answered"
        assert OutboxMessage.objects.count() == messages


def answer(person: Person, study: Study, decision: str) -> None:
    address = reverse("consent_notice", args=[study.purpose.id])
    person.browser.get(address)
    form = {
        "notice": study.purpose.notices.get().id,
        "decision": decision,
        "categories": ["media", "expression"],
    }
    assert person.browser.post(address, form).status_code == 302


def test_a_no_that_comes_in_between_wins(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """The letter is sealed before the lock; the person says no meanwhile; nothing is sent."""
    key = study.key(Scope.CONSENT_REQUEST)
    person = come_in(study, "P-1")
    actor, identity = study.administrator.actor, Identity(email=ADDRESS)
    sealed_contact(actor, person.subject, identity).save(force_insert=True)
    sealing = invitations.seal_letter

    def slow(*given: Any) -> Any:
        letter = sealing(*given)
        answer(person, study, "refuse")
        return letter

    monkeypatch.setattr(invitations, "seal_letter", slow)
    refused = step(key, "resend", person.subject.references.get().id)
    assert refused.json()["code"] == "already-answered"
    assert not OutboxMessage.objects.exists()
    assert not data_key_ids(subject_id=person.subject.id, category="message")


def test_a_no_that_comes_in_between_wins_also_where_an_operator_asks(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked anew by a colleague and refused, while the program asks anew without a letter."""
    key = study.key(Scope.CONSENT_REQUEST)
    person, admin = come_in(study, "P-1"), study.administrator.actor
    take_back(admin, person.subject, study.purpose)
    asked = asking.record_request

    def slow(*given: Any) -> None:
        create_invitation(admin, person.subject, study.purpose, show_to_operator=True)
        answer(person, study, "refuse")
        asked(*given)

    monkeypatch.setattr(asking, "record_request", slow)
    assert ask(key, "P-1").json()["code"] == "already-answered"
    assert ConsentState.objects.get().status == "refused"
    assert ConsentEvent.objects.latest("sequence").kind == "refused", "and nothing was asked since"


def test_a_no_that_comes_in_between_wins_over_an_operators_card(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, admin = come_in(study, "P-1"), study.administrator.sign_in()
    making, links = invitations.new_invitation, Invitation.objects.count()

    def slow(*given: Any, **more: Any) -> Any:
        answer(person, study, "refuse")
        return making(*given, **more)

    monkeypatch.setattr(invitations, "new_invitation", slow)
    again = reverse("operate_invitation_card", args=[study.purpose.id, person.subject.id])
    assert admin.post(again).status_code == 422
    assert Invitation.objects.count() == links
    assert ConsentEvent.objects.latest("sequence").kind == "refused"


def test_a_question_taken_back_is_over_until_it_is_asked_anew(study: Study) -> None:
    key = study.key(Scope.CONSENT_REQUEST)
    made = ask(key, "P-1", ADDRESS).json()["id"]
    link = link_in(OutboxMessage.objects.get(), study)
    for _twice in range(2):
        back = step(key, "cancel", made)
        assert (back.status_code, back.json()["status"]) == (200, "cancelled")
        assert (back.json()["link_until"], back.json()["letters_left"]) == (None, 0)
    assert Client().post(link).status_code == 410
    assert not OutboxMessage.objects.exists(), "a letter that waits is thrown away"
    subject = DataSubject.objects.get()
    assert not data_key_ids(subject_id=subject.id, category="message")
    assert entries(Action.CONSENT_CANCEL) == 1
    assert step(key, "resend", made).json()["code"] == "question-taken-back"
    for wrong in ("other@example.org", "third@example.org"):
        refused = ask(key, "P-1", wrong)
        assert (refused.status_code, refused.json()["code"]) == (409, "reference-taken")
    assert ask(key, "P-1", ADDRESS).status_code == 429, "taking back does not open the letter box"
    with time_machine.travel(timezone.now() + timedelta(days=1, minutes=1), tick=False):
        anew = ask(key, "P-1", ADDRESS)
        assert (anew.status_code, anew.json()["id"], anew.json()["status"]) == (
            201,
            made,
            "requested",
        )
        assert Client().post(link_in(OutboxMessage.objects.get(), study)).status_code == 302
    assert ask(key, "P-1", ADDRESS).json()["code"] == "reference-taken"


def test_the_person_sees_that_it_was_taken_back_and_can_answer_nothing(study: Study) -> None:
    person = come_in(study)
    notice = reverse("consent_notice", args=[study.purpose.id])
    assert person.browser.get(notice).status_code == 200
    take_back(study.administrator.actor, person.subject, study.purpose)
    home = person.browser.get(reverse("subject_home")).content.decode()
    assert "The study took its question back" in home
    assert notice not in home
    assert person.browser.get(notice).status_code == 302
    form = {
        "notice": study.purpose.notices.get().id, "decision": "give", "categories": ["media"],
    }  # fmt: skip
    assert person.browser.post(notice, form).status_code == 302
    assert ConsentState.objects.get().status == "cancelled"
    integrate_once()
    looked = person.browser.get(reverse("access_history")).content.decode()
    assert "The study took its question back" in looked
    history = reverse("consent_history", args=[study.purpose.id])
    assert "The study took its question back" in person.browser.get(history).content.decode()


def test_a_question_taken_back_stands_in_the_receipt_of_a_later_yes(study: Study) -> None:
    person = come_in(study)
    take_back(study.administrator.actor, person.subject, study.purpose)
    create_invitation(
        study.administrator.actor, person.subject, study.purpose, show_to_operator=True
    )
    answer(person, study, "give")
    integrate_once()
    given = person.subject.consent_events.get(kind="given")
    receipt = person.browser.get(reverse("consent_receipt", args=[given.id])).json()
    RECEIPT.validate(receipt)
    history = statuses(receipt, "expression")
    told = [(each["dct:type"], each["@type"][0]) for each in history]
    assert ("cancelled", "dpv:ConsentRevoked") in told
    assert told[-1] == ("given", "dpv:ConsentGiven")


def test_taken_back_while_the_person_answers_one_of_the_two_wins(study: Study) -> None:
    person, said_yes = come_in(study), consenting(study, "P-2")
    notice = study.purpose.notices.get()
    record_notice_shown(person.actor, person.subject, notice)
    take_back(study.administrator.actor, person.subject, study.purpose)
    with pytest.raises(InvalidChoice):
        give_consent(person.actor, person.subject, notice, ["media"])
    with pytest.raises(InvalidChoice):
        refuse_consent(person.actor, person.subject, notice)
    with pytest.raises(AlreadyAnswered):
        take_back(study.administrator.actor, said_yes.subject, study.purpose)


def test_operators_take_back_and_ask_anew_on_the_persons_page(study: Study) -> None:
    admin = study.administrator.sign_in()
    person = come_in(study, "P-1")
    both = [study.purpose.id, person.subject.id]
    page, back = reverse("operate_person", args=both), reverse("operate_question_back", args=both)
    assert "Take the question back" in admin.get(page).content.decode()
    assert admin.post(back).status_code == 302
    shown = admin.get(page).content.decode()
    assert "Question taken back" in shown
    assert "A new invitation asks them anew" in shown
    again = reverse("operate_invitation_card", args=both)
    assert admin.post(again).status_code == 200
    assert ConsentState.objects.get().status == "requested"
    consent_of = consenting(study, "P-2")
    closed = reverse("operate_question_back", args=[study.purpose.id, consent_of.subject.id])
    assert admin.post(closed).status_code == 422
    assert study.officer.sign_in().post(back).status_code == 404


def test_a_retry_with_its_key_asks_nobody_twice(study: Study) -> None:
    key = study.key(Scope.CONSENT_REQUEST)
    first, again = (ask(key, "P-1", ADDRESS, "try-1") for _each in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert OutboxMessage.objects.count() == Invitation.objects.count() == 1
    other = ask(key, "P-2", "", "try-1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-mismatch")
    assert ask(key, "P-1").json()["code"] == "reference-taken", (
        "without its key it is a new request"
    )
    refused = ask(key, "P-3", "", "x" * 129)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid-idempotency-key")
    stored = str(list(RequestKey.objects.values_list()))
    assert not [each for each in ("try-1", "P-1", ADDRESS) if each in stored]
    failed = ask(key, "P-1", "", "try-2")
    assert failed.status_code == 409
    assert RequestKey.objects.count() == 1, "what failed leaves its key free"
    with time_machine.travel(timezone.now() + timedelta(days=1, minutes=1), tick=False):
        made = first.json()["id"]
        answers = [step(key, "resend", made, **{"Idempotency-Key": "again"}) for _each in range(2)]
        assert [each.status_code for each in answers] == [200, 200], "and not 429 for the retry"
        assert Invitation.objects.count() == 2
        assert forget_old_keys() == 1
        assert RequestKey.objects.count() == 1


def test_the_same_request_twice_at_once_asks_once(study: Study) -> None:
    key = study.key(Scope.CONSENT_REQUEST)
    answers: list[Any] = []

    def send() -> None:
        answers.append(ask(key, "P-1", ADDRESS, "at-once"))
        connections.close_all()

    threads = [threading.Thread(target=send) for _each in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = sorted(each.status_code for each in answers)
    assert 201 in codes
    assert set(codes) <= {201, 409}
    assert all(
        each.json()["code"] == "idempotency-in-progress"
        for each in answers
        if each.status_code == 409
    )
    assert OutboxMessage.objects.count() == Invitation.objects.count() == 1
    assert ask(key, "P-1", ADDRESS, "at-once").status_code == 201


def test_a_request_that_died_frees_its_key_after_a_minute(study: Study) -> None:
    key = study.key(Scope.CONSENT_REQUEST)
    assert ask(key, "P-1", "", "dies").status_code == 201
    RequestKey.objects.update(made=None)
    assert ask(key, "P-1", "", "dies").json()["code"] == "idempotency-in-progress"
    with time_machine.travel(timezone.now() + timedelta(seconds=61), tick=False):
        assert ask(key, "P-1", "", "dies").json()["code"] == "reference-taken"


def test_whoever_was_only_filed_is_asked(study: Study) -> None:
    """A server that was stopped between the two steps leaves nobody who can never be asked."""
    key = study.key()
    register_subject(study.administrator.actor, study.purpose, reference="P-1", email=ADDRESS)
    found = api(key).post(
        reverse("api_subjects_find"), {"subject": "P-1"}, content_type="application/json"
    )
    assert found.status_code == 404
    assert ask(key, "P-1", ADDRESS).status_code == 201


def test_times_are_rfc_3339(study: Study) -> None:
    made = ask(study.key(), "P-1", ADDRESS).json()
    for name in ("asked_at", "changed_at", "link_until", "next_letter_not_before"):
        assert datetime.fromisoformat(made[name]).tzinfo is not None
