"""A consent signed on paper: entered by an operator, marked for ever, and closed to whoever attested it."""

from __future__ import annotations

import base64
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.actors import SYSTEM_WORKER, actor_for_client
from accounts.models import ApiClient, Role, User
from audit_log.actions import Action
from audit_log.errors import LogUnavailable
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.consent_record import SETS_CATEGORIES
from consent.errors import ConsentRefused, InvalidPaper, InvalidPurpose, PaperGone
from consent.messages import open_message
from consent.models import (
    ConsentEvent,
    ConsentState,
    ConsentStatus,
    DataSubject,
    ErasureRequest,
    EventKind,
    Invitation,
    OutboxMessage,
    PaperConsent,
    Purpose,
    SignInCode,
)
from consent.notices import Change, publish_notice
from consent.outbox import hand_over
from consent.paper import SignedPaper, attest_paper
from consent.purposes import assign, close_purpose
from consent.scans import Scan, open_scan
from emotion.analyses import run_analysis
from emotion.erasure import drain
from emotion.models import Analysis
from emotion.results import read_media, read_result
from tests.accounts.test_passkeys import ADD, Device, add
from tests.accounts.test_passkeys import alone as sign_in_by
from tests.cast import (
    NOTICE,
    PHOTO,
    Operator,
    Person,
    Study,
    analysed,
    come_in,
    consent,
    invite,
    open_study,
    operator,
    text_of,
    upload,
)
from vault.keyring import data_key_ids

pytestmark = pytest.mark.usefixtures("fresh_db")
PDF = b"%PDF-1.4 signed by hand"
JPEG = PHOTO.read_bytes()[:4000]
TICKED = ["media", "expression"]


@pytest.fixture
def study() -> Study:
    return open_study(paper_allowed=True, keep_media=True)


@pytest.fixture
def subject(study: Study) -> DataSubject:
    return invite(study)[0]


@pytest.fixture
def attester(study: Study) -> Operator:
    """A second researcher of the study, who enters papers and evaluates nothing."""
    made = operator(Role.RESEARCHER, "attester")
    assign(study.administrator.actor, study.purpose, made.user)
    return made


def form(study: Study, **changes: Any) -> dict[str, Any]:
    filled = {
        "notice": study.purpose.notices.latest("version").id,
        "categories": TICKED,
        "signed_on": timezone.localdate().isoformat(),
        "scan": SimpleUploadedFile("signed.pdf", PDF, "application/pdf"),
        "attested": "on",
    }
    return {name: value for name, value in (filled | changes).items() if value is not None}


def in_days(days: int) -> str:
    return (timezone.localdate() + timedelta(days=days)).isoformat()


def attest(study: Study, subject: DataSubject, by: Operator, **changes: Any) -> Any:
    address = reverse("operate_paper", args=[study.purpose.id, subject.id])
    return by.sign_in().post(address, form(study, **changes))


def in_the_flow(study: Study, subject: DataSubject, by: Operator, **changes: Any) -> ConsentEvent:
    paper = {
        "notice": study.purpose.notices.latest("version"),
        "categories": TICKED,
        "signed_on": timezone.localdate(),
        "scan": Scan("application/pdf", PDF),
    } | changes
    purpose = Purpose.objects.get(pk=study.purpose.pk)
    return attest_paper(by.actor, by.user, subject, purpose, SignedPaper(**paper)).event


def entered(study: Study, subject: DataSubject, by: Operator) -> Person:
    """The consent is entered, and a colleague hands the person a new link."""
    in_the_flow(study, subject, by)
    address = reverse("operate_link_back", args=[study.purpose.id, subject.id])
    card = study.administrator.sign_in().post(address).content.decode()
    found = re.search(r"/invitation/([\w-]{43})/", card) or re.search(
        r"/me/invitation/([^/]+)/", card
    )
    assert found
    browser = Client()
    assert browser.post(reverse("invitation", args=[found[1]])).status_code == 302
    return Person(DataSubject.objects.get(pk=subject.pk), browser, "P-001")


def nothing_was_entered(subject: DataSubject) -> None:
    assert not ConsentEvent.objects.filter(kind__in=SETS_CATEGORIES).exists()
    assert not PaperConsent.objects.exists()
    assert ConsentState.objects.get(subject=subject).status == ConsentStatus.REQUESTED
    left = data_key_ids(subject_id=subject.id, category="paper")
    assert not left, "the key of a scan that was not filed is gone"


# --- entering it ---------------------------------------------------------------------------------


def test_an_operator_enters_what_was_signed_and_it_is_marked(
    study: Study, subject: DataSubject, attester: Operator
) -> None:
    person_page = reverse("operate_person", args=[study.purpose.id, subject.id])
    desk = attester.sign_in()
    assert "Enter a signed paper" in desk.get(person_page).content.decode()
    page = desk.get(reverse("operate_paper", args=[study.purpose.id, subject.id])).content.decode()
    assert '" checked' not in page
    sent = desk.post(reverse("operate_paper", args=[study.purpose.id, subject.id]), form(study))
    assert sent.status_code == 302
    event = ConsentEvent.objects.get(kind="given")
    assert (event.method, event.by) == ("paper", attester.actor.log_name())
    assert event.categories == TICKED
    assert event.notice_sha256 == study.purpose.notices.get().sha256
    state = ConsentState.objects.get()
    assert (state.status, state.event_id) == ("given", event.id)
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    assert state.valid_until == midnight + timedelta(days=365), "it counts from the signature"
    paper = PaperConsent.objects.get()
    assert PDF not in bytes(paper.sealed or b"")
    assert (paper.attested_by, paper.media_type) == (attester.user, "application/pdf")
    integrate_once()
    entry = LogEntry.objects.get(action=Action.CONSENT_ATTEST)
    assert entry.actor == attester.actor.log_name()
    said = desk.get(person_page).content.decode()
    assert "You attested it" in said
    assert "Enter a signed paper" not in said


@pytest.mark.parametrize("scan", [PDF, JPEG, b"\x89PNG\r\n\x1a\nrest"], ids=["pdf", "jpeg", "png"])
def test_a_scan_is_a_pdf_a_jpeg_or_a_png(
    study: Study, subject: DataSubject, attester: Operator, scan: bytes
) -> None:
    sent = SimpleUploadedFile("x.bin", scan, "application/octet-stream")
    assert attest(study, subject, attester, scan=sent).status_code == 302
    assert PaperConsent.objects.get().size == len(scan)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scan": None}, "scan"),
        ({"scan": SimpleUploadedFile("a.txt", b"I agree")}, "this is none of them"),
        ({"scan": SimpleUploadedFile("a.pdf", PDF + b"x" * 2_200_000)}, "at most"),
        ({"categories": None}, "categories"),
        ({"categories": ["media", "head-pose"]}, "Tick only boxes that this purpose has"),
        ({"categories": ["expression"]}, "Without photographs of your face"),
        ({"signed_on": lambda: in_days(1)}, "yet to come"),
        ({"signed_on": lambda: in_days(-2)}, "nobody could sign"),
        ({"signed_on": "2026-02-30"}, "signed_on"),
        ({"attested": None}, "Without your word"),
        ({"notice": "00000000-0000-0000-0000-000000000000"}, "notice"),
    ],
    ids=[
        "no scan", "text", "too big", "no boxes", "unknown box", "no media", "in future",
        "before the notice", "no day", "not attested", "no notice",
    ],
)  # fmt: skip
def test_what_is_no_consent_is_refused_with_a_reason(
    study: Study, subject: DataSubject, attester: Operator, changes: dict[str, Any], said: str
) -> None:
    now = {name: value() if callable(value) else value for name, value in changes.items()}
    page = attest(study, subject, attester, **now)
    assert page.status_code == 422
    text = " ".join(map(str, page.context["form"].errors.items()))
    assert said in text, text
    nothing_was_entered(subject)


def test_an_earlier_notice_is_refused(
    study: Study, subject: DataSubject, attester: Operator
) -> None:
    old = study.purpose.notices.get()
    publish_notice(study.administrator.actor, study.purpose, NOTICE, Change({"en": "New."}, True))
    page = attest(study, subject, attester, notice=old.id)
    assert page.status_code == 422
    assert "The paper carries an earlier notice" in page.content.decode()
    nothing_was_entered(subject)


def test_a_paper_is_taken_only_where_the_purpose_says_so(attester: Operator) -> None:
    plain = open_study()
    somebody, _token = invite(plain)
    assign(plain.administrator.actor, plain.purpose, attester.user)
    page = attest(plain, somebody, attester)
    assert page.status_code == 302
    with pytest.raises(InvalidPaper, match="takes no consent on paper"):
        in_the_flow(plain, somebody, attester)
    nothing_was_entered(somebody)


def test_a_closed_purpose_takes_no_paper(
    study: Study, subject: DataSubject, attester: Operator
) -> None:
    close_purpose(study.officer.actor, study.purpose.id)
    with pytest.raises(InvalidPurpose):
        in_the_flow(study, subject, attester)
    nothing_was_entered(subject)


def test_nobody_is_answered_for_who_has_answered(study: Study, attester: Operator) -> None:
    """Neither a yes nor a no, nor a withdrawal is written over."""
    person = come_in(study)
    consent(person, study.purpose)
    for _answer in ("yes", "withdrawn"):
        with pytest.raises(InvalidPaper, match="answered by themself"):
            in_the_flow(study, person.subject, attester)
        person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    assert not PaperConsent.objects.exists()


def test_only_staff_who_invite_attest(study: Study, subject: DataSubject) -> None:
    officer = study.officer
    assert attest(study, subject, officer).status_code == 404
    study.key()
    client = actor_for_client(ApiClient.objects.get())
    purpose, notice = study.purpose, study.purpose.notices.get()
    paper = SignedPaper(notice, TICKED, timezone.localdate(), Scan("application/pdf", PDF))
    for actor in (client, SYSTEM_WORKER, officer.actor):
        with pytest.raises(InvalidPaper, match="Only the study's staff"):
            attest_paper(actor, officer.user, subject, purpose, paper)
    nothing_was_entered(subject)


# --- the person ----------------------------------------------------------------------------------


def test_the_person_is_told_and_sees_it_and_withdraws_as_everybody(
    study: Study, attester: Operator
) -> None:
    somebody, _token = invite(study, email="ann@example.net")
    assert attest(study, somebody, attester).status_code == 302
    message = OutboxMessage.objects.get(kind="invitation")
    address, heading, text, _language = open_message(SYSTEM_WORKER, message, Action.MESSAGE_SEND)
    assert (address, heading) == ("ann@example.net", "Your consent on paper: Story study")
    found = re.search(r"/invitation/([\w-]+)/", text)
    assert found
    browser = Client()
    browser.post(reverse("invitation", args=[found[1]]))
    home = browser.get(reverse("subject_home")).content.decode()
    assert "On a paper that you signed" in home
    event = ConsentEvent.objects.get(kind="given")
    history = browser.get(reverse("consent_history", args=[study.purpose.id])).content.decode()
    assert "On a paper that you signed" in history
    scan = browser.get(reverse("own_paper", args=[event.id]))
    assert scan.content == PDF
    assert "attachment" in scan.headers["Content-Disposition"]
    assert "sandbox" in scan.headers["Content-Security-Policy"]
    page = browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    assert page.status_code == 302
    assert ConsentState.objects.get().status == "withdrawn"


def test_no_consent_stands_of_which_the_person_could_not_be_told(
    study: Study, attester: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody, _token = invite(study, email="ann@example.net")
    links = set(Invitation.objects.filter(revoked_at=None).values_list("pk"))
    keys = data_key_ids(subject_id=somebody.id)

    def full(*_given: object) -> None:
        raise LogUnavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("consent.messages.append", full)
        assert attest(study, somebody, attester).status_code == 503
    nothing_was_entered(somebody)
    assert set(Invitation.objects.filter(revoked_at=None).values_list("pk")) == links
    assert data_key_ids(subject_id=somebody.id) == keys
    in_the_flow(study, somebody, attester)
    assert OutboxMessage.objects.filter(kind="invitation").count() == 1


def test_it_stays_marked_in_receipts_and_history(
    study: Study, subject: DataSubject, attester: Operator
) -> None:
    person = entered(study, subject, attester)
    event = ConsentEvent.objects.get(kind="given")
    consent(person, study.purpose, TICKED)
    integrate_once()
    receipt = person.browser.get(reverse("consent_receipt", args=[event.id])).json()
    words = json.dumps(receipt)
    assert '"dpv:hasIndicationMethod": "paper"' in words
    assert attester.user.email not in words
    assert str(attester.user.pk) not in words
    proven = [base64.b64decode(each["entry"]) for each in receipt["entries"]]
    assert any(b"consent:attest" in entry for entry in proven)
    kantara = person.browser.get(
        reverse("consent_receipt", args=[event.id]), {"form": "kantara"}
    ).json()
    assert "paper form signed" in kantara["collectionMethod"]
    later = ConsentEvent.objects.latest("sequence")
    assert (later.kind, later.method) == (EventKind.REAFFIRMED, "web")
    history = person.browser.get(reverse("consent_history", args=[study.purpose.id]))
    assert "On a paper that you signed" in history.content.decode(), "for ever"


def test_links_that_staff_have_seen_stop_working(
    study: Study, subject: DataSubject, attester: Operator
) -> None:
    in_the_flow(study, subject, attester)
    assert not Invitation.objects.filter(revoked_at=None, redeemed_at=None).exists()
    again = reverse("operate_link_back", args=[study.purpose.id, subject.id])
    page = attester.sign_in().post(again)
    assert page.status_code == 422
    assert "may not hold a link" in page.content.decode()
    assert study.administrator.sign_in().post(again).status_code == 200


def test_what_was_opened_by_a_shown_link_ends_with_the_attestation(study: Study) -> None:
    """One operator alone: invites, opens the link in a private window, attests, and has the face read."""
    alone = study.researcher
    person = come_in(study)
    phone, keys = Device(), reverse("mfa_list_webauthn")
    assert add(person.browser, phone).status_code == 302
    old = person.subject.user
    assert old is not None
    User.objects.filter(pk=old.pk).update(language="de")
    SignInCode.objects.create(
        subject=person.subject,
        code_hash=b"x" * 32,
        expires_at=timezone.now() + timedelta(minutes=9),
    )
    in_the_flow(study, person.subject, alone)
    row = analysed(study)
    for page in (
        reverse("subject_home"),
        reverse("own_result", args=[row.id]),
        reverse("own_photograph", args=[row.recording_id]),
        keys,
        ADD,
    ):
        answer = person.browser.get(page)
        assert answer.status_code == 302, page
        assert "next=" in answer.headers["Location"], "whoever is there is asked to sign in"
    assert not Authenticator.objects.filter(user__role=Role.SUBJECT).exists()
    thief = Client()
    sign_in_by(thief, phone, old)
    assert thief.get(reverse("subject_home")).status_code == 302
    assert not SignInCode.objects.exists()
    # A colleague's link brings the person in, and their language is still known.
    again = reverse("operate_link_back", args=[study.purpose.id, person.subject.id])
    card = study.administrator.sign_in().post(again).content.decode()
    found = re.search(r"/me/invitation/([^/]+)/", card)
    assert found
    browser = Client()
    assert browser.post(reverse("invitation", args=[found[1]])).status_code == 302
    assert browser.get(reverse("own_result", args=[row.id])).status_code == 200
    assert User.objects.get(data_subject=person.subject).language == "de"


def test_whoever_gave_the_address_attests_nothing(study: Study, attester: Operator) -> None:
    """Letters and codes go to it, and it may be a mailbox of their own."""
    somebody, _token = invite(study, email="mine@example.net")
    page = attest(study, somebody, study.administrator)
    assert page.status_code == 422
    assert "You gave this person's address" in text_of(page)
    nothing_was_entered(somebody)
    assert attest(study, somebody, attester).status_code == 302


def test_the_page_of_a_paper_says_what_ends(
    study: Study, subject: DataSubject, attester: Operator
) -> None:
    desk, address = (
        attester.sign_in(),
        reverse("operate_paper", args=[study.purpose.id, subject.id]),
    )
    assert "signed out, on every device" in text_of(desk.get(address))
    page = desk.post(address, form(study), follow=True)
    assert "their passkeys are gone" in page.content.decode()


def test_whoever_attests_hands_over_no_message(study: Study) -> None:
    somebody, _token = invite(study, email="ann@example.net")
    colleague = operator(Role.ADMINISTRATOR, "colleague")
    assert attest(study, somebody, colleague).status_code == 302
    message = OutboxMessage.objects.get(kind="invitation")
    with pytest.raises(ConsentRefused) as refused:
        hand_over(colleague.actor, message, "notify")
    assert refused.value.reason == "attested-by-reader"


# --- who attested never reads --------------------------------------------------------------------


def recorded(study: Study, reference: str = "P-001") -> Analysis:
    answer = upload(study.key(), reference, study.purpose.id, PHOTO.read_bytes())
    assert answer.status_code == 202, answer.content
    row = Analysis.objects.select_related("recording").latest("queued_at")
    run_analysis(row.id)
    return row


def refused_to(by: Operator, row: Analysis) -> set[str]:
    reasons = set()
    for look in (read_result, looked_at):
        with pytest.raises(ConsentRefused) as refused:
            look(by.actor, row.id if look is read_result else row.recording_id, "quality-check")
        reasons.add(refused.value.code)
    return reasons


def looked_at(actor: Any, recording_id: Any, stated: str) -> None:
    with read_media(actor, recording_id, stated):
        pass


def test_whoever_attested_never_reads_and_others_do(
    study: Study, subject: DataSubject, attester: Operator
) -> None:
    person = entered(study, subject, attester)
    row = recorded(study)
    assert refused_to(attester, row) == {"attested-by-reader"}
    page = attester.sign_in().post(
        reverse("operate_result", args=[row.id]), {"reason": "quality-check"}
    )
    assert "You attested that this person signed" in page.content.decode()
    assert read_result(study.researcher.actor, row.id, "quality-check").parts
    looked_at(study.researcher.actor, row.recording_id, "quality-check")
    assert read_result(person.actor, row.id).parts
    integrate_once()
    refusals = LogEntry.objects.filter(outcome="refused", reason="attested-by-reader")
    assert refusals.count() == 3
    # for ever: also after the person has said yes by themself, and in another study
    consent(person, study.purpose)
    assert refused_to(attester, row) == {"attested-by-reader"}


def test_a_permit_dies_when_the_reader_turns_out_to_have_attested(
    study: Study, subject: DataSubject, attester: Operator
) -> None:
    """The gate asks afresh: whoever attests meanwhile in another window opens nothing more."""
    colleague = operator(Role.RESEARCHER, "colleague")
    assign(study.administrator.actor, study.purpose, colleague.user)
    entered(study, subject, attester)
    row = recorded(study)
    with (
        pytest.raises(ConsentRefused) as refused,
        read_media(colleague.actor, row.recording_id, "quality-check") as media,
    ):
        PaperConsent.objects.update(attested_by=colleague.user)
        media.permit.recheck()
    assert refused.value.reason == "attested-by-reader"


# --- the scan ------------------------------------------------------------------------------------


def test_the_scan_opens_for_a_reason_with_an_entry_and_not_to_the_attester(
    study: Study, subject: DataSubject, attester: Operator
) -> None:
    in_the_flow(study, subject, attester)
    address = reverse("operate_paper_scan", args=[study.purpose.id, subject.id])
    desk = study.administrator.sign_in()
    assert desk.post(address).status_code == 422
    page = desk.post(address, {"reason": "incident-investigation"})
    assert (page.status_code, page.content) == (200, PDF)
    assert "no-store" in page.headers["Cache-Control"]
    integrate_once()
    entry = LogEntry.objects.get(action=Action.PAPER_READ)
    assert (entry.reason, entry.actor) == (
        "incident-investigation",
        study.administrator.actor.log_name(),
    )
    assert attester.sign_in().get(address).status_code == 404
    paper = PaperConsent.objects.select_related("event").get()
    with pytest.raises(ConsentRefused) as refused:
        open_scan(attester.actor, paper, "quality-check")
    assert refused.value.reason == "attested-by-reader"


def test_the_scan_goes_with_the_rest_and_who_attested_stays(
    study: Study, subject: DataSubject, attester: Operator
) -> None:
    person = entered(study, subject, attester)
    person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    paper = PaperConsent.objects.select_related("event").get()
    with pytest.raises(ConsentRefused):
        open_scan(person.actor, paper, "own-access")
    drain()
    paper.refresh_from_db()
    assert paper.sealed is None
    assert paper.attested_by == attester.user
    assert not data_key_ids(subject_id=subject.id, purpose_id=study.purpose.id)
    assert ErasureRequest.objects.get().rows_removed_at
    with pytest.raises(PaperGone):
        open_scan(person.actor, PaperConsent.objects.select_related("event").get(), "own-access")
    assert person.browser.get(reverse("own_paper", args=[paper.event_id])).status_code == 410


def test_another_person_never_sees_it(
    study: Study, subject: DataSubject, attester: Operator
) -> None:
    event = in_the_flow(study, subject, attester)
    bob = come_in(study, "P-002")
    assert bob.browser.get(reverse("own_paper", args=[event.id])).status_code == 404


# --- the purpose ---------------------------------------------------------------------------------


def test_it_is_off_beforehand_and_stands_in_notice_register_and_words() -> None:
    off, on = open_study(), open_study(paper_allowed=True)
    assert not Purpose.objects.get(pk=off.purpose.pk).paper_allowed
    pages = [each.purpose.notices.get().pages["en"]["glance"] for each in (off, on)]
    assert [any(term == "On paper" for term, _text in page) for page in pages] == [False, True]
    drawn = on.administrator.sign_in().get(reverse("operate_register_file")).json()
    assert [p["consent_on_paper"] for p in drawn["purposes"]] == [False, True]
