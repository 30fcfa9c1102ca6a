"""Notices: frozen with their page, shown again to the letter, and renewed after a change of substance."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse

from accounts.actors import SYSTEM_WORKER
from audit_log.actions import Action
from consent.errors import InvalidNotice
from consent.messages import open_message
from consent.models import (
    ConsentEvent,
    ConsentState,
    ConsentStatus,
    EventKind,
    Notice,
    OutboxMessage,
    Purpose,
)
from consent.notices import Change, publish_notice
from consent.purposes import submit_for_review
from consent.renewals import ask_for_renewals
from tests.cast import NOTICE, Person, Study, come_in, consent, consenting, draft, open_study

pytestmark = pytest.mark.usefixtures("fresh_db")
LONG = {
    "en": (
        "Smiles  again",
        "First.\r\n\r\n\r\nSecond <b>bold</b>\r\nline & more.  ",
        "All.\r\nOf it.",
    ),
    "zh-hans": ("微笑", "我们拍摄您的面部。", "全部内容。"),
}


def publish(study: Study, *, substantive: bool, summary: str = "Twice.") -> Notice:
    texts = {"en": ("Smiles", summary, "All of it.")}
    change = Change({"en": "Two photographs."}, substantive=substantive)
    return publish_notice(study.administrator.actor, study.purpose, texts, change)[0]


def paragraphs(part: Tag) -> str:
    """What a block of the page says, with blank lines between paragraphs."""
    for br in part.find_all("br"):
        br.replace_with("\n")
    found = [p.get_text() for p in part.find_all("p")]
    return "\n\n".join(re.sub(r"\n+", "\n", text).strip() for text in found)


def read_off(html: str) -> tuple[str, str]:
    """The plain text of a notice page, put together from what is shown, and the SHA-256 it claims."""
    soup = BeautifulSoup(html, "html.parser")
    part = {name: soup.find(id=f"notice-{name}") for name in
            ("title", "summary", "glance", "text", "choices", "sha256")}  # fmt: skip
    assert all(isinstance(each, Tag) for each in part.values())
    shown: dict[str, Any] = part
    terms, texts = shown["glance"].find_all("dt"), shown["glance"].find_all("dd")
    glance = [f"{a.get_text()}: {b.get_text()}" for a, b in zip(terms, texts, strict=True)]
    choices = [
        f"[ ] {li.strong.get_text()}: {li.span.get_text()}"
        for li in shown["choices"].find_all("li")
    ]
    parts = [
        shown["title"].get_text(),
        paragraphs(shown["summary"]),
        "\n".join(glance),
        paragraphs(shown["text"]),
        "\n".join(choices),
    ]
    return "\n\n".join(parts) + "\n", shown["sha256"].get_text()


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_page_that_was_shown_can_be_shown_again_and_hashes_to_what_was_recorded(
    language: str,
) -> None:
    study = open_study()
    words = Change(dict.fromkeys(LONG, "More."), substantive=True)
    publish_notice(study.administrator.actor, study.purpose, LONG, words)
    person = come_in(study)
    person.browser.post(reverse("set_language"), {"language": language, "next": "/"})
    consent(person, study.purpose)
    event = ConsentEvent.objects.get(kind=EventKind.GIVEN)
    assert event.language == language
    publish(study, substantive=True)  # what is in force now is something else
    own = reverse("own_notice", args=[event.notice_id])
    desk = reverse("operate_notice", args=[study.purpose.id, event.notice_id])
    asked = {"in": event.language}
    for browser, address in ((person.browser, own), (study.officer.sign_in(), desk)):
        page = browser.get(address, asked)
        text, claimed = read_off(page.content.decode())
        assert hashlib.sha256(text.encode()).hexdigest() == claimed == event.notice_sha256
        file = browser.get(address, asked | {"as": "text"})
        assert file.content.decode() == text
        assert "attachment" in file.headers["Content-Disposition"]
    assert person.browser.get(own, {"in": "xx"}).status_code == 404


def test_a_past_version_is_there_for_those_who_were_asked_only() -> None:
    study, other = open_study(), open_study()
    alice, bob = consenting(study), consenting(other)
    own = reverse("own_notice", args=[study.purpose.notices.get().id])
    assert alice.browser.get(own).status_code == 200
    assert bob.browser.get(own).status_code == 404
    assert Client().get(own).status_code == 302


def test_the_page_stays_when_the_purpose_behind_it_changes() -> None:
    study = open_study()
    person = consenting(study)
    Purpose.objects.filter(pk=study.purpose.id).update(result_retention_days=3)
    address = reverse("own_notice", args=[study.purpose.notices.get().id])
    assert "30 days" in person.browser.get(address).content.decode()


def test_a_published_notice_cannot_be_changed() -> None:
    open_study()
    for wrong in ({"pages": {}}, {"substantive": False}, {"change": "x"}):
        with pytest.raises(DatabaseError), transaction.atomic():
            Notice.objects.update(**wrong)


def test_a_new_version_says_what_has_changed_and_of_which_kind() -> None:
    study = open_study()
    admin = study.administrator.sign_in()
    address = reverse("operate_notice_new", args=[study.purpose.id])
    form = {"title_en": "Smiles", "summary_en": "Twice.", "text_en": "All."}
    page = admin.post(address, form)
    assert page.status_code == 422
    assert page.context["form"].errors.keys() == {"substance", "change_en"}
    with pytest.raises(InvalidNotice, match="must say what has changed"):
        publish_notice(study.administrator.actor, study.purpose, NOTICE)
    with pytest.raises(InvalidNotice, match=r"missing: English, German\."):
        both = NOTICE | {"de": NOTICE["en"]}
        publish_notice(study.administrator.actor, study.purpose, both, Change({}, True))
    page = admin.post(address, form | {"substance": "wording", "change_en": "Clearer."})
    assert page.status_code == 302
    newest = Notice.objects.get(version=2)
    assert (newest.substantive, newest.change) == (False, "Clearer.")


def test_no_notice_changes_under_the_reviewers_eyes() -> None:
    made = draft()
    made.assess()
    submit_for_review(made.administrator.actor, made.purpose.id)
    with pytest.raises(InvalidNotice, match="in review"):
        publish_notice(made.administrator.actor, made.purpose, NOTICE, Change({"en": "x"}, True))


# --- renewal -------------------------------------------------------------------------------------


def home(person: Person) -> str:
    return person.browser.get(reverse("subject_home")).content.decode()


def test_a_change_of_wording_asks_nobody() -> None:
    study = open_study()
    person = consenting(study)
    publish(study, substantive=False)
    assert ask_for_renewals() == 0
    assert "has changed in substance" not in home(person)
    page = person.browser.get(reverse("consent_notice", args=[study.purpose.id])).content.decode()
    assert "Only the wording has changed since." in page
    before, _layer, _after = page.partition("Choose again, or renew before it ends")
    assert 'type="checkbox"' not in before


def test_a_change_of_substance_asks_once_by_mark_and_message_and_the_consent_stands() -> None:
    study = open_study()
    person = come_in(study, email="ann@example.net")
    consent(person, study.purpose)
    before = ConsentState.objects.get()
    newest = publish(study, substantive=True)
    assert ask_for_renewals() == 1
    assert ask_for_renewals() == 0
    state = ConsentState.objects.get()
    assert (state.status, state.version) == (ConsentStatus.GIVEN, before.version)
    assert (state.notice_id, state.valid_until) == (before.notice_id, before.valid_until)
    asked = ConsentEvent.objects.get(kind=EventKind.REQUESTED, method="renewal")
    assert asked.notice_id == newest.id
    message = OutboxMessage.objects.get(kind="renewal")
    address, heading, text, _language = open_message(SYSTEM_WORKER, message, Action.MESSAGE_SEND)
    assert (address, heading) == ("ann@example.net", "The notice has changed: Story study")
    assert "Two photographs." in text
    assert reverse("consent_notice", args=[study.purpose.id]) in text

    assert "has changed in substance" in home(person)
    notice = reverse("consent_notice", args=[study.purpose.id])
    page = person.browser.get(notice).content.decode()
    assert "Two photographs." in page
    assert "checked" not in page
    assert reverse("consent_withdraw", args=[study.purpose.id]) in page
    desk = study.administrator.sign_in().get(reverse("operate_purpose", args=[study.purpose.id]))
    assert "1 person consented before the last change of substance" in desk.content.decode()

    consent(person, study.purpose)
    assert ConsentState.objects.get().notice_id == newest.id
    assert "has changed in substance" not in home(person)


def test_who_came_after_the_change_or_withdrew_is_not_asked() -> None:
    study = open_study()
    gone = consenting(study, "P-1")
    gone.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    publish(study, substantive=True)
    consenting(study, "P-2")
    assert ask_for_renewals() == 0
    assert not OutboxMessage.objects.exists()


def test_two_changes_before_the_keeper_looks_ask_once() -> None:
    study = open_study()
    consenting(study)
    publish(study, substantive=True)
    publish(study, substantive=True, summary="Three times.")
    assert ask_for_renewals() == 1
    publish(study, substantive=False, summary="Thrice.")
    assert ask_for_renewals() == 0
