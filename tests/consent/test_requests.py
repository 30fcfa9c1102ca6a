"""People's requests: a clock, an owner, an answer, and an entry for every step."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.timezone import localdate

from accounts.actors import SYSTEM_WORKER
from accounts.models import Role
from audit_log.actions import Action
from audit_log.models import LogEntry, PendingEntry
from audit_log.sequencer import integrate_once
from consent import request_ends
from consent.account_closing import close_account
from consent.errors import ConsentRefused, InvalidRequest, NotTheSubject
from consent.holds import lift_hold, place_hold
from consent.messages import open_message
from consent.models import (
    DataSubject,
    ExtensionReason,
    HoldReason,
    LegalHold,
    OutboxMessage,
    RequestKind,
    RequestOutcome,
    SubjectRequest,
)
from consent.request_answers import Answer, answer, extend, take
from consent.request_clock import days_left, due_after, month_later
from consent.request_ends import KEPT_FOR, erase_old
from consent.requests import WAITING_AT_MOST, make_request, retract
from emotion.erasure import drain
from emotion.health import check_requests
from tests.cast import (
    Operator,
    Person,
    Study,
    come_back,
    come_in,
    consenting,
    invite,
    open_study,
    operator,
)
from vault.keyring import data_key_ids
from vault.tags import destroy_tag_key, tagger

pytestmark = pytest.mark.usefixtures("fresh_db")
WORDS, REPLY = "My name is spelled wrong everywhere.", "We have corrected it in our files."
REASON = {"reason": "subject-request"}
DONE = {"outcome": "done", "ground": "", "text": REPLY}


def ask(person: Person, kind: str = "rectification", **fields: Any) -> SubjectRequest:
    """The person sends the form on their own page."""
    page = person.browser.post(reverse("own_request_new", args=[kind]), {"text": WORDS} | fields)
    assert page.status_code == 302, page.content.decode()
    return SubjectRequest.objects.latest("received_at")


def own_page(person: Person, asked: SubjectRequest) -> str:
    page = person.browser.get(reverse("own_request", args=[asked.id]))
    assert page.status_code == 200
    return str(page.content.decode())


def send(browser: Client, name: str, asked: SubjectRequest, fields: Any = None) -> Any:
    return browser.post(reverse(name, args=[asked.id]), fields or {})


def answered(browser: Client, asked: SubjectRequest, **fields: Any) -> None:
    """An operator takes it and answers it, on the pages."""
    assert send(browser, "operate_request_take", asked).status_code == 302
    page = send(browser, "operate_request_answer", asked, DONE | fields)
    assert page.status_code == 302, page.content.decode()
    asked.refresh_from_db()


def steps(subject: DataSubject) -> list[tuple[str, str, str]]:
    """Every entry about a person's requests: what, how it ended, why."""
    integrate_once()
    rows = LogEntry.objects.about_subject([tagger(subject.id, None).subject()])
    rows = rows.filter(action__startswith="request:").order_by("index")
    return list(rows.values_list("action", "outcome", "reason"))


def request_keys(subject: DataSubject) -> list[Any]:
    return data_key_ids(subject_id=subject.id, purpose_id=None, category="request")


def entries() -> int:
    return LogEntry.objects.count() + PendingEntry.objects.count()


# --- the clock ---------------------------------------------------------------------------------------


def test_a_month_is_the_same_number_in_the_next_one_or_its_last_day() -> None:
    assert month_later(date(2027, 1, 15), 1) == date(2027, 2, 15)
    assert month_later(date(2027, 1, 31), 1) == date(2027, 2, 28)
    assert month_later(date(2028, 1, 31), 1) == date(2028, 2, 29)
    assert month_later(date(2027, 12, 31), 1) == date(2028, 1, 31)
    # Counted from the receipt, so three months give the full number back.
    assert month_later(date(2027, 1, 31), 3) == date(2027, 4, 30)
    assert month_later(date(2027, 11, 30), 3) == date(2028, 2, 29)


@pytest.mark.parametrize("received", ["2027-03-14T09:30+00:00", "2027-03-28T00:59+00:00"])
def test_it_ends_with_the_day_whatever_the_clock_does_in_between(received: str) -> None:
    at = datetime.fromisoformat(received)
    with timezone.override("Europe/Berlin"):
        due = due_after(at, 1)
        assert localdate(due) == month_later(localdate(at), 1)
        assert (timezone.localtime(due).hour, timezone.localtime(due).minute) == (23, 59)


def test_days_left_count_down_to_nothing_and_below() -> None:
    with time_machine.travel("2027-05-10 12:00Z", tick=False):
        due = due_after(timezone.now(), 1)
        assert days_left(due) == 31
    with time_machine.travel("2027-06-10 22:00Z", tick=False):
        assert days_left(due) == 0
    with time_machine.travel("2027-06-12 08:00Z", tick=False):
        assert days_left(due) == -2


# --- the person --------------------------------------------------------------------------------------


def test_what_can_be_done_at_once_stands_first_and_the_staff_can_be_asked_all_the_same(
    study: Study, person: Person
) -> None:
    home = person.browser.get(reverse("subject_home")).content.decode()
    assert reverse("own_requests") in home
    listed = person.browser.get(reverse("own_requests")).content.decode()
    here = [study.purpose.id]
    at_once = {
        "access": [reverse("own_bundle", args=here), reverse("access_history")],
        "portability": [reverse("own_bundle", args=here)],
        "rectification": [reverse("subject_home")],
        "restriction": [reverse("consent_change", args=here)],
        "objection": [reverse("consent_withdraw", args=here)],
        "erasure": [reverse("consent_withdraw", args=here), reverse("close_account")],
        "complaint": [],
    }
    assert set(at_once) == set(RequestKind.values)
    for kind, links in at_once.items():
        address = reverse("own_request_new", args=[kind])
        assert address in listed
        page = person.browser.get(address).content.decode()
        before, form = page.split('<form class="form"')
        assert [link for link in links if f'href="{link}"' not in before] == []
        assert "</textarea>" in form
        ask(person, kind, text="")
    assert SubjectRequest.objects.count() == len(at_once)
    assert person.browser.get(reverse("own_request_new", args=["revenge"])).status_code == 404


def test_a_request_has_its_clock_its_words_and_its_entries(study: Study, person: Person) -> None:
    with time_machine.travel("2027-01-31 10:00Z"):
        come_back(study, person)
        asked = ask(person, study=str(study.purpose.id))
        page = own_page(person, asked)
    assert (asked.kind, asked.purpose_id) == ("rectification", study.purpose.id)
    assert localdate(asked.due_at) == date(2027, 2, 28)
    assert "28 days left" in page
    assert WORDS in page
    assert steps(person.subject) == [
        ("request:make", "ok", ""),
        ("request:read", "ok", "own-access"),
    ]
    assert WORDS.encode() not in bytes(asked.text_sealed or b"")


def test_nothing_about_a_study_that_never_asked_and_no_flood(study: Study, person: Person) -> None:
    other = open_study()
    address = reverse("own_request_new", args=["access"])
    page = person.browser.post(address, {"study": str(other.purpose.id)})
    assert page.status_code == 422
    assert str(other.purpose.id) not in page.content.decode()
    with pytest.raises(InvalidRequest):
        make_request(
            person.actor, person.subject, kind=RequestKind.ACCESS, purpose=other.purpose, text="x"
        )
    for _each in range(WAITING_AT_MOST):
        ask(person, "complaint")
    keys = request_keys(person.subject)
    page = person.browser.post(address, {"text": WORDS})
    assert page.status_code == 422
    assert WORDS in page.content.decode(), "what was written is not lost"
    assert request_keys(person.subject) == keys, "the key made for it is gone"


def test_a_request_is_ones_own(study: Study, person: Person) -> None:
    asked, other = ask(person), consenting(study, "P-002")
    before = entries()
    for name in ("own_request", "own_request_retract"):
        address = reverse(name, args=[asked.id])
        answers = other.browser.get(address), other.browser.post(address)
        assert {page.status_code for page in answers} <= {404, 405}
    assert (
        asked.get_kind_display()
        not in (
            other.browser.get(reverse("own_requests"))
            .content.decode()
            .split("What would you like")[0]
        )
    )
    assert entries() == before
    for wrong in (other.actor, study.administrator.actor, study.officer.actor):
        with pytest.raises(NotTheSubject):
            make_request(wrong, person.subject, kind=RequestKind.ACCESS, purpose=None)
        with pytest.raises(NotTheSubject):
            retract(wrong, asked)


def test_they_are_in_what_one_takes_away(study: Study, person: Person) -> None:
    other = open_study(name="Another study")
    here, all_over = ask(person, study=str(study.purpose.id)), ask(person, "complaint")
    answered(study.officer.sign_in(), here)
    subject = consenting(other, "P-9")
    ask(subject, "access")
    taken = person.browser.post(reverse("own_bundle", args=[study.purpose.id]))
    archive = zipfile.ZipFile(io.BytesIO(b"".join(taken.streaming_content)))
    found = json.loads(archive.read("requests.json"))
    assert [each["id"] for each in found] == [str(here.id), str(all_over.id)]
    assert (found[0]["text"], found[0]["answer"]) == (WORDS, REPLY)
    assert (found[1]["text"], found[1]["answer"]) == (WORDS, None)
    assert [step[2] for step in steps(person.subject) if step[0] == "request:read"] == [
        "own-access",
        "own-access",
    ]


def test_taking_it_back_destroys_what_was_written(study: Study, person: Person) -> None:
    asked = ask(person)
    assert len(request_keys(person.subject)) == 1
    assert send(person.browser, "own_request_retract", asked).status_code == 302
    asked.refresh_from_db()
    assert (asked.state, asked.text_sealed) == ("retracted", None)
    assert request_keys(person.subject) == []
    page = own_page(person, asked)
    assert "You took this request back" in page
    assert WORDS not in page
    again = person.browser.post(reverse("own_request_retract", args=[asked.id]), follow=True)
    assert "was answered or taken back already" in again.content.decode()
    desk = study.officer.sign_in()
    assert send(desk, "operate_request_take", asked).status_code == 302
    asked.refresh_from_db()
    assert asked.owner_id is None


def test_whoever_withdrew_is_answered_too(study: Study, person: Person) -> None:
    person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    drain()
    asked = ask(person, "complaint", study=str(study.purpose.id))
    answered(study.officer.sign_in(), asked)
    page = own_page(person, asked)
    assert REPLY in page
    assert WORDS in page


# --- the staff ---------------------------------------------------------------------------------------


def test_the_text_opens_only_for_a_stated_reason_that_is_in_the_log_first(
    study: Study, person: Person
) -> None:
    asked = ask(person)
    for staff in (study.administrator, study.officer):
        desk, before = staff.sign_in(), entries()
        for name in ("operate_requests", "operate_request", "operate_request_text"):
            page = desk.get(reverse(name, args=[] if name.endswith("s") else [asked.id]))
            assert page.status_code == 200
            assert WORDS not in page.content.decode()
        for wrong in ({}, {"reason": "because"}):
            page = send(desk, "operate_request_text", asked, wrong)
            assert page.status_code == 422
            assert WORDS not in page.content.decode()
        assert entries() == before, "nothing was opened, so nothing is written"
        page = send(desk, "operate_request_text", asked, REASON)
        assert page.status_code == 200
        assert WORDS in page.content.decode()
        assert "no-store" in page.headers["Cache-Control"]
        assert steps(person.subject)[-1] == ("request:read", "ok", "subject-request")
        assert LogEntry.objects.latest("index").actor == staff.actor.log_name()
    history = person.browser.get(reverse("access_history") + "?looks=1").content.decode()
    assert history.count("Your request was read") == 2


def test_a_request_about_everything_leads_to_the_person_in_each_study(study: Study) -> None:
    """For whoever may see people there; a data protection officer gets forms of holds instead."""
    alice = come_in(study, "P-001", "alice@example.org")
    other, third = open_study(name="Study B"), open_study(name="Study C")
    invite(other, "B-1", "alice@example.org")
    invite(third, "C-1", "bob@example.org")
    asked = ask(alice, "access")
    there = reverse("operate_request", args=[asked.id])
    desk, officer = study.administrator.sign_in(), study.officer.sign_in()
    page = desk.get(there).content.decode()
    for each in (study, other):
        assert reverse("operate_person", args=[each.purpose.id, alice.subject.id]) in page
    assert str(third.purpose.id) not in page
    assert "/hold/" not in page
    listed = officer.get(reverse("operate_requests")).content.decode()
    for shown in (officer.get(there).content.decode(), listed):
        assert str(alice.subject.id) not in shown
        for each in (study, other):
            placing = reverse("operate_hold_place", args=[each.purpose.id])
            assert f"{placing}?person={alice.subject.id.hex[-8:]}" in shown


def test_a_researcher_sees_no_request(study: Study, person: Person) -> None:
    asked, desk = ask(person, study=str(study.purpose.id)), study.researcher.sign_in()
    assert desk.get(reverse("operate_requests")).status_code == 404
    for name in ("operate_request", "operate_request_text", "operate_request_answer"):
        assert desk.get(reverse(name, args=[asked.id])).status_code == 404
        assert send(desk, name, asked, REASON | DONE).status_code in {404, 405}
    user, actor = study.researcher.user, study.researcher.actor
    with pytest.raises(InvalidRequest):
        take(actor, user, asked.id)


def test_whoever_takes_it_answers_it_and_the_person_is_told(study: Study) -> None:
    person = come_in(study, email="alice@example.org")
    asked = ask(person)
    admin, officer = study.administrator.sign_in(), study.officer.sign_in()
    assert send(admin, "operate_request_answer", asked, DONE).status_code == 302
    asked.refresh_from_db()
    assert asked.state == "open", "nobody answers what they have not taken"
    send(admin, "operate_request_take", asked)
    assert send(officer, "operate_request_answer", asked, DONE).status_code == 302
    asked.refresh_from_db()
    assert (asked.state, asked.owner_id) == ("taken", study.administrator.user.id)
    send(officer, "operate_request_take", asked)  # taken over
    assert send(officer, "operate_request_answer", asked, DONE).status_code == 302
    asked.refresh_from_db()
    assert (asked.state, asked.outcome) == ("answered", "done")
    assert asked.owner_id == study.officer.user.id
    assert REPLY.encode() not in bytes(asked.answer_sealed or b"")
    assert REPLY in own_page(person, asked)
    message = OutboxMessage.objects.get(kind="request-answered")
    address, heading, text, _language = open_message(SYSTEM_WORKER, message, Action.MESSAGE_SEND)
    assert (address, heading) == ("alice@example.org", "Your request was answered")
    assert reverse("own_request", args=[asked.id]) in text
    assert REPLY not in text, "the answer itself opens on the person's page only"
    made = [action for action, _outcome, _reason in steps(person.subject)]
    assert made == [
        "request:make",
        "request:take",
        "request:take",
        "request:answer",
        "request:read",
    ]
    send(officer, "operate_request_answer", asked, DONE | {"text": "Something else."})
    assert REPLY in own_page(person, asked), "an answer is final"


def test_a_refusal_names_its_ground_and_the_way_to_the_authority(
    study: Study, person: Person
) -> None:
    asked, desk = ask(person, "erasure"), study.officer.sign_in()
    send(desk, "operate_request_take", asked)
    for wrong in (
        {"outcome": "refused"},
        {"outcome": "done", "ground": "legal-claim"},
        {"outcome": "done", "text": " "},
        {"outcome": "perhaps"},
        {"outcome": "refused", "ground": "no-time"},
    ):
        assert send(desk, "operate_request_answer", asked, DONE | wrong).status_code == 422
    with pytest.raises(InvalidRequest):
        Answer(RequestOutcome.REFUSED, REPLY)
    answered(desk, asked, outcome="refused", ground="legal-claim")
    page = own_page(person, asked)
    assert "The data are needed for a legal claim" in page
    assert study.purpose.authority in page
    assert ("request:answer", "refused", "legal-claim") in steps(person.subject)


def test_two_months_more_once_in_the_first_month_and_told(study: Study) -> None:
    person = come_in(study, email="alice@example.org")
    with time_machine.travel("2027-01-31 10:00Z"):
        come_back(study, person)
        asked = ask(person)
    address = reverse("operate_request_extend", args=[asked.id])
    with time_machine.travel("2027-02-20 10:00Z"):
        desk = study.officer.sign_in()
        assert desk.post(address, {"reason": "request-complex"}).status_code == 302
        asked.refresh_from_db()
        assert asked.extended_at is None, "only whoever has taken it"
        send(desk, "operate_request_take", asked)
        assert desk.post(address, {"reason": "busy"}).status_code == 422
        assert desk.post(address, {"reason": "request-complex"}).status_code == 302
        asked.refresh_from_db()
        assert localdate(asked.due_at) == date(2027, 4, 30), "counted from the receipt"
        again = desk.post(address, {"reason": "many-requests"})
        assert again.status_code == 422
        assert "It was extended already" in again.content.decode()
    message = OutboxMessage.objects.get(kind="request-extended")
    text = open_message(SYSTEM_WORKER, message, Action.MESSAGE_SEND)[2]
    assert "April 30, 2027" in text
    assert "The request is complex" in text
    with time_machine.travel("2027-02-21 10:00Z"):
        come_back(study, person)
        assert "The request is complex" in own_page(person, asked)
    assert ("request:extend", "ok", "request-complex") in steps(person.subject)


def test_after_the_first_month_nothing_is_extended(study: Study, person: Person) -> None:
    asked = ask(person)
    officer = study.officer
    take(officer.actor, officer.user, asked.id)
    with (
        time_machine.travel(asked.due_at + timedelta(seconds=1)),
        pytest.raises(InvalidRequest),
    ):
        extend(officer.actor, officer.user, asked.id, ExtensionReason.COMPLEX)


def test_what_is_overdue_stands_on_the_first_page_and_first_in_the_list(
    study: Study, person: Person
) -> None:
    late = ask(person, "erasure")
    with time_machine.travel(timezone.now() + timedelta(days=25)):
        come_back(study, person)
        ask(person, "complaint")
        assert check_requests().kind == "live"
    with time_machine.travel(late.due_at + timedelta(days=2)):
        assert (check_requests().kind, check_requests().state) == ("refused", "Overdue")
        desks = [staff.sign_in() for staff in (study.administrator, study.officer)]
        for desk in desks:
            home = desk.get(reverse("operate_home")).content.decode()
            assert "2 requests of people" in home
            assert "1 past its day" in home
            rows = desk.get(reverse("operate_requests")).content.decode().split("<tbody>")[1]
            first, second = rows.split("<tr>")[1:]
            assert "Erasure" in first
            assert "Overdue" in first
            assert "the day is over" in first
            assert "Overdue" not in second
        come_back(study, person)
        assert "The answer is late" in own_page(person, late)
        answered(desks[0], late)
        assert check_requests().kind == "live"


# --- the end -----------------------------------------------------------------------------------------


def test_with_the_account_the_texts_go_and_what_waits_is_taken_back(
    study: Study, person: Person
) -> None:
    done, waiting = ask(person), ask(person, "complaint")
    answered(study.officer.sign_in(), done)
    assert len(request_keys(person.subject)) == 3
    close_account(person.actor, person.subject)
    drain()
    assert request_keys(person.subject) == []
    done.refresh_from_db()
    waiting.refresh_from_db()
    assert (done.state, done.outcome) == ("answered", "done"), "that it was answered stays known"
    assert waiting.state == "retracted"
    for each in (done, waiting):
        assert (each.text_sealed, each.answer_sealed) == (None, None)
    assert ("request:retract", "ok", "account-closed") in steps(person.subject)


def test_an_answer_that_meets_a_closing_account_is_not_filed(study: Study, person: Person) -> None:
    asked, officer = ask(person), study.officer
    take(officer.actor, officer.user, asked.id)
    close_account(person.actor, person.subject)
    given = Answer(RequestOutcome.DONE, REPLY)
    with pytest.raises(InvalidRequest):
        answer(officer.actor, officer.user, asked.id, given)
    drain()
    assert request_keys(person.subject) == []


def test_an_answer_and_a_closing_at_once_both_end_well(study: Study, person: Person) -> None:
    asked, officer = ask(person), study.officer
    take(officer.actor, officer.user, asked.id)
    start, seen = threading.Barrier(2), []

    def run(do: Callable[[], object]) -> None:
        start.wait()
        try:
            do()
        except (InvalidRequest, ConsentRefused) as refused:
            seen.append(type(refused))
        except Exception as error:  # a deadlock would be one
            seen.append(error)
        finally:
            connections.close_all()

    given = Answer(RequestOutcome.DONE, REPLY)
    threads = [
        threading.Thread(target=run, args=[do])
        for do in (
            lambda: answer(officer.actor, officer.user, asked.id, given),
            lambda: close_account(person.actor, person.subject),
        )
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [each for each in seen if each not in {InvalidRequest, ConsentRefused}] == []
    drain()
    asked.refresh_from_db()
    assert asked.state in {"answered", "retracted"}
    assert (asked.text_sealed, asked.answer_sealed) == (None, None)
    assert request_keys(person.subject) == []


def test_three_years_after_the_answer_it_is_gone(study: Study, person: Person) -> None:
    asked, waiting = ask(person), ask(person, "complaint")
    answered(study.officer.sign_in(), asked)
    ended = asked.ended_at
    assert ended is not None
    with time_machine.travel(ended + KEPT_FOR - timedelta(minutes=1)):
        assert erase_old() == 0
    with time_machine.travel(ended + KEPT_FOR + timedelta(minutes=1)):
        assert (erase_old(), erase_old()) == (1, 0)
    assert list(SubjectRequest.objects.all()) == [waiting], "what waits has no end"
    assert request_keys(person.subject) == [waiting.text_key_id]
    assert steps(person.subject)[-1] == ("request:erase", "ok", "retention-end")


def test_it_is_gone_also_when_the_account_ended_long_before(study: Study, person: Person) -> None:
    asked = ask(person)
    answered(study.officer.sign_in(), asked)
    close_account(person.actor, person.subject)
    drain()
    destroy_tag_key(person.subject.id, None)
    with time_machine.travel(timezone.now() + KEPT_FOR + timedelta(days=1)):
        assert erase_old() == 1
    integrate_once()
    last = LogEntry.objects.get(action=Action.REQUEST_ERASE)
    assert not last.subject_tag, "there is no tag any more by which to name them"


def test_a_legal_hold_keeps_old_requests_and_what_was_taken_back(
    study: Study, person: Person
) -> None:
    old, back = ask(person), ask(person, "complaint")
    answered(study.officer.sign_in(), old)
    officer: Operator = study.officer
    with time_machine.travel(timezone.now() + KEPT_FOR + timedelta(days=1)):
        place_hold(
            officer.actor,
            officer.user,
            study.purpose,
            reason=HoldReason.COMPLAINT,
            ends_at=timezone.now() + timedelta(days=30),
        )
        assert erase_old() == 0
        retract(person.actor, back)
        assert len(request_keys(person.subject)) == 3


def hold_on(study: Study, subject: DataSubject | None = None) -> LegalHold:
    """A hold of thirty days on the study, or on one person in it."""
    return place_hold(
        study.officer.actor,
        study.officer.user,
        study.purpose,
        reason=HoldReason.COMPLAINT,
        ends_at=timezone.now() + timedelta(days=30),
        subject_id=subject.id if subject else None,
    )


def test_what_was_taken_back_under_a_hold_is_opened_by_nobody_and_goes_when_the_hold_ends(
    study: Study, person: Person
) -> None:
    back, desk = ask(person), study.officer.sign_in()
    hold = hold_on(study, person.subject)
    retract(person.actor, back)
    page = desk.get(reverse("operate_request", args=[back.id])).content.decode()
    assert reverse("operate_request_text", args=[back.id]) not in page
    before = entries()
    opened = send(desk, "operate_request_text", back, REASON)
    assert opened.status_code == 422
    assert WORDS not in opened.content.decode()
    assert entries() == before
    assert (erase_old(), len(request_keys(person.subject))) == (0, 1)
    lift_hold(study.officer.actor, study.officer.user, hold.id)
    assert (erase_old(), erase_old()) == (1, 0)
    back.refresh_from_db()
    assert (back.state, back.text_sealed, back.text_key_id) == ("retracted", None, None)
    assert request_keys(person.subject) == []
    assert steps(person.subject)[-1] == ("request:erase", "ok", "withdrawal")


def test_a_key_that_outlived_its_taking_back_is_destroyed_by_the_keeper(
    study: Study, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = ask(person)

    def killed(_keys: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("consent.requests.destroy_data_keys", killed)
        retract(person.actor, back)
    assert len(request_keys(person.subject)) == 1
    erase_old()
    assert request_keys(person.subject) == []


def test_those_under_a_hold_stand_in_nobodys_way(
    study: Study, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = consenting(study, "P-002")
    desk = study.officer.sign_in()
    kept = [ask(person) for _each in range(2)]
    free = [ask(other) for _each in range(2)]
    for each in (*kept, *reversed(free)):
        answered(desk, each)
    monkeypatch.setattr(request_ends, "BATCH", 1)
    with time_machine.travel(timezone.now() + KEPT_FOR + timedelta(days=1)):
        hold_on(study, person.subject)
        assert erase_old() == 1
        assert not SubjectRequest.objects.filter(pk=free[1].pk).exists(), "what ended first"
        assert (erase_old(), erase_old()) == (1, 0)
    assert set(SubjectRequest.objects.all()) == set(kept)


def test_somebody_who_works_here_no_longer_answers(study: Study, person: Person) -> None:
    asked, gone = ask(person), operator(Role.DPO)
    gone.user.is_active = False
    gone.user.save()
    with pytest.raises(InvalidRequest):
        take(gone.actor, gone.user, asked.id)
