"""Duties 16 to 26: the EU AI Act, Illinois' BIPA and China's PIPL."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.documented_reasons import approve_reason, file_reason
from consent.documents import Upload
from consent.models import ConsentEvent, EventKind, ExceptionReason, PurposeState, Sector
from consent.purposes import submit_for_review
from consent.retention import end_purposes
from emotion.erasure import drain
from emotion.unused import give_up_unused
from tests.cast import (
    CHILDREN,
    child_says,
    come_in,
    consent,
    consenting,
    draft,
    guardian_says,
    open_study,
    operator,
)
from tests.duties.walks import analysed, new_purpose, refused_by, result, uploaded, words_of
from tests.faults.leftovers import living_keys

pytestmark = pytest.mark.usefixtures("fresh_db")

TRAITS = {
    "race", "ethnicity", "ethnic", "politics", "political", "union", "religion", "sex", "gender",
    "orientation", "age", "nationality", "disability", "health", "identity",
}  # fmt: skip


# --- EU AI Act -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sector", ["workplace", "education", "recruitment"])
def test_duty_16_workplace_and_education_are_refused(sector: str) -> None:
    study = open_study()
    consenting(study)  # a consent changes nothing about it
    refused_by(study.administrator.sign_in(), "Art. 5(1)(f)", sector=sector)
    integrate_once()
    assert LogEntry.objects.get(action=Action.PURPOSE_REFUSE).outcome == "refused"


def test_duty_16_a_documented_medical_reason_opens_with_two_people() -> None:
    made = draft(sector=Sector.WORKPLACE, exception=ExceptionReason.SAFETY)
    author, officer = made.administrator, made.officer
    paper = Upload("reason.pdf", "application/pdf", b"%PDF-1.7 drivers fall asleep")
    file_reason(author.actor, author.user, made.purpose, paper)
    made.assess()
    submit_for_review(author.actor, made.purpose.id)
    opening = reverse("operate_purpose_open", args=[made.purpose.id])
    dpo = officer.sign_in()
    assert dpo.post(opening).status_code == 422
    second = operator(Role.DPO, "second")
    approve_reason(second.actor, second.user, made.purpose, "It names the machine and the risk.")
    assert dpo.post(opening).status_code == 302
    made.purpose.refresh_from_db()
    assert made.purpose.state == PurposeState.OPEN


def test_duty_16_recruitment_has_no_exception() -> None:
    admin = operator(Role.ADMINISTRATOR).sign_in()
    refused_by(admin, "recruitment counts as workplace", sector="recruitment", exception="medical")


def test_duty_17_no_output_infers_a_protected_trait() -> None:
    study = open_study()
    refused_by(study.administrator.sign_in(), "Art. 5(1)(g)", uses=["protected-trait"])
    consenting(study)
    key = study.key()
    parts = result(key, analysed(key, study)).json()["parts"]
    assert {"expression", "blendshapes", "summary"} == set(parts)
    assert not words_of(parts) & TRAITS


def test_duty_18_nothing_can_be_recorded_before_the_notice_was_shown_and_logged() -> None:
    study = open_study()
    person = come_in(study)
    capture = reverse("upload", args=[study.purpose.id])
    page = person.browser.get(capture)
    assert page.status_code == 302, "the page of the camera is not there yet"
    assert person.browser.get(reverse("subject_home")).status_code == 200
    integrate_once()
    assert not LogEntry.objects.filter(action=Action.NOTICE_SHOW).exists()
    notice = study.purpose.notices.get()
    form = {"notice": str(notice.id), "decision": "give", "categories": ["media"]}
    page = person.browser.post(reverse("consent_notice", args=[study.purpose.id]), form)
    assert page.status_code == 422, "nobody can say yes to what was not on the screen"
    integrate_once()
    assert LogEntry.objects.filter(action=Action.NOTICE_SHOW).exists()
    consent(person, study.purpose)
    assert person.browser.get(capture).status_code == 200


def test_duty_19_the_technical_file_exports() -> None:
    study = open_study()
    person = consenting(study)
    analysed(study.key(), study)
    integrate_once()
    for browser in (study.officer.sign_in(), study.administrator.sign_in()):
        answer = browser.get(reverse("operate_technical_file_json"))
        assert "attachment" in answer.headers["Content-Disposition"]
        found = answer.json()
        files = [row for pack in found["models"] for row in pack["files"]]
        assert {row["state"] for row in files} == {"as listed"}
        assert found["measured"]["figures"]
        assert found["measured"]["not_measured"]
        assert found["logs"]["tree_size"] == LogEntry.objects.count()
        assert set(found["logs"]["actions"]) == {action.value for action in Action}
        assert {row["logged_as"] for row in found["oversight"]["stops"]} <= set(
            found["logs"]["actions"]
        )
        assert found["record"]["analyses"]["done"] == 1
        assert [row["name"] for row in found["purpose"]["open_now"]] == [study.purpose.name]
        page = browser.get(reverse("operate_technical_file")).content.decode()
        for text in ("63.5 %", "not measured", "Human oversight", found["logs"]["root_sha256"]):
            assert text in page
        for document in (answer.content.decode(), page):
            for name in (person.subject.id, person.subject.user_id, "P-001"):
                assert str(name) not in document
    for browser in (study.researcher.sign_in(), person.browser):
        for name in ("operate_technical_file", "operate_technical_file_json"):
            assert browser.get(reverse(name)).status_code == 404


def test_duty_20_labels_say_expression_and_blendshapes_can_stand_alone() -> None:
    study = open_study()
    person = come_in(study)
    consent(person, study.purpose, ["media", "blendshapes"])
    key = study.key()
    row = analysed(key, study)
    parts = result(key, row).json()["parts"]
    assert set(parts) == {"blendshapes", "summary"}
    pages = [
        person.browser.get(reverse("own_result", args=[row.id])),
        person.browser.get(reverse("own_notice", args=[study.purpose.notices.get().id])),
        person.browser.get(reverse("subject_home")),
    ]
    for page in pages:
        said = BeautifulSoup(page.content, "html.parser").get_text().lower()
        assert not re.search(r"\bemotion", said)
    assert "Apparent expression" in pages[1].content.decode()


# --- BIPA ----------------------------------------------------------------------------------------


def test_duty_21_retention_and_destruction_are_a_public_page() -> None:
    study = open_study(keep_media=True, media_retention_days=20)
    stranger = Client()
    page = stranger.get(reverse("retention_policy"))
    said = BeautifulSoup(page.content, "html.parser").get_text(" ", strip=True)
    for words in (
        "Story study",
        "20 days",
        "30 days",
        "three years",
        "the end of the study",
        "15(a)",
    ):
        assert words in said
    assert reverse("retention_policy") in stranger.get(reverse("front")).content.decode()
    closing = reverse("operate_purpose_close", args=[study.purpose.id])
    form = {"name": study.purpose.name, "keep_days": "10"}
    assert study.administrator.sign_in().post(closing, form).status_code == 302
    assert "everything is erased on" in stranger.get(reverse("retention_policy")).content.decode()


def test_duty_21_destroyed_at_the_purposes_end_or_after_three_years() -> None:
    ending = open_study()
    lasting = open_study(consent_validity_days=5000, result_retention_days=4000)
    first, second = consenting(ending), consenting(lasting, "P-002")
    analysed(ending.key(), ending)
    analysed(lasting.key(), lasting, "P-002")
    closing = reverse("operate_purpose_close", args=[ending.purpose.id])
    form = {"name": ending.purpose.name, "keep_days": "10"}
    assert ending.officer.sign_in().post(closing, form).status_code == 302
    for days, gone, there in ((10.1, first, second), (3 * 365 + 0.1, second, None)):
        with time_machine.travel(timezone.now() + timedelta(days=days), tick=True):
            end_purposes()
            give_up_unused()
            drain()
        assert not living_keys(gone.subject)
        assert there is None or living_keys(there.subject)


def test_duty_22_written_notice_of_collection_purpose_and_term_and_a_stored_release() -> None:
    study = open_study()
    person = come_in(study)
    assert uploaded(study.key(), study).status_code == 403
    page = person.browser.get(reverse("consent_notice", args=[study.purpose.id]))
    said = BeautifulSoup(page.content, "html.parser").get_text(" ", strip=True)
    for words in (
        "Photographs of my face",
        "How faces move while listening.",
        "kept, sealed, for 30 days, at most until your consent ends",
        "deleted as soon as they have been measured",
    ):
        assert words in said
    consent(person, study.purpose)
    release = ConsentEvent.objects.get(kind=EventKind.GIVEN)
    assert release.by == "subject"
    assert len(release.notice_sha256) == 64
    receipt = person.browser.get(reverse("consent_receipt", args=[release.id])).json()
    (notice,) = receipt["dct:source"]["dpv:hasNotice"]
    assert notice["spdx:checksum"]["spdx:checksumValue"] == release.notice_sha256


def test_duty_23_disclosure_needs_consent() -> None:
    study, other = open_study(), open_study()
    person = consenting(study)
    key = study.key()
    row = analysed(key, study)
    assert result(key, row).status_code == 200
    assert result(other.key(), row).status_code == 404, "to no other study"
    person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    assert result(key, row).status_code in {403, 410}


# --- PIPL ----------------------------------------------------------------------------------------


def test_duty_24_faces_are_flagged_sensitive_and_consented_to_separately() -> None:
    study = open_study()
    found = study.officer.sign_in().get(reverse("operate_register_file")).json()
    (purpose,) = found["purposes"]
    assert {c["category"] for c in purpose["data_categories"]} == set(study.purpose.categories)
    assert all("PIPL Art. 28" in c["sensitivity"] for c in purpose["data_categories"])
    page = come_in(study).browser.get(reverse("consent_notice", args=[study.purpose.id]))
    assert "A face is sensitive data" in page.content.decode()
    boxes = BeautifulSoup(page.content, "html.parser").find_all("input", type="checkbox")
    assert len(boxes) == len(study.purpose.categories)


def test_duty_24_without_a_guardian_nobody_under_fourteen_takes_part() -> None:
    admin = operator(Role.ADMINISTRATOR).sign_in()
    assert new_purpose(admin, minimum_age="13").status_code == 422
    assert new_purpose(admin, minimum_age="14").status_code == 302
    study = open_study(minimum_age=14)
    child = come_in(study)
    address = reverse("consent_notice", args=[study.purpose.id])
    assert "you are 14 or older" in child.browser.get(address).content.decode()
    assert (
        child.browser.get(reverse("consent_guardian", args=[study.purpose.id])).status_code == 404
    )
    said = {"decision": "give", "notice": study.purpose.notices.get().id, "categories": ["media"]}
    page = child.browser.post(address, said | {"age": "younger"})
    assert page.status_code == 422
    assert "Only people of 14 or older may say yes alone" in page.content.decode()
    assert not ConsentEvent.objects.filter(kind="given").exists()


def test_duty_24_data_of_children_are_flagged_sensitive() -> None:
    study = open_study(**CHILDREN)
    desk = study.officer.sign_in()
    found = desk.get(reverse("operate_register_file")).json()
    assert "people under 14 are sensitive" in found["purposes"][0]["children"]
    page = desk.get(reverse("operate_assessment", args=[study.purpose.id]))
    assert "Children take part." in page.content.decode()


def test_duty_26_a_guardian_consents_under_fourteen_and_the_child_says_yes_too() -> None:
    study = open_study(**CHILDREN)
    child, purpose, key = come_in(study), study.purpose, study.key()
    address = reverse("consent_notice", args=[purpose.id])
    page = child.browser.post(address, {"decision": "give", "age": "younger"})
    assert page.headers["Location"] == reverse("consent_guardian", args=[purpose.id])
    page = child.browser.get(page.headers["Location"])
    assert not BeautifulSoup(page.content, "html.parser").select("[checked], [selected]")
    page = guardian_says(child, purpose)
    assert page.headers["Location"] == reverse("consent_assent", args=[purpose.id])
    assert uploaded(key, study).status_code == 403, "the guardian's yes alone is none"
    page = child.browser.get(page.headers["Location"])
    assert not BeautifulSoup(page.content, "html.parser").select("[checked]")
    assert purpose.child_words in page.content.decode()
    assert child_says(child, purpose).status_code == 302
    acts = ConsentEvent.objects.exclude(kind__in=["requested", "notice-shown"])
    said = acts.order_by("sequence").values_list("kind", "by", "method")
    assert list(said) == [("guardian", "guardian", "guardian"), ("given", "subject", "assent")]
    assert uploaded(key, study).status_code == 202


def test_duty_25_public_places_are_not_watched() -> None:
    admin = operator(Role.ADMINISTRATOR).sign_in()
    refused_by(admin, "PIPL Art. 26", sector="public-space")


def test_duty_26_necessity_is_told_and_the_assessment_is_stored() -> None:
    admin = operator(Role.ADMINISTRATOR).sign_in()
    assert new_purpose(admin, necessity=" ").status_code == 422
    study = open_study()
    page = come_in(study).browser.get(reverse("consent_notice", args=[study.purpose.id]))
    assert study.purpose.necessity in page.content.decode()
    stored = study.purpose.assessments.get()
    assert stored.is_approved
    page = study.officer.sign_in().get(reverse("operate_assessment", args=[study.purpose.id]))
    assert stored.risks in page.content.decode()
