"""Messages leave by a real SMTP conversation, or wait sealed in the outbox."""

from __future__ import annotations

import socket
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.conf import settings as django_settings
from django.urls import reverse
from django.utils import timezone

from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.ending_soon import ask_before_the_end
from consent.holds import place_hold
from consent.invitations import VALID_FOR, send_invitation
from consent.mail_sending import BACK_OFF, deliver_waiting
from consent.messages import open_message
from consent.models import ConsentState, HoldReason, OutboxMessage
from consent.notices import Change, publish_notice
from consent.overtaken_letters import discard_overtaken
from consent.renewals import ask_for_renewals
from consent.sign_in import LIFE, send_code
from consent.subjects import register_subject
from emotion import marks
from tests.cast import Person, Study, come_in, consent, leave, open_study
from tests.mail_server import mail_server
from tests.processes import KEEPER, running, wait_for
from vault.errors import KeyDestroyed
from vault.keyring import data_key_ids

pytestmark = pytest.mark.usefixtures("fresh_db")
ADDRESS = "somebody@example.net"


def invited() -> OutboxMessage:
    """A person who was invited by e-mail; the message."""
    study = open_study()
    subject = register_subject(
        study.administrator.actor, study.purpose, reference="P-9", email=ADDRESS
    )
    send_invitation(study.administrator.actor, subject, study.purpose)
    return OutboxMessage.objects.get()


def test_without_a_server_messages_wait_sealed() -> None:
    assert django_settings.EMAIL_URL == ""
    message = invited()
    assert deliver_waiting() == 0
    message.refresh_from_db()
    assert message.sent_at is None
    assert ADDRESS.encode() not in bytes(message.sealed)
    assert b"/me/invitation/" not in bytes(message.sealed)


def test_a_message_leaves_by_smtp_and_its_key_dies(settings: Any) -> None:
    message = invited()
    with mail_server(settings) as server:
        assert deliver_waiting() == 1
        assert deliver_waiting() == 0
    [letter] = server.received
    assert f"To: {ADDRESS}" in letter
    assert "/me/invitation/" in letter
    message.refresh_from_db()
    assert message.sent_at is not None
    assert not data_key_ids(subject_id=message.subject_id, category="message")
    study_actor = open_study().administrator.actor
    with pytest.raises(KeyDestroyed):
        open_message(study_actor, message, Action.MESSAGE_READ)
    integrate_once()
    assert LogEntry.objects.filter(action=Action.MESSAGE_SEND).exists()


def test_message_and_address_are_told_apart(settings: Any) -> None:
    """One opening is one look at a message and one at the address, and each says what it is."""
    study = open_study()
    person = come_in(study, "P-1", ADDRESS)
    send_invitation(study.administrator.actor, person.subject, study.purpose)
    desk, message = study.administrator.sign_in(), OutboxMessage.objects.get()
    address = reverse("operate_message", args=[message.id])
    assert desk.post(address, {"reason": "notify"}).status_code == 200
    assert said_to(person, "?looks=1") == [
        "Your e-mail address was read", "A message to you was opened",
    ]  # fmt: skip
    with mail_server(settings):
        assert deliver_waiting() == 1
    assert said_to(person)[:2] == [
        "Your e-mail address was used to send you a message", "A message to you was sent",
    ]  # fmt: skip
    assert len(said_to(person, "?looks=1")) == 2, "sending shows it to nobody"


def said_to(person: Person, query: str = "") -> list[str]:
    """What the person's list says happened, newest first."""
    integrate_once()
    page = person.browser.get(reverse("access_history") + query)
    found = BeautifulSoup(page.content, "html.parser").select(".timeline strong")
    return [each.get_text() for each in found]


def test_a_refused_message_waits_longer_and_longer_and_says_why(settings: Any) -> None:
    message, later = invited(), timezone.now()
    with mail_server(settings, refuse=True):
        for tries, wait in enumerate([*BACK_OFF, None], 1):
            with time_machine.travel(later, tick=False):
                assert deliver_waiting() == 0
                assert deliver_waiting() == 0, "it is not due yet"
            message.refresh_from_db()
            assert (message.sent_at, message.attempts) == (None, tries)
            assert message.last_error == "SMTPRecipientsRefused"
            if wait is not None:
                later += wait
    assert timedelta(days=3) <= later - message.created_at < timedelta(days=3, hours=1)
    assert message.next_attempt_at is None, "given up; it can still be handed over"


def test_a_message_refused_once_leaves_at_its_next_try(settings: Any) -> None:
    invited()
    with mail_server(settings, refuse=True):
        assert deliver_waiting() == 0
    with mail_server(settings) as server:
        assert deliver_waiting() == 0
        with time_machine.travel(timezone.now() + BACK_OFF[0]):
            assert deliver_waiting() == 1
    assert len(server.received) == 1


def test_while_no_server_answers_nothing_is_opened_and_no_try_is_used_up(settings: Any) -> None:
    message = invited()
    with mail_server(settings):
        pass  # its port answers no more
    for _ in range(2 * len(BACK_OFF)):
        with pytest.raises(ConnectionRefusedError):
            deliver_waiting()
    message.refresh_from_db()
    assert message.attempts == 0
    integrate_once()
    assert not LogEntry.objects.filter(action=Action.MESSAGE_SEND).exists()
    with mail_server(settings) as server:
        assert deliver_waiting() == 1
    assert len(server.received) == 1


def test_a_code_that_is_worth_nothing_any_more_is_not_sent(settings: Any) -> None:
    come_in(open_study(), email=ADDRESS)
    assert send_code(ADDRESS) is not None
    with mail_server(settings) as server:
        with time_machine.travel(timezone.now() + LIFE + timedelta(seconds=1)):
            assert deliver_waiting() == 0
        assert deliver_waiting() == 1
    assert "sign-in code" in server.received[0]


@pytest.mark.processes
def test_a_mail_server_that_says_nothing_holds_up_nothing_else(tmp_path: Path) -> None:
    invited()
    log = tmp_path / "keeper.log"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"smtp://127.0.0.1:{silent.getsockname()[1]}"
        with running(KEEPER, log, EMAIL_URL=url):
            connection, _ = silent.accept()  # now the keeper waits for it to say something
            asked = time.time()
            mark = django_settings.VAR_DIR / "run" / marks.KEEPER
            wait_for(
                lambda: mark.exists() and mark.stat().st_mtime > asked + 2, what="other chores"
            )
            assert "messages delivered" not in log.read_text(), "it waits still"
            wait_for(lambda: "messages delivered" in log.read_text(), what="it to be given up")
            connection.close()
    assert OutboxMessage.objects.get().attempts == 0


def refuse(person: Person, study: Study) -> None:
    """The person reads the notice and says no, on the page."""
    address = reverse("consent_notice", args=[study.purpose.id])
    assert person.browser.get(address).status_code == 200
    form = {"notice": str(study.purpose.notices.get().id), "decision": "refuse"}
    assert person.browser.post(address, form).status_code == 302


def test_an_invitation_leaves_neither_after_a_no_nor_after_its_link(settings: Any) -> None:
    """It waited in the outbox: one person came in otherwise and answered, of the other it is too late."""
    study = open_study()
    actor, purpose = study.administrator.actor, study.purpose
    person = come_in(study, "P-1", ADDRESS)
    late = register_subject(actor, purpose, reference="P-2", email="late@example.net")
    for subject in (person.subject, late):
        send_invitation(actor, subject, purpose)
    keys = set(OutboxMessage.objects.values_list("data_key_id", flat=True))
    assert discard_overtaken() == 0
    refuse(person, study)
    with mail_server(settings) as server, time_machine.travel(timezone.now() + VALID_FOR):
        assert deliver_waiting() == 0
    assert not server.received
    assert discard_overtaken() == 1
    with time_machine.travel(timezone.now() + VALID_FOR):
        assert discard_overtaken() == 1
    assert not OutboxMessage.objects.exists()
    for subject in (person.subject, late):
        assert not keys & set(data_key_ids(subject_id=subject.id, category="message"))


def test_what_a_hold_covers_is_not_sent_and_not_thrown_away(settings: Any) -> None:
    study = open_study()
    person = come_in(study, "P-1", ADDRESS)
    send_invitation(study.administrator.actor, person.subject, study.purpose)
    refuse(person, study)
    until = timezone.now() + timedelta(days=9)
    officer, claim = study.officer, HoldReason.LEGAL_CLAIM
    place_hold(officer.actor, officer.user, study.purpose, reason=claim, ends_at=until)
    with mail_server(settings):
        assert (deliver_waiting(), discard_overtaken()) == (0, 0)
    assert OutboxMessage.objects.count() == 1


def test_what_is_said_of_a_consent_leaves_only_while_it_is_so(settings: Any) -> None:
    """Of its end and of a changed notice: not after a withdrawal, nor after a yes to the new version."""
    study = open_study()
    stays, leaves, renews = people = [
        come_in(study, name, f"{name}@example.net") for name in ("stays", "leaves", "renews")
    ]
    for each in people:
        consent(each, study.purpose)
    twice = {"en": ("Smiles", "We photograph your face.", "All of it, twice.")}
    change = Change({"en": "Twice."}, substantive=True)
    publish_notice(study.administrator.actor, study.purpose, twice, change)
    now = timezone.now()
    ConsentState.objects.update(valid_until=now + timedelta(days=3), remind_at=now)
    assert (ask_for_renewals(), ask_before_the_end()) == (3, 3)
    leave(leaves, study)
    consent(renews, study.purpose)
    with mail_server(settings) as server:
        assert deliver_waiting() == 2
    assert all(f"To: {stays.reference}@example.net" in each for each in server.received)
    assert discard_overtaken() == 4
