"""Operators' pages about purposes, people, messages and API clients, over HTTP."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.models import ApiClient, Role
from audit_log.actions import Action
from audit_log.entries import parse
from audit_log.models import PendingEntry
from consent.errors import OnlyByMail
from consent.invitations import create_invitation, send_invitation
from consent.links_back import show_link_back
from consent.models import (
    ConsentState,
    ConsentStatus,
    Contact,
    DataCategory,
    DataSubject,
    Invitation,
    Notice,
    OutboxMessage,
    Purpose,
    PurposeState,
    RequestKind,
    Sector,
    SubjectReference,
    Use,
)
from consent.requests import make_request
from consent.sign_in import send_code
from consent.subjects import register_subject
from tests.cast import (
    ASSESSMENT,
    Operator,
    Study,
    come_in,
    consent,
    consenting,
    invite,
    open_study,
    operator,
)
from tests.counting import queries_of
from vault.tags import tagger

pytestmark = pytest.mark.usefixtures("fresh_db")

PURPOSE = {
    "name": "Story study",
    "description": "How faces move while listening.",
    "necessity": "A questionnaire cannot tell what a face shows.",
    "people": "Adult volunteers",
    "controllers-TOTAL_FORMS": "1",
    "controllers-INITIAL_FORMS": "0",
    "controllers-0-kind": "controller",
    "controllers-0-name": "Example University",
    "controllers-0-address": "1 Campus Road, Example City",
    "controllers-0-contact": "privacy@example.org",
    "officer_contact": "officer@example.org",
    "authority": "Example Authority, Example City",
    "recipients": "The researchers of this study",
    "storage_location": "The laboratory's own machines",
    "jurisdiction": "Germany (EU)",
    "sector": Sector.RESEARCH.value,
    "uses": [Use.STATISTICS.value],
    "categories": [DataCategory.MEDIA.value, DataCategory.EXPRESSION.value],
    "media_retention_days": "7",
    "result_retention_days": "30",
    "takes": "photographs",
    "sample_rate": "10",
    "consent_validity_days": "365",
    "minimum_age": "18",
}
NOTICE = {"title_en": "Smiles", "summary_en": "We photograph you.", "text_en": "All of it."}


def written(action: Action) -> list[Any]:
    """The drafts of the entries with this action, not yet in the tree."""
    entries = [parse(row.body).draft for row in PendingEntry.objects.order_by("created")]
    return [draft for draft in entries if draft.action is action]


def new_purpose(browser: Client, **changes: Any) -> Any:
    return browser.post(reverse("operate_purpose_new"), PURPOSE | changes)


def test_purpose_from_draft_to_closed() -> None:
    administrator, officer = operator(Role.ADMINISTRATOR), operator(Role.DPO)
    admin, dpo = administrator.sign_in(), officer.sign_in()

    page = new_purpose(admin)
    purpose = Purpose.objects.get()
    detail = reverse("operate_purpose", args=[purpose.id])
    assert page.headers["Location"] == detail
    assert purpose.state == PurposeState.DRAFT

    submit = reverse("operate_purpose_submit", args=[purpose.id])
    page = admin.post(submit)
    assert page.status_code == 422
    assert "Publish a privacy notice" in page.content.decode()

    page = admin.post(reverse("operate_notice_new", args=[purpose.id]), NOTICE)
    assert page.headers["Location"] == detail
    assert Notice.objects.get().version == 1
    page = admin.post(submit)
    assert page.status_code == 422
    assert "Write the impact assessment" in page.content.decode()
    page = admin.post(reverse("operate_assessment_new", args=[purpose.id]), ASSESSMENT)
    assert page.headers["Location"] == reverse("operate_assessment", args=[purpose.id])
    assert admin.post(submit).status_code == 302

    opening = reverse("operate_purpose_open", args=[purpose.id])
    assert admin.post(opening).status_code == 404
    assert opening in dpo.get(detail).content.decode()
    page = dpo.post(opening)
    assert page.status_code == 422
    assert "has to approve the impact assessment" in page.content.decode()
    approval = reverse(
        "operate_assessment_approve", args=[purpose.id, purpose.assessments.get().id]
    )
    assert admin.post(approval).status_code == 404
    assert approval in dpo.get(reverse("operate_assessment", args=[purpose.id])).content.decode()
    assert dpo.post(approval).status_code == 302
    assert dpo.post(opening).status_code == 302
    purpose.refresh_from_db()
    assert (purpose.state, purpose.opened_by_id) == (PurposeState.OPEN, officer.user.id)

    closing = reverse("operate_purpose_close", args=[purpose.id])
    page = admin.post(closing, {"name": "Story"})
    assert page.status_code == 422
    assert "Expected “Story study”" in page.content.decode()
    purpose.refresh_from_db()
    assert purpose.state == PurposeState.OPEN
    assert admin.post(closing, {"name": "Story study"}).status_code == 302
    purpose.refresh_from_db()
    assert purpose.state == PurposeState.CLOSED


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"sector": Sector.WORKPLACE.value}, "Art. 5(1)(f)"),
        ({"uses": [Use.LIE_DETECTION.value]}, "Annex III(6)"),
    ],
)
def test_prohibited_purpose_is_refused_with_its_rule(changes: Any, rule: str) -> None:
    admin = operator(Role.ADMINISTRATOR).sign_in()
    page = new_purpose(admin, **changes)
    assert page.status_code == 422
    assert rule in page.content.decode().split("<form", 2)[-1]
    assert not Purpose.objects.exists()
    assert [draft.outcome for draft in written(Action.PURPOSE_REFUSE)] == ["refused"]


def test_notice_language_that_was_begun_must_be_finished() -> None:
    administrator = operator(Role.ADMINISTRATOR)
    admin = administrator.sign_in()
    new_purpose(admin)
    address = reverse("operate_notice_new", args=[Purpose.objects.get().id])
    page = admin.post(address, NOTICE | {"title_zh-hans": "微笑"})
    assert page.status_code == 422
    assert page.context["form"].errors.keys() == {"summary_zh-hans", "text_zh-hans"}
    assert not Notice.objects.exists()


def test_next_notice_starts_from_the_one_in_force() -> None:
    study = open_study()
    page = study.administrator.sign_in().get(reverse("operate_notice_new", args=[study.purpose.id]))
    assert page.context["version"] == 2
    assert "We photograph your face." in page.content.decode()


def test_researcher_sees_assigned_purposes_only() -> None:
    study = open_study()
    person, _token = invite(study)
    charlie = operator(Role.RESEARCHER, "charlie").sign_in()
    rita = study.researcher.sign_in()
    purpose = [study.purpose.id]
    both = [study.purpose.id, person.id]
    for name, args in [
        ("operate_purpose", purpose),
        ("operate_invite", purpose),
        ("operate_person", both),
    ]:
        assert rita.get(reverse(name, args=args)).status_code == 200, name
        assert charlie.get(reverse(name, args=args)).status_code == 404, name
    for name in ("operate_purposes", "operate_people", "operate_home"):
        assert "Story study" in rita.get(reverse(name)).content.decode(), name
        assert "Story study" not in charlie.get(reverse(name)).content.decode(), name
    again = reverse("operate_invitation_card", args=both)
    assert charlie.post(again).status_code == 404


OPEN_TO = {
    "operate_home": {Role.ADMINISTRATOR, Role.RESEARCHER, Role.DPO},
    "operate_purposes": {Role.ADMINISTRATOR, Role.RESEARCHER, Role.DPO},
    "operate_purpose_new": {Role.ADMINISTRATOR},
    "operate_people": {Role.ADMINISTRATOR, Role.RESEARCHER},
    "operate_outbox": {Role.ADMINISTRATOR},
    "operate_clients": {Role.ADMINISTRATOR},
    "operate_client_new": {Role.ADMINISTRATOR},
    "operate_operators": {Role.ADMINISTRATOR},
    "operate_operator_new": {Role.ADMINISTRATOR},
    "operate_recordings": {Role.ADMINISTRATOR, Role.RESEARCHER},
    "operate_health": {Role.ADMINISTRATOR},
    "operate_log": {Role.ADMINISTRATOR, Role.DPO},
    "operate_log_file": {Role.ADMINISTRATOR, Role.DPO},
    "operate_register": {Role.ADMINISTRATOR, Role.DPO},
    "operate_register_file": {Role.ADMINISTRATOR, Role.DPO},
    "operate_technical_file": {Role.ADMINISTRATOR, Role.DPO},
    "operate_technical_file_json": {Role.ADMINISTRATOR, Role.DPO},
}


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.RESEARCHER, Role.DPO])
def test_each_role_opens_its_pages_and_no_other(role: Role) -> None:
    browser = operator(role).sign_in()
    got = {name: browser.get(reverse(name)).status_code for name in OPEN_TO}
    assert got == {name: 200 if role in roles else 404 for name, roles in OPEN_TO.items()}


def test_pages_ask_strangers_to_sign_in_and_refuse_data_subjects() -> None:
    person = consenting(open_study())
    stranger = Client()
    for name in OPEN_TO:
        page = stranger.get(reverse(name))
        assert page.status_code == 302, name
        assert page.headers["Location"].startswith(reverse("account_login")), name
        assert person.browser.get(reverse(name)).status_code == 404, name


def test_invitation_card_is_shown_once_and_opens_the_notice() -> None:
    study = open_study()
    admin = study.administrator.sign_in()
    page = admin.post(
        reverse("operate_invite", args=[study.purpose.id]),
        {"reference": "P-007", "email": ""},
    )
    body = page.content.decode()
    assert page.status_code == 200
    assert "no-store" in page.headers["Cache-Control"]
    found = re.search(r'id="invitation-link">[^<]*/([\w-]{40,})/?<', body)
    assert found, "the card shows the link"
    assert "<svg" in body
    assert "&lt;svg" not in body
    assert found[1] not in str(dict(admin.session))
    invitation = Invitation.objects.get()
    assert invitation.shown_to_operator
    assert [d.actor for d in written(Action.INVITATION_SHOW)] == [
        study.administrator.actor.log_name()
    ]
    stranger = Client()
    page = stranger.post(reverse("invitation", args=[found[1]]))
    assert page.status_code == 302


def test_what_a_person_gets_is_in_their_language_on_a_page_in_english() -> None:
    study = open_study()
    person, other = come_in(study), come_in(study, "P-2", "ann@example.net")
    for each in (person, other):
        each.browser.post(reverse("set_language"), {"language": "de", "next": "/"})
    again = reverse("operate_invitation_card", args=[study.purpose.id, person.subject.id])
    browser = study.administrator.sign_in()
    page = browser.post(again, headers={"Accept-Language": "es"}).content.decode()
    frame, card = page.split("</section>")[0].split('<section class="card"')
    assert '<html lang="en"' in frame
    assert "Hand it to them and do not open it yourself" in frame
    assert card.startswith(' aria-labelledby="card-title" lang="de"')
    assert "Sie sind zu „Story study“ eingeladen" in card

    send_invitation(study.administrator.actor, other.subject, study.purpose)
    waiting = reverse("operate_message", args=[OutboxMessage.objects.get().id])
    page = browser.post(waiting, {"reason": "notify"}).content.decode()
    assert '<html lang="en"' in page
    assert '<h1 lang="de">Einladung: Story study</h1>' in page
    assert 'id="message-text" lang="de"><p>' in page


def test_invitation_by_mail_waits_sealed_in_the_outbox_and_is_handed_over_for_a_reason() -> None:
    study = open_study()
    admin = study.administrator.sign_in()
    address = reverse("operate_invite", args=[study.purpose.id])
    page = admin.post(address, {"reference": "P-1", "email": "ann"})
    assert page.status_code == 422
    assert not DataSubject.objects.exists()

    page = admin.post(address, {"reference": "P-1", "email": "ann@example.net"})
    assert page.status_code == 302, "the link is not shown"
    message, invitation = OutboxMessage.objects.get(), Invitation.objects.get()
    assert not invitation.shown_to_operator
    listing = admin.get(reverse("operate_outbox")).content.decode()
    opening = reverse("operate_message", args=[message.id])
    assert opening in listing
    assert "ann@example.net" not in listing

    asked = admin.get(opening).content.decode()
    assert "ann@example.net" not in asked
    assert admin.post(opening, {"reason": "curiosity"}).status_code == 422
    assert not written(Action.MESSAGE_READ)

    page = admin.post(opening, {"reason": "notify"})
    body = page.content.decode()
    assert page.status_code == 200
    assert "ann@example.net" in body
    assert reverse("invitation", args=["TOKEN"]).split("TOKEN")[0] in body
    reads = written(Action.MESSAGE_READ)
    assert {d.actor for d in reads} == {study.administrator.actor.log_name()}
    assert {str(d.reason) for d in reads} == {"notify"}
    invitation.refresh_from_db()
    assert invitation.shown_to_operator
    assert len(written(Action.INVITATION_SHOW)) == 1


def test_a_researcher_enters_no_other_study_as_somebody_invited_by_address() -> None:
    """Alice takes part in study A; a researcher of study B, who knows her address, invites her there."""
    there, here = open_study(name="Study A"), open_study(name="Study B")
    alice = come_in(there, "A-1", "alice@example.net")
    consent(alice, there.purpose)
    desk = here.researcher.sign_in()
    address = reverse("operate_invite", args=[here.purpose.id])
    known = desk.post(
        address, {"reference": "B-7", "email": "Alice@example.net", "delivery": "show"}
    )
    unknown = desk.post(
        address, {"reference": "B-8", "email": "nobody@example.net", "delivery": "show"}
    )
    for page in (known, unknown):
        assert page.status_code == 302, "who has an address is written to, known or not"
        assert b"/me/invitation/" not in desk.get(page.headers["Location"]).content
    again = reverse("operate_invitation_card", args=[here.purpose.id, alice.subject.id])
    for way in ("show", "mail"):
        assert desk.post(again, {"delivery": way}).status_code == 302
    for actor in (here.researcher.actor, here.administrator.actor):
        with pytest.raises(OnlyByMail):
            create_invitation(actor, alice.subject, here.purpose, show_to_operator=True)
        with pytest.raises(OnlyByMail):
            show_link_back(actor, alice.subject, here.purpose)
    assert not Invitation.objects.filter(shown_to_operator=True).exists()


def test_no_link_is_shown_of_somebody_who_takes_part_elsewhere() -> None:
    """Also if the address were gone: whoever opens a link opens every study of that person."""
    there, here = open_study(name="Study A"), open_study(name="Study B")
    alice = come_in(there, "A-1", "alice@example.net")
    invite(here, "B-7", "alice@example.net")
    Contact.objects.all().delete()
    with pytest.raises(OnlyByMail):
        create_invitation(here.researcher.actor, alice.subject, here.purpose, show_to_operator=True)


def test_a_sent_message_cannot_be_opened() -> None:
    study = open_study()
    admin = study.administrator.sign_in()
    admin.post(
        reverse("operate_invite", args=[study.purpose.id]),
        {"reference": "P-1", "email": "ann@example.net"},
    )
    message = OutboxMessage.objects.get()
    OutboxMessage.objects.update(sent_at=timezone.now())
    page = admin.post(reverse("operate_message", args=[message.id]), {"reason": "notify"})
    assert page.status_code == 422
    assert "ann@example.net" not in page.content.decode()
    assert not written(Action.MESSAGE_READ)


def test_nobody_is_invited_before_the_purpose_is_open() -> None:
    administrator = operator(Role.ADMINISTRATOR)
    admin = administrator.sign_in()
    new_purpose(admin)
    page = admin.post(
        reverse("operate_invite", args=[Purpose.objects.get().id]),
        {"reference": "P-1", "email": ""},
    )
    assert page.status_code == 422
    assert not DataSubject.objects.exists()


def test_a_taken_reference_is_told_on_the_form() -> None:
    study = open_study()
    invite(study, "P-001")
    page = study.administrator.sign_in().post(
        reverse("operate_invite", args=[study.purpose.id]),
        {"reference": "P-001", "email": ""},
    )
    assert page.status_code == 422
    assert "Nobody new can be filed under this reference" in page.content.decode()
    assert DataSubject.objects.count() == 1


@pytest.mark.parametrize("status", [ConsentStatus.WITHDRAWN, ConsentStatus.REFUSED])
def test_who_said_no_is_not_asked_again(status: ConsentStatus) -> None:
    study = open_study()
    subject, _token = invite(study)
    ConsentState.objects.update(status=status)
    admin = study.administrator.sign_in()
    both = [study.purpose.id, subject.id]
    again = reverse("operate_invitation_card", args=both)
    assert again not in admin.get(reverse("operate_person", args=both)).content.decode()
    page = admin.post(again)
    assert page.status_code == 422
    assert Invitation.objects.count() == 1


def test_a_persons_page_has_the_id_that_programs_know() -> None:
    study, other = open_study(), open_study()
    subject, _token = invite(study)
    register_subject(other.administrator.actor, other.purpose, reference="P-1")
    found = SubjectReference.objects.get(subject=subject, purpose=study.purpose).id
    for who in (study.administrator, study.researcher):
        page = who.sign_in().get(reverse("operate_person", args=[study.purpose.id, subject.id]))
        assert page.content.decode().count(str(found)) == 1
        for each in SubjectReference.objects.exclude(pk=found):
            assert str(each.pk) not in page.content.decode()


def test_a_new_link_replaces_the_old_one() -> None:
    study = open_study()
    subject, token = invite(study)
    both = [study.purpose.id, subject.id]
    page = study.administrator.sign_in().post(reverse("operate_invitation_card", args=both))
    assert page.status_code == 200
    assert Client().get(reverse("invitation", args=[token])).status_code == 410
    assert Invitation.objects.filter(revoked_at=None).count() == 1


def test_reference_is_shown_only_for_a_stated_reason() -> None:
    study = open_study()
    subject, _token = invite(study, "P-SECRET")
    both = [study.purpose.id, subject.id]
    address = reverse("operate_identity", args=both)
    admin = study.administrator.sign_in()
    for name in ("operate_person", "operate_identity"):
        assert "P-SECRET" not in admin.get(reverse(name, args=both)).content.decode()
    assert admin.post(address, {}).status_code == 422
    assert not written(Action.IDENTITY_READ)
    page = admin.post(address, {"reason": "subject-request"})
    assert "P-SECRET" in page.content.decode()
    assert "no-store" in page.headers["Cache-Control"]
    (read,) = written(Action.IDENTITY_READ)
    assert (str(read.reason), read.purpose_id) == ("subject-request", study.purpose.id)
    assert (
        study.researcher.sign_in().post(address, {"reason": "subject-request"}).status_code == 404
    )


def test_a_page_that_is_loaded_again_asks_again() -> None:
    """A browser sends the same form once more."""
    study = open_study()
    person = come_in(study, "P-SECRET", email="ann@example.net")
    asked = make_request(
        person.actor,
        person.subject,
        kind=RequestKind.ACCESS,
        purpose=study.purpose,
        text="Who am I?",
    )
    send_code("ann@example.net")
    message = OutboxMessage.objects.latest("created_at")
    admin = study.administrator.sign_in()
    both = [study.purpose.id, person.subject.id]
    for address, shown, action in (
        (reverse("operate_identity", args=both), "P-SECRET", Action.IDENTITY_READ),
        (reverse("operate_message", args=[message.id]), "ann@example.net", Action.MESSAGE_READ),
        (reverse("operate_request_text", args=[asked.id]), "Who am I?", Action.REQUEST_READ),
    ):
        page = admin.get(address)
        form = {"reason": "subject-request", "once": page.context["form"]["once"].value()}
        assert str(form["once"]) in page.content.decode()
        assert admin.post(address, form | {"reason": "curiosity"}).status_code == 422
        assert shown in admin.post(address, form).content.decode()
        page = admin.post(address, form)
        assert page.status_code == 200
        assert shown not in page.content.decode()
        assert str(form["once"]) not in page.content.decode()
        assert page.context["form"].errors == {}
        assert len(written(action)) == 1
        anew = form | {"once": page.context["form"]["once"].value()}
        assert shown in admin.post(address, anew).content.decode()
        assert len(written(action)) == 2


def test_somebody_is_found_by_reference_for_a_stated_reason() -> None:
    """The administrator has P-042 on the telephone."""
    study, other = open_study(), open_study(name="Study B")
    subject, _token = invite(study, "P-042")
    invite(other, "P-007")
    admin, address = study.administrator.sign_in(), reverse("operate_find")
    assert address in admin.get(reverse("operate_people")).content.decode()
    asked = {"purpose": study.purpose.id, "reference": "P-042"}
    assert admin.post(address, asked).status_code == 422
    assert not written(Action.IDENTITY_READ), "nothing is looked up without a reason"
    stated = asked | {"reason": "subject-request"}
    page = admin.post(address, stated)
    assert page.status_code == 302
    assert page.headers["Location"] == reverse(
        "operate_person", args=[study.purpose.id, subject.id]
    )
    (read,) = written(Action.IDENTITY_READ)
    assert (str(read.reason), read.purpose_id) == ("subject-request", study.purpose.id)
    assert read.subject_tag == tagger(subject.id, study.purpose.id).subject()
    page = admin.post(address, stated | {"reference": "P-007"})
    assert page.status_code == 422
    assert "No data subject with this reference in this purpose." in page.content.decode()
    assert [str(each.outcome) for each in written(Action.IDENTITY_READ)] == ["ok", "failed"]
    assert study.researcher.sign_in().post(address, stated).status_code == 404


def test_researcher_is_assigned_once() -> None:
    study = open_study()
    charlie = operator(Role.RESEARCHER, "charlie")
    admin = study.administrator.sign_in()
    address = reverse("operate_purpose_assign", args=[study.purpose.id])
    for _again in range(2):
        assert admin.post(address, {"researcher": charlie.user.id}).status_code == 302
    assert list(charlie.user.purposes.all()) == [study.purpose]
    assert admin.post(address, {"researcher": study.officer.user.id}).status_code == 422


def client_form(study: Study, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Lab",
        "purpose": study.purpose.id,
        "scopes": ["recordings:upload"],
        "days": "90",
    } | changes


def test_client_key_is_shown_once_works_and_can_be_revoked() -> None:
    study = open_study()
    admin = study.administrator.sign_in()
    page = admin.post(reverse("operate_client_new"), client_form(study))
    found = re.search(r"cns_[0-9a-f]{10}_[\w-]{40,}", page.content.decode())
    assert found
    assert "no-store" in page.headers["Cache-Control"]
    assert found[0] not in admin.get(reverse("operate_clients")).content.decode()
    assert found[0] not in str(dict(admin.session))

    key = {"Authorization": f"Bearer {found[0]}"}
    missing = reverse("api_recording", args=[uuid4()])
    assert Client().get(missing, headers=key).status_code in {403, 404}
    client = ApiClient.objects.get()
    revoke = reverse("operate_client_revoke", args=[client.id])
    assert admin.post(revoke, {"name": "lab"}).status_code == 422
    assert ApiClient.objects.get().revoked_at is None
    assert admin.post(revoke, {"name": "Lab"}).status_code == 302
    assert Client().get(missing, headers=key).status_code == 401


def test_client_needs_a_scope() -> None:
    study = open_study()
    admin = study.administrator.sign_in()
    page = admin.post(reverse("operate_client_new"), client_form(study, scopes=[]))
    assert page.status_code == 422
    assert not ApiClient.objects.exists()


def fill(author: Operator, number: int) -> None:
    """Rows as the flows leave them, made quickly."""
    with transaction.atomic():
        for count in range(number):
            skipped = ("days", "age")
            values = {
                k: v
                for k, v in PURPOSE.items()
                if not k.endswith(skipped) and not k.startswith("controllers")
            }
            purpose = Purpose.objects.create(
                created_by=author.user, **values, media_retention_days=7, result_retention_days=30,
                state=PurposeState.OPEN,
            )  # fmt: skip
            subject = DataSubject.objects.create(id=uuid7())
            ConsentState.objects.create(
                subject=subject,
                purpose=purpose,
                status=ConsentStatus.REQUESTED,
                changed_at=timezone.now(),
            )
            OutboxMessage.objects.create(
                subject=subject, purpose=purpose, kind="invitation", data_key_id=uuid7(),
                sealed=b"", created_at=timezone.now(),
            )  # fmt: skip
            ApiClient.objects.create(
                name=f"client {count}", purpose_id=purpose.id, scopes=[],
                expires_at=timezone.now(),
            )  # fmt: skip


def test_lists_ask_as_often_for_thirty_rows_as_for_three() -> None:
    administrator = operator(Role.ADMINISTRATOR)
    admin = administrator.sign_in()
    names = [
        "operate_home",
        "operate_purposes",
        "operate_people",
        "operate_outbox",
        "operate_clients",
        "operate_register",
        "operate_register_file",
    ]
    fill(administrator, 3)
    few = {name: queries_of(admin, reverse(name)) for name in names}
    fill(administrator, 27)
    assert {name: queries_of(admin, reverse(name)) for name in names} == few


def test_list_goes_on_to_older_rows_and_back() -> None:
    administrator = operator(Role.ADMINISTRATOR)
    admin = administrator.sign_in()
    fill(administrator, 60)
    first = admin.get(reverse("operate_people"), {"status": "requested"})
    page = first.context["page"]
    assert (len(page.rows), page.newest) == (50, "")
    assert "status=requested" in page.older
    second = admin.get(reverse("operate_people") + page.older).context["page"]
    assert (len(second.rows), second.older) == (10, "")
    shown = {row.id for row in page.rows} | {row.id for row in second.rows}
    assert len(shown) == 60
    assert second.newest == "?status=requested"
    assert admin.get(reverse("operate_people"), {"before": "nonsense"}).status_code == 404
