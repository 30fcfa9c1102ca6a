"""A consent has an end, and the person is asked before it: once, and silence is no yes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from time_machine import travel

from accounts.actors import SYSTEM_WORKER
from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.ending_soon import ask_before_the_end
from consent.messages import open_message
from consent.models import ConsentEvent, ConsentState, EventKind, OutboxMessage
from consent.narrowing import stop_category
from consent.notifications import BEFORE_THE_END
from consent.purposes import close_purpose
from consent.retention import expire_consents
from tests.cast import Person, Study, come_in, consent, consenting, open_study

pytestmark = pytest.mark.usefixtures("fresh_db")


@pytest.fixture
def person(study: Study) -> Person:
    made = come_in(study, email="ann@example.net")
    consent(made, study.purpose)
    return made


def home(person: Person) -> str:
    return person.browser.get(reverse("subject_home")).content.decode()


def asked() -> int:
    return ConsentEvent.objects.filter(kind=EventKind.REQUESTED, method=BEFORE_THE_END).count()


def test_it_is_asked_once_fourteen_days_before_the_end(study: Study, person: Person) -> None:
    before = ConsentState.objects.get()
    assert before.valid_until is not None
    with travel(before.valid_until - timedelta(days=15)):
        assert ask_before_the_end() == 0
    with travel(before.valid_until - timedelta(days=13)):
        assert ask_before_the_end() == 1
        assert ask_before_the_end() == 0
        integrate_once()
    state = ConsentState.objects.get()
    assert (state.status, state.version) == (before.status, before.version), "it stands as it did"
    assert state.valid_until == before.valid_until
    message = OutboxMessage.objects.get(kind="ending")
    address, heading, text, _language = open_message(SYSTEM_WORKER, message, Action.MESSAGE_SEND)
    assert (address, heading) == ("ann@example.net", "Your consent ends soon: Story study")
    assert reverse("consent_notice", args=[study.purpose.id]) in text
    entry = LogEntry.objects.filter(action=Action.CONSENT_REQUEST).latest("index")
    assert entry.actor == "system:keeper"


def test_the_start_page_says_so_and_renewing_moves_the_end(study: Study, person: Person) -> None:
    assert "Read the notice and renew" not in home(person)
    soon = timezone.now() + timedelta(days=3)
    ConsentState.objects.update(valid_until=soon, remind_at=soon - timedelta(days=14))
    assert ask_before_the_end() == 1
    assert "Read the notice and renew" in home(person)
    page = person.browser.get(reverse("consent_notice", args=[study.purpose.id])).content.decode()
    assert '<details class="layer" open><summary>Choose again' in page
    assert "checked" not in page, "no box is ticked for them"
    consent(person, study.purpose)
    state = ConsentState.objects.get()
    assert state.valid_until is not None
    assert state.valid_until > timezone.now() + timedelta(days=300)
    assert state.reminded_at is None, "its new end is asked about anew"
    assert ConsentEvent.objects.latest("sequence").kind == EventKind.REAFFIRMED
    assert "Read the notice and renew" not in home(person)
    assert ask_before_the_end() == 0


def test_changing_a_part_asks_no_second_time_about_the_same_end(
    study: Study, person: Person
) -> None:
    soon = ConsentState.objects.get().valid_until
    assert soon is not None
    with travel(soon - timedelta(days=5)):
        assert ask_before_the_end() == 1
        stop_category(person.actor, person.subject, study.purpose, "expression")
        assert ConsentState.objects.get().valid_until == soon
        assert ask_before_the_end() == 0
    assert asked() == 1


def test_who_does_nothing_lets_it_end(study: Study, person: Person) -> None:
    end = ConsentState.objects.get().valid_until
    assert end is not None
    with travel(end - timedelta(days=1)):
        assert ask_before_the_end() == 1
    with travel(end + timedelta(seconds=1)):
        assert ask_before_the_end() == 0
        assert expire_consents() == 1
        assert ask_before_the_end() == 0
    assert ConsentState.objects.get().status == "expired"
    assert asked() == 1


def test_a_short_consent_is_asked_about_in_its_last_quarter() -> None:
    study = open_study(consent_validity_days=8)
    consenting(study)
    end = ConsentState.objects.get().valid_until
    assert end is not None
    with travel(end - timedelta(days=2, minutes=1)):
        assert ask_before_the_end() == 0
    with travel(end - timedelta(days=1, hours=23)):
        assert ask_before_the_end() == 1
    assert not OutboxMessage.objects.filter(kind="ending").exists(), "there is no address"


def test_nobody_is_asked_about_what_cannot_be_renewed(study: Study, person: Person) -> None:
    gone = consenting(study, "P-2")
    gone.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    close_purpose(study.officer.actor, study.purpose.id)
    with travel(timezone.now() + timedelta(days=360)):
        assert ask_before_the_end() == 0
    assert asked() == 0
