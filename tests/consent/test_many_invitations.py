"""Inviting many people from a list: checked first, all or nothing, and the same list twice does no harm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.many_invitations import MOST, Fate, check_list
from consent.models import (
    ConsentState,
    Contact,
    DataSubject,
    Invitation,
    OutboxMessage,
    SubjectReference,
)
from consent.records import record_request
from consent.subjects import find_reference, register_subject
from tests.cast import Study, consenting

pytestmark = pytest.mark.usefixtures("fresh_db")
Send = Callable[..., Any]
LIST = "reference,e-mail\nP-101, one@example.org\n\nP-102;two\n".replace(";two", "")


@pytest.fixture
def send(study: Study) -> Send:
    """Posts a list as the administrator: the answer."""
    desk = study.administrator.sign_in()
    address = reverse("operate_invite_many", args=[study.purpose.id])
    return lambda people, step="check": desk.post(address, {"people": people, "step": step})


def filed() -> int:
    return SubjectReference.objects.count()


def test_a_list_is_looked_at_before_anything_is_made(study: Study, send: Send) -> None:
    page = send(LIST)
    assert page.status_code == 200
    html = page.content.decode()
    assert "The person is written to." in html
    assert "The person is filed; make the card on their page." in html
    assert "Invite 2 people" in html
    assert (filed(), Invitation.objects.count(), OutboxMessage.objects.count()) == (0, 0, 0)


def test_whoever_has_an_address_is_written_to_and_the_others_wait(study: Study, send: Send) -> None:
    page = send(LIST, "invite")
    assert page.status_code == 302
    assert filed() == 2
    written = find_reference(study.purpose.id, "P-101").subject
    waiting = find_reference(study.purpose.id, "P-102").subject
    assert [each.subject for each in Invitation.objects.all()] == [written]
    assert OutboxMessage.objects.filter(subject=written, kind="invitation").exists()
    assert Contact.objects.filter(subject=waiting).count() == 0
    assert set(ConsentState.objects.values_list("status", flat=True)) == {"requested"}
    integrate_once()
    asked = LogEntry.objects.filter(action=Action.CONSENT_REQUEST, actor__contains="operator")
    assert asked.count() == 2


def test_the_same_list_again_changes_nothing(study: Study, send: Send) -> None:
    send(LIST, "invite")
    page = send(LIST)
    assert "Everybody on this list is in the study already." in page.content.decode()
    assert send(LIST, "invite").status_code == 302
    assert (filed(), Invitation.objects.count(), OutboxMessage.objects.count()) == (2, 1, 1)


def test_a_list_that_was_cut_off_goes_on(study: Study, send: Send) -> None:
    """As a server leaves it that was stopped between filing somebody and asking them."""
    register_subject(
        study.administrator.actor, study.purpose, reference="P-101", email="one@example.org"
    )
    assert [line.fate for line in check_list(study.purpose, LIST)] == [Fate.MAIL, Fate.CARD]
    send(LIST, "invite")
    assert filed() == 2
    assert Invitation.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            "P-1,one@example.org\nP-1,two@example.org",
            "stands in the list more than once.",
        ),
        (
            "P-1,one@example.org\nP-2,ONE@example.org",
            "stands in the list more than once.",
        ),
        (
            "P-1,one@example",
            "Their e-mail address, if they have given one: Enter a valid email address.",
        ),
        (",one@example.org", "This field is required."),
        ("P-1,one@example.org,Ann", "It has more than a reference and an address."),
        ("P" * 81, "at most 80 characters"),
    ],
)
def test_a_wrong_line_stops_the_whole_list(study: Study, send: Send, wrong: str, said: str) -> None:
    page = send(f"P-900,right@example.org\n{wrong}", "invite")
    assert page.status_code == 422
    assert said in page.content.decode()
    assert (filed(), DataSubject.objects.count()) == (0, 0)


def test_an_address_under_another_reference_is_said(study: Study, send: Send) -> None:
    send("P-101,one@example.org", "invite")
    page = send("P-200,one@example.org", "invite")
    assert (
        "Nobody new can be filed under this reference or with this address" in page.content.decode()
    )
    assert filed() == 1


def test_lists_that_are_none_are_told(study: Study, send: Send) -> None:
    for people, said in (
        ("\n \n", "required"),
        ("reference,e-mail\n", "The list is empty"),
        ("\n".join(f"P-{number}" for number in range(MOST + 1)), f"At most {MOST} people"),
    ):
        page = send(people, "invite")
        assert page.status_code == 422
        assert said in page.content.decode()
    assert filed() == 0


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_are_taken_as_they_are_copied(study: Study, delimiter: str) -> None:
    people = f'"P-1"{delimiter}one@example.org\r\nP-2{delimiter}\r\n'
    assert [line.fate for line in check_list(study.purpose, people)] == [Fate.MAIL, Fate.CARD]


def test_whoever_consented_is_left_alone(study: Study, send: Send) -> None:
    consenting(study, "P-101")
    [line] = check_list(study.purpose, "P-101")
    assert line.fate is Fate.KNOWN
    send("P-101", "invite")
    assert ConsentState.objects.get().status == "given"


def test_a_closed_purpose_takes_nobody(study: Study, send: Send) -> None:
    from consent.purposes import close_purpose

    close_purpose(study.administrator.actor, study.purpose.id)
    assert send(LIST, "invite").status_code == 422
    assert filed() == 0


def test_whoever_answered_on_paper_is_not_asked_again(study: Study, send: Send) -> None:
    """They have an address and were never invited here."""
    subject = register_subject(
        study.administrator.actor, study.purpose, reference="P-101", email="one@example.org"
    )
    record_request(study.administrator.actor, subject, study.purpose, "paper")
    assert [line.fate for line in check_list(study.purpose, "P-101,one@example.org")] == [Fate.MAIL]
    for status in ("given", "refused", "withdrawn", "expired"):
        ConsentState.objects.update(status=status)
        [line] = check_list(study.purpose, "P-101,one@example.org")
        assert line.fate is Fate.KNOWN, status
    send("P-101,one@example.org", "invite")
    assert not OutboxMessage.objects.exists()
