"""The data subject's pages over HTTP: what is somebody else's, what is over, and signing in."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connections
from django.test import Client
from django.urls import reverse, reverse_lazy
from django.utils import timezone

from accounts.sessions import row_key
from audit_log.actions import Action, ReasonCode
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from audit_log.signing import verifier_key
from consent.history import access_history
from consent.models import (
    ConsentEvent,
    ConsentState,
    ConsentStatus,
    ErasureRequest,
    EventKind,
    Invitation,
    OutboxMessage,
)
from consent.notices import Change, publish_notice
from consent.withdrawals import withdraw
from emotion.analyses import run_analysis
from emotion.models import Analysis
from emotion.wording import ABSTAINED, QUALITY, in_words
from tests.accounts.test_passkeys import Device, add, challenge_of, send
from tests.cast import (
    CATEGORIES,
    PHOTO,
    Person,
    Study,
    api_get,
    come_in,
    consenting,
    invite,
    open_study,
    upload,
)
from tests.counting import queries_of
from tools import verify_access_log

pytestmark = pytest.mark.usefixtures("fresh_db")
PROGRAM = {
    "en": "A program may",
    "zh-hans": "程序可以",
    "es": "Un programa",
    "de": "Ein Programm darf",
}
ADDRESS = "ann.visible@example.net"


def analysed(study: Study, person: Person) -> Analysis:
    answer = upload(study.key(), person.reference, study.purpose.id, PHOTO.read_bytes())
    assert answer.status_code == 202, answer.content
    analysis = Analysis.objects.get(pk=answer.json()["analyses"][0]["id"])
    run_analysis(analysis.id)
    return analysis


def text_of(page: Any) -> str:
    return re.sub(r"\s+", " ", page.content.decode())


# --- what is somebody else's ---------------------------------------------------------------------


def test_what_is_somebody_elses_is_not_there() -> None:
    study = open_study()
    alice, bob = consenting(study, "P-1"), consenting(study, "P-2")
    analysis = analysed(study, alice)
    alice.browser.get(reverse("own_result", args=[analysis.id]))
    withdraw(alice.actor, alice.subject, study.purpose)
    integrate_once()
    event = ConsentEvent.objects.get(subject=alice.subject, kind=EventKind.GIVEN)
    erasure = ErasureRequest.objects.filter(recording_id=None).get()
    entry = LogEntry.objects.get(action=Action.RESULT_READ)
    hers = {
        "own_recording": analysis.recording_id,
        "consent_receipt": event.id,
        "erasure": erasure.id,
        "erasure_receipt": erasure.id,
        "entry_proof": entry.entry_id,
    }
    nobody = uuid4()
    others = [bob.browser, study.administrator.sign_in(), study.researcher.sign_in()]
    for name, key in hers.items():
        address = reverse(name, args=[key])
        assert alice.browser.get(address).status_code == 200, name
        for other in others:
            theirs = other.get(address)
            unknown = other.get(reverse(name, args=[nobody]))
            assert theirs.status_code == unknown.status_code == 404, name
            assert str(key) not in text_of(theirs).replace(address, "")
    result = reverse("own_result", args=[analysis.id])
    assert alice.browser.get(result).status_code in {403, 410}
    assert bob.browser.get(result).status_code == 404


def test_one_file_proves_everything_about_oneself_and_nothing_about_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also after a withdrawal, while the tags live: the last chance to take proofs along."""
    study = open_study()
    alice, bob = consenting(study, "P-1"), consenting(study, "P-2")
    analysed(study, alice)
    withdraw(alice.actor, alice.subject, study.purpose)
    integrate_once()
    page = alice.browser.get(reverse("entry_proofs"))
    assert page.headers["Content-Disposition"] == 'attachment; filename="who-looked.json"'
    path = tmp_path / "who-looked.json"
    path.write_bytes(page.content)
    assert verify_access_log.main(["receipt", str(path), "--key", verifier_key()]) == 0
    said = capsys.readouterr().out
    entries = access_history(alice.subject, 1000)
    assert f"verified: {len(entries)} entries are in the log" in said
    assert "consent:withdraw" in said
    for each in entries:
        assert str(each.entry_id) in said
    for each in access_history(bob.subject, 1000):
        assert str(each.entry_id) not in said


def test_a_program_that_reads_is_foretold_in_the_notice_and_named_as_one() -> None:
    study = open_study()
    person = consenting(study)
    analysis = analysed(study, person)
    key = study.key()
    assert (
        api_get(key, "api_result", analysis.id, Access_Reason="study-analysis").status_code == 200
    )
    integrate_once()
    looks = [str(each.who) for each in access_history(person.subject, 1000, looks=True)]
    assert looks == ["the program “lab”"]
    assert "the program “lab”: analysis for the study" in text_of(
        person.browser.get(reverse("access_history"))
    )
    for language in ("en", "zh-hans", "es", "de"):
        page = study.purpose.notices.get().pages[language]
        assert [text for _term, text in page["glance"] if PROGRAM[language] in text]


def test_a_study_that_never_asked_is_not_there() -> None:
    study, other = open_study(), open_study()
    person = consenting(study)
    for name in ("consent_notice", "consent_done", "consent_withdraw", "upload"):
        assert person.browser.get(reverse(name, args=[other.purpose.id])).status_code == 404
    page = person.browser.post(reverse("consent_withdraw", args=[other.purpose.id]))
    assert page.status_code == 404


def test_who_is_not_signed_in_is_sent_to_the_door_that_opens() -> None:
    """A data subject has no password; the operators' door would be a dead end."""
    for name in ("subject_home", "access_history"):
        page = Client().get(reverse(name))
        assert page.headers["Location"] == f"{reverse('subject_sign_in')}?next={reverse(name)}"
    page = Client().get(reverse("operate_home"))
    assert page.headers["Location"].startswith(reverse("account_login"))


# --- invitations -------------------------------------------------------------------------------


def test_staff_cannot_open_an_invitation() -> None:
    study = open_study()
    _subject, token = invite(study)
    address = reverse("invitation", args=[token])
    for who in (study.administrator, study.researcher, study.officer):
        browser = who.sign_in()
        for page in (browser.get(address), browser.post(address)):
            assert page.status_code == 403
            assert "signed in as staff" in text_of(page)
            assert reverse("account_logout") in text_of(page)
    assert Invitation.objects.get().redeemed_at is None


def used(study: Study) -> str:
    _subject, token = invite(study)
    assert Client().post(reverse("invitation", args=[token])).status_code == 302
    return token


def replaced(study: Study) -> str:
    from consent.invitations import create_invitation

    subject, token = invite(study)
    create_invitation(study.administrator.actor, subject, study.purpose, show_to_operator=True)
    return token


def expired(study: Study) -> str:
    _subject, token = invite(study)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    return token


def unknown(study: Study) -> str:
    return "A" * 43


@pytest.mark.parametrize("make", [used, replaced, expired, unknown])
def test_an_invitation_that_is_over_says_so_and_what_to_do(make: Any) -> None:
    study = open_study()
    address = reverse("invitation", args=[make(study)])
    before = ConsentEvent.objects.count()
    for page in (Client().get(address), Client().post(address)):
        assert page.status_code == 410
        said = text_of(page)
        assert "This link opens nothing any more" in said
        assert reverse("subject_sign_in") in said
        assert "ask the study for another" in said
        assert "Story study" not in said, "a dead link tells nothing about the study"
        assert page.wsgi_request.user.is_anonymous
    assert ConsentEvent.objects.count() == before


def test_two_browsers_with_one_invitation_one_wins() -> None:
    study = open_study()
    _subject, token = invite(study)
    address = reverse("invitation", args=[token])

    def post(_number: int) -> int:
        try:
            return Client().post(address).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(post, range(2))) == [302, 410]


# --- notice and choices ------------------------------------------------------------------------


def shown_notice(page: Any) -> str:
    found = re.search(r'name="notice" value="([0-9a-f-]{36})"', page.content.decode())
    assert found
    return found[1]


def test_nothing_is_ticked_and_yes_and_no_weigh_the_same() -> None:
    study = open_study()
    page = come_in(study).browser.get(reverse("consent_notice", args=[study.purpose.id]))
    said = page.content.decode()
    boxes = re.findall(r'<input type="checkbox"[^>]*>', said)
    assert len(boxes) == len(CATEGORIES)
    assert not [box for box in boxes if "checked" in box]
    buttons = re.findall(r'<button class="([^"]*)" name="decision"', said)
    assert buttons == ["button", "button"]


def test_a_notice_that_changed_while_it_was_read_records_no_decision() -> None:
    study = open_study()
    person = come_in(study)
    address = reverse("consent_notice", args=[study.purpose.id])
    form = {
        "notice": shown_notice(person.browser.get(address)),
        "decision": "give",
        "categories": [str(category) for category in CATEGORIES],
    }
    publish_notice(
        study.administrator.actor,
        study.purpose,
        {"en": ("Smiles", "Now also voices.", "More.")},
        Change({"en": "Voices."}, substantive=True),
    )
    page = person.browser.post(address, form)
    assert page.status_code == 422
    assert "The notice has changed since you opened it, and nothing was recorded." in text_of(page)
    assert "Now also voices." in text_of(page)
    assert ConsentState.objects.get().status == ConsentStatus.REQUESTED
    assert not ConsentEvent.objects.filter(kind=EventKind.GIVEN).exists()
    # The new version was on the screen, so the same page can be answered: no dead end.
    page = person.browser.post(address, form | {"notice": shown_notice(page)})
    assert page.headers["Location"] == reverse("consent_done", args=[study.purpose.id])
    event = ConsentEvent.objects.get(kind=EventKind.GIVEN)
    assert event.notice is not None
    assert event.notice.version == 2


def test_a_notice_that_was_never_on_the_screen_cannot_be_agreed_to() -> None:
    study = open_study()
    person = come_in(study)
    address = reverse("consent_notice", args=[study.purpose.id])
    for notice in (str(uuid4()), "no id at all", ""):
        form = {"notice": notice, "decision": "give", "categories": ["media"]}
        assert person.browser.post(address, form).status_code == 422
    assert ConsentState.objects.get().status == ConsentStatus.REQUESTED


@pytest.mark.parametrize("decision", [{}, {"decision": "maybe"}])
def test_only_the_button_that_says_yes_is_a_yes(decision: dict[str, str]) -> None:
    study = open_study()
    person = come_in(study)
    address = reverse("consent_notice", args=[study.purpose.id])
    person.browser.get(address)
    form = {"notice": str(study.purpose.notices.get().id), "categories": ["media"]}
    assert person.browser.post(address, form | decision).status_code == 422
    assert ConsentState.objects.get().status == ConsentStatus.REQUESTED


def test_while_consent_stands_the_notice_asks_nothing() -> None:
    study = open_study()
    person = consenting(study)
    page = person.browser.get(reverse("consent_notice", args=[study.purpose.id]))
    assert "You have said yes under this version." in text_of(page)
    # Choosing again is offered behind a layer, and nothing of the old choice is ticked.
    before, _layer, after = text_of(page).partition("Choose again, or renew before it ends")
    assert 'type="checkbox"' not in before
    assert 'type="checkbox"' in after
    assert " checked" not in after
    assert reverse("consent_withdraw", args=[study.purpose.id]) in text_of(page)
    assert reverse("consent_notice", args=[study.purpose.id]) in text_of(
        person.browser.get(reverse("subject_home"))
    )


def test_what_is_kept_is_said_to_end_with_the_consent() -> None:
    study = open_study(result_retention_days=400, consent_validity_days=30, keep_media=True)
    home = text_of(consenting(study).browser.get(reverse("subject_home")))
    assert "Results for 400 days, at most until your consent ends." in home
    assert "your head for 7 days, at most until your consent ends." in home


def test_choices_without_photographs_are_explained() -> None:
    study = open_study()
    person = come_in(study)
    address = reverse("consent_notice", args=[study.purpose.id])
    notice = shown_notice(person.browser.get(address))
    form = {"notice": notice, "decision": "give", "categories": ["expression"]}
    page = person.browser.post(address, form)
    assert page.status_code == 422
    assert "choose them, or say no to the study" in text_of(page)
    # What was ticked stays ticked; nothing else is.
    ticked = re.findall(r'value="(\w+)" checked', page.content.decode())
    assert ticked == ["expression"]


# --- withdrawal --------------------------------------------------------------------------------


def test_two_browsers_withdraw_at_once_one_event() -> None:
    study = open_study()
    person = consenting(study)
    name = settings.SESSION_COOKIE_NAME
    session = person.browser.cookies[name].value
    address = reverse("consent_withdraw", args=[study.purpose.id])

    def post(_number: int) -> str:
        browser = Client()
        browser.cookies[name] = session
        try:
            page = browser.post(address)
            assert page.status_code == 302, page.content.decode()
            return str(page.headers["Location"])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        places = set(pool.map(post, range(4)))
    assert len(places) == 1, "both see the same erasure"
    assert ConsentEvent.objects.filter(kind=EventKind.WITHDRAWN).count() == 1
    integrate_once()
    assert LogEntry.objects.filter(action=Action.CONSENT_WITHDRAW).count() == 1


def test_after_a_withdrawal_no_page_pretends_that_anything_opens() -> None:
    study = open_study()
    person = consenting(study)
    analysis = analysed(study, person)
    result = reverse("own_result", args=[analysis.id])
    home = reverse("subject_home")
    assert result in text_of(person.browser.get(home))
    withdraw(person.actor, person.subject, study.purpose)
    said = text_of(person.browser.get(home))
    assert result not in said
    assert "Being erased" in said
    recording = text_of(person.browser.get(reverse("own_recording", args=[analysis.recording_id])))
    assert result not in recording
    assert "Nobody can open this any more" in recording
    refused = person.browser.get(result)
    assert refused.status_code == 403
    assert "You have withdrawn" in text_of(refused)
    # The page that asks whether to withdraw is over too.
    again = person.browser.get(reverse("consent_withdraw", args=[study.purpose.id]))
    assert again.headers["Location"] == home


def test_home_asks_the_same_number_of_questions_for_many_recordings() -> None:
    study = open_study()
    person = consenting(study)
    key = study.key()
    upload(key, "P-001", study.purpose.id, PHOTO.read_bytes())
    integrate_once()
    home = reverse("subject_home")
    person.browser.get(home)  # the first page of a process also fetches the keys of the tags
    few = queries_of(person.browser, home)
    for _number in range(4):
        upload(key, "P-001", study.purpose.id, PHOTO.read_bytes())
    integrate_once()
    assert queries_of(person.browser, home) == few


# --- signing in --------------------------------------------------------------------------------


def ask_for_code(email: str, onward: str = "") -> tuple[Client, Any]:
    browser = Client()
    page = browser.post(reverse("subject_sign_in"), {"email": email, "next": onward}, follow=True)
    assert page.status_code == 200
    return browser, page


def code_in_outbox(study: Study) -> str:
    """What an administrator reads in the sealed message, on the page."""
    admin = study.administrator.sign_in()
    message = OutboxMessage.objects.filter(kind="sign-in-code").latest("created_at")
    assert ADDRESS.encode() not in bytes(message.sealed)
    address = reverse("operate_message", args=[message.id])
    page = admin.post(address, {"reason": ReasonCode.SUBJECT_REQUEST.value})
    found = re.search(r"Your code is (\d{6})", page.content.decode())
    assert found, page.content.decode()
    return found[1]


def enter(browser: Client, code: str) -> Any:
    return browser.post(reverse("subject_sign_in_code"), {"code": code})


def test_signing_in_by_an_e_mailed_code() -> None:
    study = open_study()
    come_in(study, "P-1", email=ADDRESS)
    browser, _page = ask_for_code(ADDRESS, onward=reverse("access_history"))
    code = code_in_outbox(study)
    page = enter(browser, code)
    assert page.headers["Location"] == reverse("access_history")
    integrate_once()
    seen = text_of(browser.get(reverse("access_history")))
    assert "A message to you was opened" in seen, "the person sees who read their code"
    assert "No study may measure your face" in text_of(browser.get(reverse("subject_home")))
    other, _page = ask_for_code(ADDRESS)
    assert enter(other, code).status_code == 422, "a code works once"


ADD = reverse_lazy("mfa_add_webauthn")


def test_the_first_passkey_needs_a_sign_in_shortly_before() -> None:
    """Else whoever finds an open page would have a way in for good."""
    study = open_study()
    person = come_in(study, "P-1", email=ADDRESS)
    came = timezone.now()
    with time_machine.travel(came + timedelta(minutes=29), tick=False):
        page = person.browser.get(ADD)
        assert page.status_code == 200
        answer = Device().registers(challenge_of(page))
    with time_machine.travel(came + timedelta(minutes=31), tick=True):
        for page in (person.browser.get(ADD), send(person.browser, ADD, answer)):
            assert page.status_code == 302
            there = page.headers["Location"]
            assert there.startswith(reverse("subject_sign_in"))
        assert not Authenticator.objects.filter(type="webauthn", user=person.subject.user).exists()
        assert "only within half an hour of signing in" in text_of(person.browser.get(there))
        page = person.browser.post(there, {"email": ADDRESS, "next": str(ADD)}, follow=True)
        assert page.redirect_chain[-1][0] == reverse("subject_sign_in_code")
        assert enter(person.browser, code_in_outbox(study)).headers["Location"] == ADD
        assert add(person.browser, Device()).status_code == 302
    assert person.browser.get(reverse("subject_sign_in")).status_code == 302, "signed in: home"


def test_no_way_on_to_another_host() -> None:
    study = open_study()
    come_in(study, "P-1", email=ADDRESS)
    browser, _page = ask_for_code(ADDRESS, onward="https://elsewhere.example/")
    page = enter(browser, code_in_outbox(study))
    assert page.headers["Location"] == reverse("subject_home")


def test_a_code_is_no_use_after_ten_minutes() -> None:
    study = open_study()
    come_in(study, "P-1", email=ADDRESS)
    browser, _page = ask_for_code(ADDRESS)
    code = code_in_outbox(study)
    with time_machine.travel(timezone.now() + timedelta(minutes=11), tick=True):
        assert enter(browser, code).status_code == 422


def test_a_stranger_who_asks_for_codes_fills_neither_mailbox_nor_log() -> None:
    study = open_study()
    person = come_in(study, "P-1", email=ADDRESS)
    integrate_once()
    before, began = LogEntry.objects.count(), timezone.now()

    def codes() -> int:
        return OutboxMessage.objects.filter(kind="sign-in-code").count()

    for minute in range(20):
        with time_machine.travel(began + timedelta(seconds=61 * minute), tick=False):
            _browser, page = ask_for_code(ADDRESS)
            assert "No code?" in text_of(page), "the answer is the same"
    assert codes() == 10
    integrate_once()
    written = LogEntry.objects.filter(index__gte=before).order_by("index")
    told = [(row.action, row.outcome, row.reason) for row in written]
    assert told == [("message:queue", "ok", "notify")] * 10 + [
        ("message:queue", "refused", "too-many-attempts")
    ]
    with time_machine.travel(began + timedelta(seconds=61 * 9, minutes=61), tick=False):
        ask_for_code(ADDRESS)
        assert codes() == 11, "after an hour the person gets one again"
        code = code_in_outbox(study)
        own, _page = ask_for_code(ADDRESS)
        assert enter(own, code).status_code == 302, "whoever asked for it: it came to their mailbox"
    with time_machine.travel(began + timedelta(hours=26), tick=False):
        for _time in range(2):
            ask_for_code(ADDRESS)
    assert codes() == 12
    told_to = text_of(person.browser.get(reverse("access_history")))
    assert "it was asked for too often" in told_to


def answers(email: str, code: str) -> list[tuple[int, str]]:
    """What six wrong codes are answered, with the tokens of the forms taken out."""
    browser, page = ask_for_code(email)
    seen = [(page.status_code, plain(page))]
    for _try in range(6):
        page = enter(browser, code)
        seen.append((page.status_code, plain(page)))
    return seen


def plain(page: Any) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page.content.decode())


def test_five_wrong_codes_and_an_unknown_address_gets_the_same_answers() -> None:
    study = open_study()
    come_in(study, "P-1", email=ADDRESS)
    browser, _page = ask_for_code(ADDRESS)
    right = code_in_outbox(study)
    wrong = f"{(int(right) + 1) % 10**6:06d}"
    known = answers(ADDRESS, wrong)
    assert [status for status, _text in known] == [200, 422, 422, 422, 422, 422, 429]
    assert answers("nobody@example.net", wrong) == known
    # Each unknown address is counted on its own, as each known one is: no pool that fills up.
    assert answers("nobody.else@example.net", wrong) == known
    # After five wrong ones not even the right one opens.
    assert enter(browser, right).status_code == 429
    with time_machine.travel(timezone.now() + timedelta(minutes=16), tick=True):
        assert enter(browser, right).status_code == 422
    integrate_once()
    assert LogEntry.objects.filter(action=Action.LOGIN_FAIL).exists()


def test_the_session_holds_no_address() -> None:
    study = open_study()
    come_in(study, "P-1", email=ADDRESS)
    for email in (ADDRESS, "nobody@example.net"):
        browser, _page = ask_for_code(email)
        row = Session.objects.get(pk=row_key(browser.cookies[settings.SESSION_COOKIE_NAME].value))
        held = json.dumps(row.get_decoded())
        assert re.search(r'"sign_in": "[0-9a-f-]{36}"', held), held
        assert "@" not in held
        assert "example" not in held
    browser, _page = ask_for_code(ADDRESS)
    enter(browser, code_in_outbox(study))
    row = Session.objects.get(pk=row_key(browser.cookies[settings.SESSION_COOKIE_NAME].value))
    assert "@" not in json.dumps(row.get_decoded())


def test_a_session_offers_a_passkey_and_the_way_out() -> None:
    person = consenting(open_study())
    home = text_of(person.browser.get(reverse("subject_home")))
    assert reverse("mfa_add_webauthn") in home
    assert f'action="{reverse("subject_sign_out")}"' in home
    page = person.browser.post(reverse("subject_sign_out"), follow=True)
    assert "You are signed out." in text_of(page)
    assert page.redirect_chain[-1][0] == reverse("front")
    assert person.browser.get(reverse("subject_home")).status_code == 302


# --- results in words --------------------------------------------------------------------------


def test_every_status_and_figure_of_a_reading_has_words() -> None:
    from emotion.inference.blendshapes import NAMES
    from emotion.inference.quality import THRESHOLDS
    from emotion.inference.readings import STATUSES
    from emotion.movement_words import MOVEMENTS

    assert set(ABSTAINED) == set(STATUSES) - {"read"}
    assert set(QUALITY) == set(THRESHOLDS)
    assert set(MOVEMENTS) == set(NAMES) - {"_neutral"}
    for status in ABSTAINED:
        page = in_words({"summary": {"status": status, "quality": {"light": 0.1}}})
        assert page["headline"] == "This photograph was not analysed"
        assert page["quality"] == [
            ("Light on the face (0 dark, 1 bright)", "0.10; needed: at least 0.15")
        ]


def test_a_photograph_without_a_face_gets_advice_not_an_error() -> None:
    import cv2
    import numpy as np

    study = open_study()
    person = consenting(study)
    blank = cv2.imencode(".png", np.full((300, 300, 3), 128, np.uint8))[1].tobytes()
    answer = upload(study.key(), person.reference, study.purpose.id, blank)
    analysis = Analysis.objects.get(pk=answer.json()["analyses"][0]["id"])
    run_analysis(analysis.id)
    said = text_of(person.browser.get(reverse("own_result", args=[analysis.id])))
    assert "This photograph was not analysed" in said
    assert "No face was found in the photograph." in said
    assert reverse("upload", args=[study.purpose.id]) in said
