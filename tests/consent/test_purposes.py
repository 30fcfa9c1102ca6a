"""The life of a purpose over HTTP: what it must say, who decides, and what makes an approval void."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import DatabaseError, transaction
from django.urls import reverse

from accounts.models import Role
from audit_log.actions import Action
from audit_log.entries import parse
from audit_log.models import PendingEntry
from consent.documented_reasons import approve_reason, file_reason
from consent.documents import Upload
from consent.errors import InvalidAssessment, InvalidPurpose, ProhibitedPurpose
from consent.models import (
    Document,
    ExceptionReason,
    Purpose,
    PurposeRefusal,
    PurposeState,
    Sector,
)
from consent.purposes import change_purpose, create_purpose, open_purpose, submit_for_review
from tests.cast import ASSESSMENT, CONTROLLER, PURPOSE, Draft, draft, operator
from tests.consent.test_operator_pages import PURPOSE as FORM

pytestmark = pytest.mark.usefixtures("fresh_db")
REASON = Upload("vote.pdf", "application/pdf", b"%PDF-1.7 the ethics committee agrees")


def actions() -> list[Action]:
    rows = PendingEntry.objects.order_by("created")
    return [parse(row.body).draft.action for row in rows]


def submitted(made: Draft) -> Draft:
    submit_for_review(made.administrator.actor, made.purpose.id)
    return made


# --- what a purpose must say ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"categories": ["media", "body-motion"]}, "“Movements of the body” needs films"),
        ({"categories": ["expression"]}, "Tick “Pictures of the face”"),
        ({"controllers-0-kind": "processor"}, "Name a controller"),
        ({"minimum_age": "13"}, "14"),
        ({"recipients": " "}, "required"),
        ({"controllers-0-address": ""}, "An organisation is not complete"),
        ({"sector": "research", "exception": "medical"}, "for workplace and education only"),
    ],
)
def test_what_is_not_complete_is_told_on_the_form(changes: Any, says: str) -> None:
    page = (
        operator(Role.ADMINISTRATOR).sign_in().post(reverse("operate_purpose_new"), FORM | changes)
    )
    assert page.status_code == 422
    assert says in page.content.decode()
    assert not Purpose.objects.exists()


def test_every_problem_is_told_at_once_at_the_field_where_it_is_mended() -> None:
    """Also beside one that the form itself finds; and one that the flow finds alone has its place too."""
    desk = operator(Role.ADMINISTRATOR).sign_in()
    wrong = {
        "categories": ["expression", "body-motion"],
        "guardian_allowed": "on",
        "child_words": " ",
    }
    expected = {
        "categories": "Tick “Pictures of the face”: nothing else can be measured without it.",
        "takes": "“Movements of the body” needs films: choose films under “What people send”.",
        "child_words": "Where children take part, say in a child's words what happens.",
    }
    for more in ({}, {"recipients": " "}):
        page = desk.post(reverse("operate_purpose_new"), FORM | wrong | more)
        assert page.status_code == 422
        found = page.context["form"].errors
        assert set(found) == set(expected) | set(more)
        for name, words in expected.items():
            assert [words in each for each in found[name]] == [True], name
        summary = BeautifulSoup(page.content, "html.parser").select(".error-summary a")
        assert len(summary) == len(found)
    page = desk.post(reverse("operate_purpose_new"), FORM | {"controllers-0-kind": "processor"})
    assert "Name a controller" in page.context["form"].non_field_errors()[0]
    assert not Purpose.objects.exists()


def test_only_explicit_consent_is_a_basis_and_the_database_holds_it() -> None:
    administrator = operator(Role.ADMINISTRATOR)
    with pytest.raises(InvalidPurpose, match="explicit consent only"):
        create_purpose(
            administrator.actor,
            administrator.user,
            controllers=[CONTROLLER],
            **(PURPOSE | {"lawful_basis": "legitimate-interest"}),
        )
    made = draft()
    for wrong in ({"lawful_basis": "contract"}, {"minimum_age": 13}):
        with pytest.raises(DatabaseError), transaction.atomic():
            Purpose.objects.filter(pk=made.purpose.pk).update(**wrong)


def test_several_organisations_are_kept_with_their_parts() -> None:
    admin = operator(Role.ADMINISTRATOR).sign_in()
    second = {
        "controllers-TOTAL_FORMS": "3",
        "controllers-1-kind": "processor",
        "controllers-1-name": "Example Hosting",
        "controllers-1-address": "3 Server Lane",
        "controllers-1-contact": "desk@example.net",
        "controllers-2-kind": "controller",
    }
    admin.post(reverse("operate_purpose_new"), FORM | second)
    purpose = Purpose.objects.get()
    assert [(c.kind, c.name) for c in purpose.controllers.all()] == [
        ("controller", "Example University"),
        ("processor", "Example Hosting"),
    ]
    assert purpose.controller == "Example University", "a processor does not answer for the data"


def test_an_organisation_can_be_taken_out_again() -> None:
    made = draft(controllers=[CONTROLLER, CONTROLLER | {"name": "Old partner"}])
    admin = made.administrator.sign_in()
    editing = reverse("operate_purpose_edit", args=[made.purpose.id])
    assert 'name="controllers-1-DELETE"' in admin.get(editing).content.decode()
    second = {f"controllers-1-{name}": value for name, value in CONTROLLER.items()}
    counts = {"controllers-TOTAL_FORMS": "2", "controllers-INITIAL_FORMS": "2"}
    page = admin.post(editing, FORM | second | counts | {"controllers-1-DELETE": "on"})
    assert page.status_code == 302
    assert [party.name for party in made.purpose.controllers.all()] == ["Example University"]
    page = admin.post(editing, FORM | counts | second | {"controllers-0-DELETE": "on",
                                                         "controllers-1-DELETE": "on"})  # fmt: skip
    assert page.status_code == 422, "somebody must answer for the data"


# --- mending, sending back, deciding -------------------------------------------------------------


def test_sent_back_with_a_reason_mended_and_opened() -> None:
    made = draft()
    made.assess()
    submitted(made)
    admin, dpo = made.administrator.sign_in(), made.officer.sign_in()
    here = [made.purpose.id]
    editing, back = (
        reverse("operate_purpose_edit", args=here),
        reverse("operate_purpose_send_back", args=here),
    )
    assert admin.post(editing, FORM).status_code == 302
    assert Purpose.objects.get().state == PurposeState.IN_REVIEW, "nothing changes under review"
    assert admin.post(back, {"statement": "x"}).status_code == 404
    assert dpo.post(back, {"statement": ""}).status_code == 422
    assert dpo.post(back, {"statement": "Name the recipients."}).status_code == 302
    purpose = Purpose.objects.get()
    assert purpose.state == PurposeState.SENT_BACK
    assert (
        "Name the recipients." in admin.get(reverse("operate_purpose", args=here)).content.decode()
    )

    one = {"controllers-INITIAL_FORMS": "1", "recipients": "Dr. Example, who leads it"}
    assert admin.post(editing, FORM | one).status_code == 302
    submit = reverse("operate_purpose_submit", args=here)
    page = admin.post(submit)
    assert page.status_code == 422, "the notice still says what the purpose said before"
    assert "publish the next version" in page.content.decode()
    words = {"change_en": "The recipients are named.", "substance": "wording"}
    texts = {"title_en": "Smiles", "summary_en": "We photograph you.", "text_en": "All of it."}
    assert admin.post(reverse("operate_notice_new", args=here), texts | words).status_code == 302
    assert admin.post(submit).status_code == 302

    opening = reverse("operate_purpose_open", args=here)
    page = dpo.post(opening)
    assert page.status_code == 422, "what was approved was the purpose before the change"
    assert "has to approve" in page.content.decode()
    approval = reverse(
        "operate_assessment_approve", args=[purpose.id, purpose.assessments.get().id]
    )
    assert dpo.post(approval).status_code == 302
    assert dpo.post(opening).status_code == 302
    assert Purpose.objects.get().state == PurposeState.OPEN
    assert {Action.PURPOSE_SEND_BACK, Action.PURPOSE_CHANGE, Action.ASSESSMENT_APPROVE} <= set(
        actions()
    )


def test_an_open_purpose_does_not_change_any_more() -> None:
    made = draft()
    made.assess()
    author = made.administrator
    submitted(made)
    for stands in ("in review", "open"):
        with pytest.raises(InvalidPurpose, match=rf"Only a draft .* this purpose is {stands}\."):
            change_purpose(
                author.actor, author.user, made.purpose.id, controllers=[CONTROLLER], **PURPOSE
            )
        if stands == "in review":
            made.open()
    page = author.sign_in().get(reverse("operate_purpose_edit", args=[made.purpose.id]))
    assert page.status_code == 302


def test_whoever_wrote_or_changed_it_does_not_open_it() -> None:
    made = draft()
    made.assess()
    officer = made.officer
    change_purpose(
        officer.actor, officer.user, made.purpose.id, controllers=[CONTROLLER], **PURPOSE
    )
    other = operator(Role.DPO, "second")
    newest = made.purpose.assessments.get()
    assert newest.void_since is not None
    from consent.assessments import approve_assessment

    approve_assessment(other.actor, other.user, newest.id)
    submitted(made)
    with pytest.raises(InvalidPurpose, match="not by its author"):
        made.open()
    assert open_purpose(other.actor, other.user, made.purpose.id).state == PurposeState.OPEN


# --- impact assessment ---------------------------------------------------------------------------


def test_a_new_version_of_the_assessment_is_not_approved() -> None:
    made = draft()
    made.assess()
    admin, dpo = made.administrator.sign_in(), made.officer.sign_in()
    here = [made.purpose.id]
    assert admin.post(reverse("operate_assessment_new", args=here), ASSESSMENT).status_code == 302
    first, second = made.purpose.assessments.order_by("version")
    assert (first.is_approved, second.is_approved) == (True, False)
    submitted(made)
    with pytest.raises(InvalidPurpose, match="has to approve"):
        made.open()
    page = dpo.post(reverse("operate_assessment_approve", args=[*here, first.id]))
    assert page.status_code == 422, "an old version is not approved any more"
    assert "Version 2 has replaced version 1" in page.content.decode()


def test_an_assessment_needs_every_section_or_a_document() -> None:
    made = draft()
    admin = made.administrator.sign_in()
    address = reverse("operate_assessment_new", args=[made.purpose.id])
    page = admin.post(address, ASSESSMENT | {"risks": ""})
    assert page.status_code == 422
    assert "empty: risks" in page.content.decode()
    assert not made.purpose.assessments.exists()


def test_a_high_risk_needs_the_authoritys_answer_first() -> None:
    made = draft()
    admin, dpo = made.administrator.sign_in(), made.officer.sign_in()
    address = reverse("operate_assessment_new", args=[made.purpose.id])
    admin.post(address, ASSESSMENT | {"residual_risk": "high"})
    newest = made.purpose.assessments.get()
    approve = [made.purpose.id, newest.id]
    page = dpo.post(reverse("operate_assessment_approve", args=approve))
    assert page.status_code == 422
    assert "Art. 36" in page.content.decode()
    answered = ASSESSMENT | {"residual_risk": "high", "prior_consultation": "It may go on."}
    admin.post(address, answered)
    newest = made.purpose.assessments.get(version=2)
    assert (
        dpo.post(
            reverse("operate_assessment_approve", args=[made.purpose.id, newest.id])
        ).status_code
        == 302
    )


def test_its_author_does_not_approve_an_assessment() -> None:
    from consent.assessments import approve_assessment, write_assessment

    made = draft()
    officer = made.officer
    written = write_assessment(
        officer.actor, officer.user, made.purpose, ASSESSMENT, residual_risk="low"
    )
    with pytest.raises(InvalidAssessment, match="not by its author"):
        approve_assessment(officer.actor, officer.user, written.id)


# --- screening -----------------------------------------------------------------------------------


def excepted(sector: Sector = Sector.EDUCATION) -> Draft:
    made = draft(sector=sector, exception=ExceptionReason.MEDICAL)
    made.assess()
    return made


def test_an_exception_needs_a_document_and_two_people_who_did_not_write_it() -> None:
    made = excepted()
    author, officer = made.administrator, made.officer
    with pytest.raises(InvalidPurpose, match="Upload the document"):
        submitted(made)
    file_reason(author.actor, author.user, made.purpose, REASON)
    submitted(made)
    with pytest.raises(InvalidPurpose, match="has to approve"):
        made.open()  # the assessment was of the purpose before its reason was documented
    newest = made.purpose.assessments.get()
    from consent.assessments import approve_assessment

    approve_assessment(officer.actor, officer.user, newest.id)
    approve_reason(officer.actor, officer.user, made.purpose, "I read the vote.")
    with pytest.raises(InvalidPurpose, match="A second person"):
        made.open()  # the one who agreed is the one who opens: one person
    with pytest.raises(InvalidPurpose, match="none who wrote"):
        approve_reason(author.actor, author.user, made.purpose, "I wrote it.")
    researcher = operator(Role.RESEARCHER)
    with pytest.raises(InvalidPurpose, match="officer or an administrator"):
        approve_reason(researcher.actor, researcher.user, made.purpose, "Me too.")
    second = operator(Role.ADMINISTRATOR, "second").sign_in()
    agree = reverse("operate_reason_approve", args=[made.purpose.id])
    assert second.post(agree, {"statement": " "}).status_code == 422
    assert second.post(agree, {"statement": "The vote names the ward."}).status_code == 302
    assert made.open().state == PurposeState.OPEN


def test_recruitment_has_no_exception() -> None:
    with pytest.raises(ProhibitedPurpose, match="recruitment counts as workplace"):
        draft(sector=Sector.RECRUITMENT, exception=ExceptionReason.SAFETY)


def test_a_refusal_stands_in_the_log_and_in_the_register_and_stays() -> None:
    administrator = operator(Role.ADMINISTRATOR)
    page = administrator.sign_in().post(
        reverse("operate_purpose_new"),
        FORM | {"name": "Shift mood", "sector": "workplace", "description": "About Ann Visible."},
    )
    assert page.status_code == 422
    row = PurposeRefusal.objects.get()
    assert (row.name, row.by) == ("Shift mood", administrator.actor.log_name())
    assert "Art. 5(1)(f)" in row.articles[0]
    assert "Ann Visible" not in str(row.__dict__), "free text could name somebody"
    assert Action.PURPOSE_REFUSE in actions()
    officer = operator(Role.DPO).sign_in()
    assert "Shift mood" in officer.get(reverse("operate_register")).content.decode()
    for change in ("update", "delete"):
        with pytest.raises(DatabaseError), transaction.atomic():
            rows = PurposeRefusal.objects.all()
            rows.update(name="x") if change == "update" else rows.delete()


def test_words_ask_the_reviewer_to_look_again_and_to_say_so() -> None:
    made = draft(name="Smiles of pupils")
    made.assess()
    submitted(made)
    dpo = made.officer.sign_in()
    opening = reverse("operate_purpose_open", args=[made.purpose.id])
    assert "“pupils”" in dpo.get(opening).content.decode()
    assert dpo.post(opening).status_code == 422
    assert Purpose.objects.get().state == PurposeState.IN_REVIEW
    with pytest.raises(InvalidPurpose, match="look again"):
        made.open()
    said = "The pupils of the eye, not of a school."
    assert dpo.post(opening, {"statement": said}).status_code == 302
    assert Purpose.objects.get().looked_again == said


@pytest.mark.parametrize(
    ("changes", "warned"),
    [
        ({"result_retention_days": 400, "consent_validity_days": 30}, ["Results"]),
        ({"media_retention_days": 31, "consent_validity_days": 30}, []),
        (
            {"media_retention_days": 31, "consent_validity_days": 30, "keep_media": True},
            ["Photographs and films"],
        ),
        ({"result_retention_days": 30, "consent_validity_days": 30}, []),
    ],
)
def test_periods_that_no_consent_lets_run_out_are_said_to_whoever_decides(
    changes: dict[str, Any], warned: list[str]
) -> None:
    made = draft(**changes)
    made.assess()
    page = reverse("operate_purpose", args=[made.purpose.id])
    said = made.administrator.sign_in().get(page).content.decode()
    assert [what for what in ("Results", "Photographs and films")
            if f"{what} are to be kept for" in said] == warned  # fmt: skip
    submitted(made)
    decision = made.officer.sign_in().get(reverse("operate_purpose_open", args=[made.purpose.id]))
    assert ("but a consent lasts 30 days" in decision.content.decode()) == bool(warned)
    assert made.open().state == PurposeState.OPEN, "it warns, and refuses nothing"


# --- documents -----------------------------------------------------------------------------------


def test_documents_only_grow() -> None:
    made = excepted()
    author = made.administrator
    file_reason(author.actor, author.user, made.purpose, REASON)
    for change in ("update", "delete"):
        with pytest.raises(DatabaseError), transaction.atomic():
            rows = Document.objects.all()
            rows.update(name="x") if change == "update" else rows.delete()
    assert Document.objects.count() == 1
