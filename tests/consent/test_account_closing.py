"""Closing an account: everything withdrawn, every name erased, nobody can sign in, receipts remain."""

from __future__ import annotations

import re
import threading
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role, Scope, User
from audit_log.actions import Action, ReasonCode
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent import account_closing, contacts, giving, invitations
from consent.account_closing import close_account
from consent.asking import take_back
from consent.contacts import change_address
from consent.erasure import record_final
from consent.errors import AlreadyAnswered, InvalidChoice, ReferenceTaken
from consent.holds import lift_hold, place_hold
from consent.invitations import create_invitation, send_invitation
from consent.last_entries import end_tags
from consent.mail_sending import deliver_waiting
from consent.models import (
    ConsentState,
    Contact,
    DataSubject,
    ErasureRequest,
    HoldReason,
    Invitation,
    OutboxMessage,
    Purpose,
    SubjectReference,
)
from consent.records import Check, anybody
from consent.sign_in import send_code
from consent.subjects import register_subject
from emotion.analyses import run_analysis
from emotion.erasure import drain
from emotion.models import Analysis, Result
from tests.at_once import at_once
from tests.cast import CATEGORIES, PHOTO, Person, Study, api, come_in, consent, open_study, upload
from tests.faults.leftovers import living_keys, sealed_files
from vault.epochs import rotate
from vault.errors import KeyDestroyed
from vault.keyring import data_key_ids
from vault.tags import tagger

pytestmark = pytest.mark.usefixtures("fresh_db")
ADDRESS = "visible-alice@example.org"


@pytest.fixture
def study() -> Study:
    return open_study(keep_media=True)


@pytest.fixture
def person(study: Study) -> Person:
    """Alice takes part in one study, has said no to another, and has a passkey and a message."""
    person = come_in(study, "P-001", email=ADDRESS)
    consent(person, study.purpose)
    other = open_study()
    register_subject(other.administrator.actor, other.purpose, reference="Q-001", email=ADDRESS)
    send_invitation(other.administrator.actor, person.subject, other.purpose)
    answer = upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes())
    run_analysis(answer.json()["analyses"][0]["id"])
    assert Analysis.objects.get().state == "done"
    user = User.objects.get(data_subject=person.subject)
    Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data={"name": "k"})
    return person


def close(person: Person) -> str:
    """Press the one button; the address of what is left."""
    address = reverse("close_account")
    page = person.browser.get(address)
    form = BeautifulSoup(page.content, "html.parser").select("main form")[0]
    assert form.select("input:not([type=hidden]), textarea, select") == []
    answer = person.browser.post(address)
    assert answer.status_code == 302
    return str(answer.headers["Location"])


def finish() -> None:
    """What the keeper does until everything is final."""
    drain()
    rotate()
    integrate_once()
    record_final()
    integrate_once()


def test_everything_can_be_taken_along_first_study_by_study(study: Study, person: Person) -> None:
    other = Purpose.objects.exclude(pk=study.purpose.pk).get()
    page = person.browser.get(reverse("close_account"))
    links = BeautifulSoup(page.content, "html.parser").select("section[aria-labelledby=first] a")
    found = [str(link["href"]) for link in links]
    bundles = {reverse("own_bundle", args=[each.id]) for each in (study.purpose, other)}
    assert set(found[:2]) == bundles, "they come first"
    assert f"Download everything about you in “{study.purpose.name}”" in links[0].text
    for address in bundles:
        assert person.browser.get(address).status_code == 200
        archive = person.browser.post(address)
        assert b"".join(archive.streaming_content).startswith(b"PK")


def test_everything_goes_and_nobody_can_sign_in(study: Study, person: Person) -> None:
    assert reverse("close_account") in person.browser.get(reverse("mfa_index")).content.decode()
    left = close(person)
    drain()
    assert not data_key_ids(subject_id=person.subject.id), "every key of theirs, in every purpose"
    assert not sealed_files()
    assert not Result.objects.exists()
    for model in (Contact, OutboxMessage):
        assert not model._default_manager.filter(subject=person.subject).exists()
    assert not Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN).exists()
    assert not User.objects.filter(role=Role.SUBJECT).exists()
    assert person.browser.get(reverse("subject_home")).status_code == 302
    assert send_code(ADDRESS) is None
    states = set(person.subject.consent_states.values_list("status", flat=True))
    assert states == {"withdrawn", "requested"}
    assert ErasureRequest.objects.of_account().count() == 1
    refused = upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes())
    assert (refused.status_code, refused.json()["code"]) == (403, "consent-withdrawn")

    stranger = Client()
    page = stranger.get(left).content.decode()
    assert "Your account is closed" in page
    receipts = set(re.findall(r'href="(/me/closed/[^"]+)"', page))
    assert len(receipts) == 3 + 1, "with that of the photograph as it came"
    for address in receipts:
        assert stranger.get(address).json()["erasure"]["keys_destroyed_at"]
    integrate_once()
    (entry,) = LogEntry.objects.filter(action=Action.ACCOUNT_CLOSE)
    assert entry.actor == f"subject:{bytes(entry.subject_tag).hex()}"


def test_the_address_is_free_for_somebody_new(study: Study, person: Person) -> None:
    close(person)
    drain()
    again = come_in(study, "P-002", email=ADDRESS)
    assert again.subject.id != person.subject.id
    consent(again, study.purpose)


def test_the_tags_die_when_everything_is_final_and_was_offered(
    study: Study, person: Person
) -> None:
    left = close(person)
    finish()
    assert not ErasureRequest.objects.filter(final_at=None).exists()
    assert end_tags() == 0
    stranger = Client()
    page = stranger.get(left).content.decode()
    for address in set(re.findall(r'href="(/me/closed/[^"]+)"', page)):
        assert stranger.get(address).json()["erasure"]["t2"]
    officer, soon = study.officer, timezone.now() + timedelta(days=5)
    claim = HoldReason.LEGAL_CLAIM
    held = [
        place_hold(officer.actor, officer.user, state.purpose, reason=claim, ends_at=soon)
        for state in person.subject.consent_states.select_related("purpose")
    ]
    assert end_tags() == 0, "what the log says of them is evidence too"
    for each in held:
        lift_hold(officer.actor, officer.user, each.id)
    assert end_tags() == 3, "two purposes and the account"
    for purpose in (*person.subject.consent_states.values_list("purpose_id", flat=True), None):
        with pytest.raises(KeyDestroyed):
            tagger(person.subject.id, purpose)
    assert not SubjectReference.objects.filter(subject=person.subject).exists()
    assert stranger.get(left).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(days=31), tick=True):
        assert stranger.get(left).status_code == 404
    assert stranger.get(reverse("closed_account", args=["nothing"])).status_code == 404


def test_a_hold_keeps_the_address_sealed_and_of_no_use(study: Study, person: Person) -> None:
    held = place_hold(
        study.officer.actor,
        study.officer.user,
        study.purpose,
        reason=HoldReason.AUTHORITY_REQUEST,
        ends_at=timezone.now() + timedelta(days=5),
    )
    left = close(person)
    drain()
    assert Contact.objects.filter(subject=person.subject).exists()
    assert living_keys(person.subject)
    assert "Waits: legal hold" in Client().get(left).content.decode()
    assert send_code(ADDRESS) is None
    assert deliver_waiting() == 0
    subject = DataSubject.objects.get(pk=person.subject.pk)
    with pytest.raises(AlreadyAnswered):
        create_invitation(study.administrator.actor, subject, study.purpose, show_to_operator=False)
    with pytest.raises(ReferenceTaken):
        register_subject(study.administrator.actor, study.purpose, reference="P-3", email=ADDRESS)
    lift_hold(study.officer.actor, study.officer.user, held.id)
    drain()
    assert not Contact.objects.filter(subject=person.subject).exists()
    assert not data_key_ids(subject_id=person.subject.id)


def is_shut(person: Person) -> bool:
    """Whether the account is closed and nothing lets anybody in or stands any more."""
    subject = DataSubject.objects.get(pk=person.subject.pk)
    states = subject.consent_states
    return (
        subject.closed_at is not None
        and subject.user is None
        and not Invitation.objects.filter(
            subject=subject, redeemed_at=None, revoked_at=None
        ).exists()
        and not states.filter(status__in=["given", "expired"]).exists()
        and not states.not_given_up().exists()
    )


def test_no_invitation_is_made_for_whoever_closes_meanwhile(
    study: Study, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = invitations.new_invitation

    def meanwhile(*given: Any, **options: Any) -> Any:
        close_account(person.actor, DataSubject.objects.get(pk=person.subject.pk))
        return make(*given, **options)

    monkeypatch.setattr(invitations, "new_invitation", meanwhile)
    with pytest.raises(AlreadyAnswered):
        create_invitation(
            study.administrator.actor, person.subject, study.purpose, show_to_operator=True
        )
    assert is_shut(person)


def test_no_link_opens_a_closed_account(study: Study, person: Person) -> None:
    token = create_invitation(
        study.administrator.actor, person.subject, study.purpose, show_to_operator=False
    )
    close(person)
    Invitation.objects.update(revoked_at=None)  # as if it had been filed a moment later
    assert Client().post(reverse("invitation", args=[token])).status_code == 410
    subject = DataSubject.objects.get(pk=person.subject.pk)
    assert subject.user is None
    assert not Invitation.objects.get(token_sha256=invitations.token_hash(token)).redeemed_at


def test_nobody_says_yes_in_a_closed_account(
    study: Study, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor, notice = person.actor, study.purpose.notices.get()
    check = giving.require_of_age

    def meanwhile(*given: Any) -> None:
        close_account(actor, DataSubject.objects.get(pk=person.subject.pk))
        check(*given)

    monkeypatch.setattr(giving, "require_of_age", meanwhile)
    subject = DataSubject.objects.get(pk=person.subject.pk)
    with pytest.raises(InvalidChoice, match="This account is closed"):
        giving.give_consent(actor, subject, notice, [str(each) for each in CATEGORIES])
    assert is_shut(person)


def test_what_begins_while_it_is_closed_is_closed_too(
    study: Study, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another study asks, and gets a yes, after the consents were withdrawn and before the lock."""
    other, file, begun = open_study(), account_closing.file_closing, []

    def late(*given: Any) -> Any:
        if not begun:
            begun.append(come_in(other, "Q-7", ADDRESS))
            consent(begun[0], other.purpose)
        return file(*given)

    monkeypatch.setattr(account_closing, "file_closing", late)
    close(person)
    assert begun[0].subject == person.subject
    assert is_shut(person)


def test_closing_and_inviting_at_once(study: Study, person: Person) -> None:
    subject, administrator = person.subject, study.administrator.actor
    token = create_invitation(administrator, subject, study.purpose, show_to_operator=False)
    made: list[str] = []

    def invite() -> None:
        with suppress(AlreadyAnswered):
            made.append(
                create_invitation(administrator, subject, study.purpose, show_to_operator=False)
            )

    at_once(
        lambda: close_account(person.actor, DataSubject.objects.get(pk=subject.pk)),
        invite,
        lambda: Client().post(reverse("invitation", args=[token])),
    )
    for each in (token, *made):
        assert Client().post(reverse("invitation", args=[each])).status_code == 410
    assert is_shut(person)


def test_no_address_is_filed_for_whoever_closes_meanwhile(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, seal = come_in(study), contacts.sealed_contact

    def meanwhile(*given: Any) -> Any:
        close_account(person.actor, DataSubject.objects.get(pk=person.subject.pk))
        return seal(*given)

    monkeypatch.setattr(contacts, "sealed_contact", meanwhile)
    with pytest.raises(AlreadyAnswered):
        change_to_another_address(study, person)
    drain()
    assert not Contact.objects.exists()
    assert not data_key_ids(subject_id=person.subject.id)


def change_to_another_address(study: Study, person: Person, check: Check = anybody) -> None:
    change_address(
        study.administrator.actor,
        person.subject,
        study.purpose,
        ADDRESS,
        ReasonCode.MISTYPED,
        check,
    )


def test_another_address_and_an_invitation_at_once_wait_for_each_other(study: Study) -> None:
    """Both lock the person before their consent: neither waits for what the other holds."""
    person, locked, filed = come_in(study), threading.Event(), []

    def slowly(_state: ConsentState) -> None:
        locked.set()
        time.sleep(0.5)  # the invitation reaches its first lock

    def change() -> None:
        change_to_another_address(study, person, slowly)
        filed.append("address")

    def invite() -> None:
        locked.wait()
        create_invitation(
            study.administrator.actor, person.subject, study.purpose, show_to_operator=False
        )
        filed.append("invitation")

    at_once(change, invite)
    assert sorted(filed) == ["address", "invitation"]


def test_no_program_is_told_that_somebody_closed_their_account(study: Study) -> None:
    """By address and by reference a study hears what it hears of others every day, in the same words."""
    alice, bob = come_in(study, "A-1", ADDRESS), come_in(study, "A-2")
    other = open_study()
    place_hold(
        study.officer.actor,
        study.officer.user,
        study.purpose,
        reason=HoldReason.LEGAL_CLAIM,
        ends_at=timezone.now() + timedelta(days=5),
    )
    take_back(study.administrator.actor, bob.subject, study.purpose)
    come_in(other, "B-3", "dora@example.org")
    close(alice)
    close(bob)
    drain()

    def asked(of: Study, reference: str, email: str = "") -> Any:
        body = {"subject": reference} | ({"email": email} if email else {})
        return api(of.key(Scope.CONSENT_REQUEST)).post(
            reverse("api_consent_requests"), body, content_type="application/json"
        )

    by_address = asked(other, "B-1", ADDRESS)
    everyday = asked(other, "B-2", "dora@example.org")
    assert by_address.status_code == everyday.status_code == 409
    assert by_address.json() == everyday.json()
    by_reference = asked(study, "A-2")
    answered = come_in(study, "A-4", "erin@example.org")
    consent(answered, study.purpose)
    reference = answered.subject.references.get().id
    resent = api(study.key(Scope.CONSENT_REQUEST)).post(
        reverse("api_consent_request_resend", args=[reference])
    )
    assert by_reference.status_code == resent.status_code == 409
    assert by_reference.json() == resent.json()
    for answer in (by_address, by_reference):
        assert "clos" not in answer.content.decode()


def test_another_person_is_left_alone(study: Study, person: Person) -> None:
    bob = come_in(study, "P-007", email="bob@example.org")
    consent(bob, study.purpose)
    close(person)
    finish()
    assert Contact.objects.get().subject == bob.subject
    assert bob.browser.get(reverse("subject_home")).status_code == 200
    assert study.administrator.sign_in().get(reverse("close_account")).status_code == 404
