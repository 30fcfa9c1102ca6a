"""Duties 4 to 15: the consent record's notice, and the GDPR."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from django.utils.timezone import localtime

from accounts.models import ApiClient, Role
from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.breach_telling import tell_people
from consent.models import (
    ConsentEvent,
    ConsentState,
    EventKind,
    OutboxMessage,
    Purpose,
    PurposeState,
    SubjectRequest,
)
from consent.notices import Change, publish_notice
from consent.templatetags.operate import short
from consent.webhook_sending import tell_next
from emotion.analyses import run_analysis
from emotion.erasure import drain
from emotion.models import Analysis, Result
from tests.cast import ASSESSMENT, api_get, come_in, consent, consenting, open_study, operator
from tests.duties.walks import analysed, new_purpose, refused_by, result, uploaded
from tests.faults.leftovers import living_keys, sealed_files
from tests.recipients import is_signed, receiver
from vault.tags import tagger

pytestmark = pytest.mark.usefixtures("fresh_db")
EXPRESSION_ONLY = ["media", "expression"]


def test_duty_04_old_consents_stay_tied_to_the_text_that_was_shown() -> None:
    study = open_study()
    person = consenting(study)
    first = ConsentEvent.objects.get(kind=EventKind.GIVEN)
    publish_notice(
        study.administrator.actor,
        study.purpose,
        {"en": ("Smiles", "We now keep it longer.", "All of it.")},
        Change({"en": "Longer."}, substantive=True),
    )
    state = ConsentState.objects.get()
    assert (state.event_id, state.notice_id) == (first.id, first.notice_id)
    page = person.browser.get(reverse("subject_home")).content.decode()
    link = re.search(r'href="([^"]+/notices/[^"]+)"', page)
    assert link, "the start page leads to what was read"
    past = person.browser.get(link[1]).content.decode()
    assert "We photograph your face." in past
    assert "We now keep it longer." not in past
    assert first.notice_sha256 in past


def test_duty_05_one_look_up_from_a_result_to_the_consent_that_allowed_it() -> None:
    study = open_study()
    person = consenting(study)
    analysis = analysed(study.key(), study)
    integrate_once()
    tags = tagger(person.subject.id, study.purpose.id)
    entry = LogEntry.objects.get(
        action=Action.RESULT_SAVE, object_tag=tags.object("recording", analysis.recording_id)
    )
    given = ConsentEvent.objects.get(kind=EventKind.GIVEN)
    assert bytes(entry.consent_tag) == tags.consent_record(given.id)
    assert bytes(entry.consent_tag) != tags.consent_record(study.purpose.id)


def test_duty_06_each_choice_stands_alone_and_refusing_one_blocks_nothing() -> None:
    study, other = open_study(), open_study()
    person = come_in(study)
    page = person.browser.get(reverse("consent_notice", args=[study.purpose.id]))
    boxes = BeautifulSoup(page.content, "html.parser").find_all("input", type="checkbox")
    assert [box["value"] for box in boxes] == study.purpose.categories
    assert not [box for box in boxes if box.has_attr("checked")]
    consent(person, study.purpose, EXPRESSION_ONLY)
    row = analysed(study.key(), study)
    assert sorted(row.categories) == ["expression", "summary"]
    # Saying yes to one study says nothing about another.
    assert uploaded(other.key(), other).status_code == 404


def fields_to_fill(html: str) -> int:
    """How many fields the page's own form asks for, without hidden ones."""
    form = BeautifulSoup(html, "html.parser").select("main form")[0]
    return len(form.select("input:not([type=hidden]), textarea, select"))


def test_duty_07_withdrawal_takes_no_more_than_granting_and_stops_everything() -> None:
    study = open_study()
    person = come_in(study)
    asked = person.browser.get(reverse("consent_notice", args=[study.purpose.id]))
    consent(person, study.purpose)
    key = study.key()
    waiting = uploaded(key, study)
    assert waiting.status_code == 202

    home = person.browser.get(reverse("subject_home")).content.decode()
    leave = reverse("consent_withdraw", args=[study.purpose.id])
    assert leave in home, "one click from the start page, as the notice is"
    page = person.browser.get(leave)
    assert fields_to_fill(page.content.decode()) == 0 < fields_to_fill(asked.content.decode())
    assert person.browser.post(leave).status_code == 302

    refused = uploaded(key, study)
    assert (refused.status_code, refused.json()["code"]) == (403, "consent-withdrawn")
    queued = Analysis.objects.get()
    run_analysis(queued.id)
    queued.refresh_from_db()
    assert queued.state in {"refused", "erased"}
    assert not Result.objects.exists()


def test_duty_08_no_processing_without_an_explicit_consent_event() -> None:
    study = open_study()
    before = sealed_files()
    person = come_in(study)
    key, before = study.key(), sealed_files()
    person.browser.get(reverse("consent_notice", args=[study.purpose.id]))
    answer = uploaded(key, study)
    assert (answer.status_code, answer.json()["code"]) == (403, "no-consent")
    notice = study.purpose.notices.get()
    form = {"notice": str(notice.id), "decision": "refuse"}
    person.browser.post(reverse("consent_notice", args=[study.purpose.id]), form)
    answer = uploaded(key, study)
    assert (answer.status_code, answer.json()["code"]) == (403, "consent-refused")
    assert not Analysis.objects.exists()
    assert sealed_files() == before


def test_duty_09_operators_see_a_clock_of_one_month() -> None:
    study = open_study()
    person = consenting(study)
    page = person.browser.get(reverse("own_request_new", args=["access"])).content.decode()
    assert reverse("own_bundle", args=[study.purpose.id]) in page, "at once, without asking"
    with time_machine.travel("2027-08-31 12:00Z"):
        person = come_in(study, "P-002")
        sent = person.browser.post(reverse("own_request_new", args=["access"]), {"text": ""})
        assert "30 days left" in person.browser.get(sent["Location"]).content.decode()
        desks = [study.administrator.sign_in(), study.officer.sign_in()]
        for desk in desks:
            listed = desk.get(reverse("operate_requests")).content.decode()
            assert "30 September 2027" in listed, "there is no 31 September"
            assert "30 days left" in listed
            assert reverse("operate_requests") in desk.get(reverse("operate_home")).content.decode()
    with time_machine.travel("2027-10-01 12:00Z"):
        home = study.officer.sign_in().get(reverse("operate_home")).content.decode()
        assert "1 past its day" in home


@pytest.mark.parametrize("kind", ["rectification", "restriction", "objection"])
def test_duty_10_rectification_restriction_and_objection_are_asked_for_and_answered(
    kind: str,
) -> None:
    study = open_study()
    person = consenting(study)
    about = {"study": str(study.purpose.id), "text": "It is not as it should be."}
    own = person.browser.post(reverse("own_request_new", args=[kind]), about)["Location"]
    asked = SubjectRequest.objects.get()
    desk = study.officer.sign_in()
    read = desk.post(
        reverse("operate_request_text", args=[asked.id]), {"reason": "subject-request"}
    )
    assert about["text"] in read.content.decode()
    desk.post(reverse("operate_request_take", args=[asked.id]))
    given = {"outcome": "partly", "text": "We mended what we could.", "ground": ""}
    desk.post(reverse("operate_request_answer", args=[asked.id]), given)
    page = person.browser.get(own).content.decode()
    assert "We mended what we could." in page
    assert study.purpose.authority in page, "not all of it was done: who else can be asked"
    integrate_once()
    rows = LogEntry.objects.about_subject([tagger(person.subject.id, None).subject()])
    made = list(rows.filter(action__startswith="request:").order_by("index"))
    assert [row.action for row in made] == [
        "request:make", "request:read", "request:take", "request:answer", "request:read",
    ]  # fmt: skip


def test_duty_11_erasure_reaches_media_rows_and_keys() -> None:
    before = sealed_files()
    study = open_study(keep_media=True)
    person = consenting(study)
    key = study.key()
    row = analysed(key, study)
    assert sealed_files() > before
    assert (
        person.browser.post(reverse("consent_withdraw", args=[study.purpose.id])).status_code == 302
    )
    drain()
    assert result(key, row).status_code == 410
    assert sealed_files() == before
    assert not living_keys(person.subject)
    assert not Result.objects.exists()


def test_duty_11_an_export_dies_with_the_consent() -> None:
    """What was asked for before the withdrawal holds nothing of the person after it, on disk neither."""
    study = open_study()
    key, person = study.key(), consenting(study)
    row = analysed(key, study)
    made = Client().post(
        reverse("api_exports"),
        data={"format": "csv"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}", "Access-Reason": "study-analysis"},
    )
    before = sealed_files()
    withdrawn = person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    assert withdrawn.status_code == 302
    for erased in (False, True):
        if erased:
            drain()
        answer = api_get(key, "api_export_content", made.json()["id"])
        archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
        assert archive.namelist() == ["index.csv"]
        assert (str(row.id) in archive.read("index.csv").decode()) is not erased
    assert sealed_files() <= before
    asked = Client().get(reverse("api_erasures"), headers={"Authorization": f"Bearer {key}"})
    assert len(asked.json()) == 1, "the client is asked to erase what it fetched before"


def test_duty_12_recipients_are_told_of_withdrawal_and_acknowledge(settings: Any) -> None:
    study = open_study()
    key, person = study.key(), consenting(study)
    uploaded(key, study)  # the program has seen this person
    admin = study.administrator.sign_in()
    client = ApiClient.objects.get()
    with receiver(settings, 500, 200) as lab:
        page = reverse("operate_webhook", args=[client.id])
        made = admin.post(page, {"step": "create", "url": lab.url}).content.decode()
        secret = re.search(r"whsec_[A-Za-z0-9+/=]+", made)
        assert secret
        left = person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
        while tell_next():
            pass
        with time_machine.travel(localtime() + timedelta(seconds=31)):
            while tell_next():  # what was refused is told again
                pass
    assert sorted({event["type"] for event in lab.events}) == [
        "consent.withdrawn",
        "erasure.required",
    ]
    assert (len(lab.ids), len(set(lab.ids))) == (3, 2), "the one that was refused came twice"
    assert all(is_signed(secret[0], *each) for each in lab.received)
    (asked,) = [event["data"] for event in lab.events if event["type"] == "erasure.required"][:1]
    headers = {"Authorization": f"Bearer {key}"}
    (listed,) = Client().get(reverse("api_erasures"), headers=headers).json()
    assert listed["id"] == asked["erasure"]
    assert asked["subject"] == str(person.subject.references.get().id)

    before = person.browser.get(left["Location"]).content.decode()
    assert "Programs that may have copies" in before
    done = reverse("api_erasure_acknowledge", args=[asked["erasure"]])
    assert Client().post(done, headers=headers).status_code == 200
    assert Client().get(reverse("api_erasures"), headers=headers).json() == []
    after = BeautifulSoup(person.browser.get(left["Location"]).content, "html.parser")
    (row,) = after.select("section[aria-labelledby=recipients-title] tbody tr")
    assert row.th is not None
    assert row.th.get_text() == client.name
    assert [bool(cell.find("time")) for cell in row.find_all("td")] == [True, True]
    integrate_once()
    receipt = person.browser.get(left["Location"] + "receipt/").json()
    assert [each["name"] for each in receipt["erasure"]["recipients"]] == [client.name]
    tag = tagger(person.subject.id, study.purpose.id).subject()
    steps = LogEntry.objects.about_subject([tag]).filter(
        action__in=[Action.ERASURE_TOLD, Action.ERASURE_ACKNOWLEDGED]
    )
    assert steps.count() == 2


def test_duty_13_no_output_triggers_an_action_on_a_person() -> None:
    administrator = operator(Role.ADMINISTRATOR).sign_in()
    refused_by(administrator, "GDPR Art. 22", uses=["automated-decision"])
    study = open_study()
    person = consenting(study)
    before = ConsentState.objects.values().get()
    events = ConsentEvent.objects.count()
    key = study.key()
    row = analysed(key, study)
    assert result(key, row).status_code == 200
    assert ConsentState.objects.values().get() == before
    assert ConsentEvent.objects.count() == events
    assert not OutboxMessage.objects.exists(), "nobody is written to because of a result"
    assert person.subject.invitations.count() == 1


def test_duty_14_defaults_are_the_least() -> None:
    administrator = operator(Role.ADMINISTRATOR).sign_in()
    page = administrator.get(reverse("operate_purpose_new"))
    form = BeautifulSoup(page.content, "html.parser").select("main form")[0]
    assert not [box for box in form.select("input[type=checkbox]") if box.has_attr("checked")]
    assert form.select("select[name=exception] option[selected]")[0]["value"] == ""
    assert new_purpose(administrator).status_code == 302
    assert Purpose.objects.get().keep_media is False
    before = sealed_files()
    study = open_study()
    consenting(study)
    row = analysed(study.key(), study)
    row.recording.refresh_from_db()
    assert row.recording.media_state == "erased"
    assert sealed_files() == before


def test_duty_15_the_register_exports() -> None:
    study = open_study(transfers="Example Land, standard contractual clauses")
    person = consenting(study)
    admin = study.administrator.sign_in()
    refused_by(admin, "Art. 5(1)(f)", sector="recruitment")
    for browser in (study.officer.sign_in(), admin):
        answer = browser.get(reverse("operate_register_file"))
        assert "attachment" in answer.headers["Content-Disposition"]
        found: dict[str, Any] = answer.json()
        (purpose,) = found["purposes"]
        assert purpose["controllers"][0] == {
            "id": str(study.purpose.controllers.get().id),
            "type": "controller",
            "name": "Example University",
            "address": "1 Campus Road, Example City",
            "contact": "privacy@example.org",
        }
        for name in ("description", "data_subjects", "recipients", "transfers", "storage_location",
                     "jurisdiction", "lawful_basis", "data_protection_officer"):  # fmt: skip
            assert purpose[name], name
        assert purpose["retention"]["result_days"] == 30
        assert purpose["impact_assessment"]["approved"] is True
        assert found["security_measures"]
        assert "Art. 5(1)(f)" in found["refused"][0]["articles"][0]
        page = browser.get(reverse("operate_register")).content.decode()
        for text in ("Example University", "standard contractual clauses", "Refused purposes"):
            assert text in page
        for document in (answer.content.decode(), page):
            assert str(person.subject.id) not in document
    assert study.researcher.sign_in().get(reverse("operate_register")).status_code == 404


def test_duty_15_a_purpose_opens_only_with_an_approved_impact_assessment() -> None:
    administrator, officer = operator(Role.ADMINISTRATOR), operator(Role.DPO)
    admin, dpo = administrator.sign_in(), officer.sign_in()
    new_purpose(admin)
    here = [Purpose.objects.get().id]
    texts = {"title_en": "Smiles", "summary_en": "We photograph you.", "text_en": "All of it."}
    admin.post(reverse("operate_notice_new", args=here), texts)
    assert admin.post(reverse("operate_purpose_submit", args=here)).status_code == 422
    admin.post(reverse("operate_assessment_new", args=here), ASSESSMENT)
    assert admin.post(reverse("operate_purpose_submit", args=here)).status_code == 302
    opening = reverse("operate_purpose_open", args=here)
    assert dpo.post(opening).status_code == 422
    newest = Purpose.objects.get().assessments.get()
    approving = reverse("operate_assessment_approve", args=[*here, newest.id])
    assert admin.post(approving).status_code == 404, "whoever wrote it does not approve it"
    assert dpo.post(approving).status_code == 302
    assert dpo.post(opening).status_code == 302
    assert Purpose.objects.get().state == PurposeState.OPEN


def test_duty_15_a_breach_has_its_clock_and_the_people_out_of_the_log() -> None:
    study = open_study()
    person, other = consenting(study), consenting(study, "P-002")
    row = analysed(study.key(), study)
    uploaded(study.key(), study, "P-002")
    reader = study.researcher.sign_in()
    read = reader.post(reverse("operate_result", args=[row.id]), {"reason": "study-analysis"})
    assert read.status_code == 200
    integrate_once()
    desk, now = study.officer.sign_in(), localtime()
    made = desk.post(
        reverse("operate_breach_new"),
        {
            "noticed_at": f"{now:%Y-%m-%dT%H:%M:%S}",
            "kinds": ["confidentiality"],
            "begins_at": f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M}",
            "ends_at": now.isoformat(),
            "purpose": str(study.purpose.id),
            "actor": study.researcher.actor.log_name(),
            "happened": "The researcher's password was guessed.",
            "effects": "Somebody may have read results.",
            "measures": "The password was changed.",
        },
    )
    assert made.status_code == 302, made.content.decode()
    page = desk.get(made["Location"]).content.decode()
    assert "71 hours left" in page
    assert short(person.subject.id) in page
    assert short(other.subject.id) not in page, "nobody read anything of theirs"
    step = made["Location"]
    assert desk.post(step + "authority/", {"at": localtime().isoformat(), "reference": "A-1"})
    told = desk.post(step + "tell/", {"text": "Somebody else may have read your results."})
    assert told.status_code == 302, told.content.decode()
    tell_people()
    own = reverse("own_breach", args=[step.rstrip("/").rsplit("/", 1)[1]])
    assert "may have read your results" in person.browser.get(own).content.decode()
    assert other.browser.get(own).status_code == 404
