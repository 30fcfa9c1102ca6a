"""What operators are told by e-mail of what waits for one of them."""

from __future__ import annotations

import re
from typing import Any

import pytest
import time_machine

from accounts.models import Role
from consent.models import ExtensionReason, RequestKind, SubjectRequest
from consent.operator_notes import tell_of_requests, tell_of_reviews
from consent.purposes import send_back, submit_for_review
from consent.request_answers import extend, take
from consent.requests import make_request, retract
from emotion.management.commands.keeper import chores_apart
from tests.cast import Person, Study, come_in, draft, open_study, operator
from tests.mail_server import MailServer, mail_server

pytestmark = pytest.mark.usefixtures("fresh_db")
WORDS = "My name is spelled wrong everywhere."


@pytest.fixture
def study() -> Study:
    return open_study()


@pytest.fixture
def person(study: Study) -> Person:
    return come_in(study)


def ask(person: Person, study: Study | None) -> SubjectRequest:
    return make_request(
        person.actor,
        person.subject,
        kind=RequestKind.RECTIFICATION,
        purpose=study.purpose if study else None,
        text=WORDS,
    )


def taken_from(server: MailServer) -> list[str]:
    """The notes that came since the last time."""
    found, server.received = server.received, []
    return found


def told(notes: list[str]) -> list[str]:
    return sorted(re.findall(r"^To: (.*)\r$", "\n".join(notes), re.M))


def headings(notes: list[str]) -> set[str]:
    return set(re.findall(r"^Subject: (.*)\r$", "\n".join(notes), re.M))


def test_a_request_is_told_when_it_is_new_due_soon_and_overdue(
    study: Study, person: Person, settings: Any
) -> None:
    with time_machine.travel("2027-03-01 10:00Z"):
        asked = ask(person, study)
        assert tell_of_requests() == 0  # no mail server: their first page says it
        with mail_server(settings, refuse=True):
            assert tell_of_requests() == 0
    answerers = sorted(each.user.email for each in (study.administrator, study.officer))
    with mail_server(settings) as server:
        for day, heading in (
            ("2027-03-01", "A person's request"),
            ("2027-03-24", ""),
            ("2027-03-25", "A person's request is due soon"),
            ("2027-04-01", ""),
            ("2027-04-02", "A person's request is overdue"),
            ("2027-05-02", ""),
        ):
            with time_machine.travel(f"{day} 11:00Z"):
                assert tell_of_requests() == (1 if heading else 0), day
                assert tell_of_requests() == 0, day
            notes = taken_from(server)
            assert headings(notes) == ({heading} if heading else set())
            assert told(notes) == (answerers if heading else [])
            for note in notes:
                assert f"/operate/requests/{asked.id}/" in note
                assert "Story study" in note
                assert "April 1, 2027" in note
                for secret in (person.reference, str(person.subject.id), "spelled", "Correction"):
                    assert secret not in note


def test_what_is_over_is_told_to_nobody_and_a_longer_time_is_told_anew(
    study: Study, person: Person, settings: Any
) -> None:
    with mail_server(settings) as server:
        with time_machine.travel("2027-03-01 10:00Z"):
            back, asked = ask(person, None), ask(person, study)
            retract(person.actor, back)
            assert tell_of_requests() == 1
        with time_machine.travel("2027-03-28 10:00Z"):
            assert tell_of_requests() == 1
            take(study.officer.actor, study.officer.user, asked.id)
            extend(study.officer.actor, study.officer.user, asked.id, ExtensionReason.COMPLEX)
            assert tell_of_requests() == 0
        taken_from(server)
        with time_machine.travel("2027-05-28 10:00Z"):
            assert tell_of_requests() == 1
        assert headings(taken_from(server)) == {"A person's request is due soon"}
        with time_machine.travel("2027-05-28 11:00Z"):
            ask(person, None)
            assert tell_of_requests() == 1
        assert all("takes part here" in note for note in taken_from(server))


def test_officers_are_told_each_time_a_purpose_is_handed_over(settings: Any) -> None:
    made = draft()
    made.assess()
    operator(Role.RESEARCHER)
    submit_for_review(made.administrator.actor, made.purpose.id)
    assert tell_of_reviews() == 0
    with mail_server(settings) as server:
        for _each in range(2):
            assert tell_of_reviews() == 1
            assert tell_of_reviews() == 0
            notes = taken_from(server)
            assert told(notes) == [made.officer.user.email]
            assert f"/operate/purposes/{made.purpose.id}/" in notes[0]
            assert headings(notes) == {"A purpose waits for review"}
            send_back(made.officer.actor, made.officer.user, made.purpose.id, "Say why.")
            assert tell_of_reviews() == 0
            submit_for_review(made.administrator.actor, made.purpose.id)


def test_the_keeper_does_it() -> None:
    done = [chore.do for chore, _pause in chores_apart()]
    assert tell_of_requests in done
    assert tell_of_reviews in done


def test_an_address_that_is_refused_keeps_nobody_else_in_letters(
    study: Study, person: Person, settings: Any
) -> None:
    ask(person, study)
    dead = study.administrator.user.email
    with mail_server(settings, refuse=dead) as server:
        assert tell_of_requests() == 1
        assert told(taken_from(server)) == [study.officer.user.email]
        assert tell_of_requests() == 0
        assert taken_from(server) == []


def test_while_no_server_answers_they_are_told_later(
    study: Study, person: Person, settings: Any
) -> None:
    ask(person, study)
    with mail_server(settings):
        pass  # its port answers no more
    with pytest.raises(ConnectionRefusedError):
        tell_of_requests()
    with mail_server(settings):
        assert tell_of_requests() == 1
