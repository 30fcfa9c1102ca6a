"""Children: a guardian consents and the child says yes too; each for themself, and neither beforehand."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit_log.sequencer import integrate_once
from consent.errors import InvalidChoice, InvalidPurpose, NotTheSubject, WrongAge
from consent.giving import give_consent
from consent.guardians import child_assents, comes_of_age, guardian_agrees
from consent.models import ConsentEvent, ConsentState, EventKind, Purpose
from consent.notices import Change, publish_notice
from consent.purposes import close_purpose, create_purpose
from consent.retention import expire_consents
from tests.cast import (
    CHILDREN,
    CONTROLLER,
    NOTICE,
    PHOTO,
    PURPOSE,
    Person,
    Study,
    child_says,
    come_in,
    draft,
    given_up,
    guardian_says,
    open_study,
    upload,
)

pytestmark = pytest.mark.usefixtures("fresh_db")
ACTS = ("guardian", "given", "renewed", "re-affirmed", "refused", "withdrawn")


@pytest.fixture
def study() -> Study:
    return open_study(**CHILDREN)


@pytest.fixture
def child(study: Study) -> Person:
    return come_in(study)


def acts() -> list[str]:
    found = ConsentEvent.objects.filter(kind__in=ACTS).order_by("sequence")
    return list(found.values_list("kind", flat=True))


def month(days: float) -> str:
    return (timezone.localdate() + timedelta(days=days)).strftime("%Y-%m")


def taking_part(study: Study, child: Person, **changes: Any) -> ConsentState:
    assert guardian_says(child, study.purpose, **changes).status_code == 302
    assert child_says(child, study.purpose).status_code == 302
    return ConsentState.objects.get(subject=child.subject)


def sent(study: Study) -> int:
    answer = upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes())
    return int(answer.status_code)


def test_the_age_is_asked_and_no_birth_date(study: Study, child: Person) -> None:
    address = reverse("consent_notice", args=[study.purpose.id])
    page = child.browser.get(address).content.decode()
    assert "How old are you?" in page
    assert "I am 14 or older" in page
    assert "checkbox" not in page, "what would be ticked before is asked of nobody yet"
    notice = study.purpose.notices.get().id
    yes = {"decision": "give", "notice": notice, "categories": ["media"]}
    page = child.browser.post(address, yes)
    assert page.status_code == 422
    assert "whether you are old enough" in page.content.decode()
    page = child.browser.post(address, {"notice": notice, "age": "alone"})
    assert page.status_code == 200
    assert "You said that you are 14 or older." in page.content.decode()
    assert page.content.decode().count('type="checkbox"') == 3
    assert "checked" not in page.content.decode()
    assert acts() == []
    assert child.browser.post(address, yes | {"age": "alone"}).status_code == 302
    assert acts() == ["given"]
    assert ConsentEvent.objects.get(kind="given").method == "web"


def test_whoever_is_younger_goes_on_at_once_and_whoever_says_no_is_done(
    study: Study, child: Person
) -> None:
    address = reverse("consent_notice", args=[study.purpose.id])
    notice = str(study.purpose.notices.get().id)
    child.browser.get(address)
    page = child.browser.post(address, {"notice": notice, "age": "younger"})
    assert page.headers["Location"] == reverse("consent_guardian", args=[study.purpose.id])
    page = child.browser.post(address, {"notice": notice, "decision": "refuse"})
    assert page.headers["Location"] == reverse("consent_done", args=[study.purpose.id])
    assert acts() == ["refused"]


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "March 2027"), ("de", "März 2027"), ("es", "marzo de 2027"), ("zh-hans", "2027年3月")],
)
def test_the_month_is_asked_in_words_of_the_page_by_year(
    study: Study, child: Person, language: str, words: str
) -> None:
    child.browser.cookies["django_language"] = language
    with time_machine.travel("2026-11-30", tick=True):
        page = child.browser.get(reverse("consent_guardian", args=[study.purpose.id]))
    months = BeautifulSoup(page.content, "html.parser").select("#of-age optgroup")
    assert [year["label"] for year in months] == [str(year) for year in range(2026, 2034)]
    assert [len(year.select("option")) for year in months] == [2, *[12] * 6, 11]
    chosen = months[1].select_one("option[value='2027-03']")
    assert chosen is not None
    assert chosen.text == words


def test_without_the_childs_yes_there_is_no_consent(study: Study, child: Person) -> None:
    assert guardian_says(child, study.purpose).status_code == 302
    assert ConsentState.objects.get().status == "requested"
    assert sent(study) == 403
    page = child_says(child, study.purpose, tick=False)
    assert page.status_code == 422
    assert "tick the box first" in page.content.decode()
    assert child_says(child, study.purpose, "refuse").status_code == 302
    assert acts() == ["guardian", "refused"]
    assert ConsentEvent.objects.get(kind="refused").method == "assent"
    assert ConsentState.objects.get().status == "refused"
    again = child_says(child, study.purpose)
    assert again.headers["Location"] == reverse("consent_guardian", args=[study.purpose.id])
    assert acts() == ["guardian", "refused"], "a no ends the wait: the guardian is asked anew"


def test_without_the_guardians_yes_the_child_is_not_asked(study: Study, child: Person) -> None:
    address = reverse("consent_assent", args=[study.purpose.id])
    page = child.browser.get(address)
    assert page.headers["Location"] == reverse("consent_guardian", args=[study.purpose.id])
    with pytest.raises(InvalidChoice, match="First your parent or guardian"):
        child_assents(child.actor, child.subject, study.purpose)
    page = guardian_says(child, study.purpose, decision="refuse")
    assert page.headers["Location"] == reverse("consent_done", args=[study.purpose.id])
    assert ConsentEvent.objects.get(kind="refused").method == "guardian"
    with pytest.raises(InvalidChoice):
        child_assents(child.actor, child.subject, study.purpose)


def test_the_guardians_yes_waits_a_day_and_for_this_notice_only(
    study: Study, child: Person
) -> None:
    guardian_says(child, study.purpose)
    with (
        time_machine.travel(timezone.now() + timedelta(hours=25)),
        pytest.raises(InvalidChoice),
    ):
        child_assents(child.actor, child.subject, study.purpose)
    publish_notice(study.administrator.actor, study.purpose, NOTICE, Change({"en": "New."}, True))
    page = child_says(child, study.purpose)
    assert page.status_code == 422
    assert "The privacy notice has changed" in page.content.decode()
    assert acts() == ["guardian"]


def test_the_guardians_yes_does_not_outlast_its_own_end(study: Study) -> None:
    with time_machine.travel("2026-03-31T12:00:00Z", tick=False):
        child = come_in(study)
        guardian_says(child, study.purpose, of_age="2026-03")
        assert acts() == ["guardian"]
    # Within the day that it waits, and past the month's end at which the child comes of age.
    with time_machine.travel("2026-04-01T10:00:00Z", tick=False), pytest.raises(InvalidChoice):
        child_assents(child.actor, child.subject, study.purpose)
    assert acts() == ["guardian"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"responsible": None}, "parental responsibility"),
        ({"of_age": ""}, "choose the month"),
        ({"of_age": "2031-13"}, "choose the month"),
        ({"of_age": "²031-05"}, "choose the month"),
        ({"of_age": "0000-05"}, "choose the month"),
        ({"of_age": "10000-05"}, "choose the month"),
        ({"of_age": lambda: month(-400)}, "says yes alone"),
        ({"of_age": lambda: month(366 * 7 + 40)}, "Children under 7 cannot take part"),
        ({"categories": ["expression"]}, "Without photographs of your face"),
        ({"categories": ["media", "mind"]}, "not part of this purpose"),
        ({"notice": "x"}, "The notice has changed"),
        ({"decision": "maybe"}, "one of the two buttons"),
    ],
)
def test_what_is_no_guardians_consent_is_refused(
    study: Study, child: Person, changes: dict[str, Any], says: str
) -> None:
    now = {name: value() if callable(value) else value for name, value in changes.items()}
    page = guardian_says(child, study.purpose, **now)
    assert page.status_code == 422
    assert says in page.content.decode()
    assert acts() == []


def test_it_ends_when_the_child_comes_of_age_at_the_latest(study: Study, child: Person) -> None:
    soon = month(100)
    state = taking_part(study, child, of_age=soon)
    assert state.valid_until is not None
    end = timezone.localtime(state.valid_until)
    assert end.strftime("%d %H:%M") == "01 00:00"
    assert f"{end - timedelta(seconds=1):%Y-%m}" == soon, "no day is known, so the month is over"
    with time_machine.travel(state.valid_until + timedelta(seconds=1)):
        assert sent(study) == 403
        assert expire_consents() == 1
    late = taking_part(study, come_in(study, "P-002"), of_age=month(700))
    assert late.valid_until is not None
    assert late.valid_until < timezone.now() + timedelta(days=366), "and after its usual time"
    stored = json.dumps(
        list(ConsentEvent.objects.filter(subject=late.subject).values()), default=str
    )
    assert month(700) not in stored, "a month that ends nothing is not kept"


def test_a_guardian_is_told_what_a_new_choice_would_erase(study: Study, child: Person) -> None:
    taking_part(study, child)
    page = guardian_says(child, study.purpose, categories=["media"])
    assert (page.status_code, given_up(page)) == (422, ["expression"])
    assert acts() == ["guardian", "given"]
    back = guardian_says(child, study.purpose, categories=["media"], decision="again")
    assert 'value="media" checked' in back.content.decode()
    told = guardian_says(child, study.purpose, categories=["media"], gives_up="expression")
    assert told.headers["Location"] == reverse("consent_assent", args=[study.purpose.id])
    assert child_says(child, study.purpose).status_code == 302
    assert ConsentState.objects.get().categories == ["media"]


def test_who_has_come_of_age_says_yes_alone(study: Study, child: Person) -> None:
    before = taking_part(study, child, of_age=month(60))
    address = reverse("consent_notice", args=[study.purpose.id])
    yes = {"decision": "give", "notice": study.purpose.notices.get().id, "age": "alone"}
    page = child.browser.post(address, yes | {"categories": ["media", "expression"]})
    assert page.status_code == 302
    after = ConsentState.objects.get()
    assert acts() == ["guardian", "given", "re-affirmed"]
    assert ConsentEvent.objects.latest("sequence").method == "web"
    assert after.valid_until is not None
    assert before.valid_until is not None
    assert after.valid_until > before.valid_until


def test_either_of_the_two_withdraws_on_the_same_page(study: Study, child: Person) -> None:
    taking_part(study, child)
    address = reverse("consent_withdraw", args=[study.purpose.id])
    page = child.browser.get(address).content.decode()
    assert "you can do this yourself, and so can your parent or guardian" in page
    assert child.browser.post(address).status_code == 302
    assert ConsentState.objects.get().status == "withdrawn"
    assert sent(study) == 403


def test_receipts_history_and_start_page_name_the_two_acts(study: Study, child: Person) -> None:
    taking_part(study, child)
    integrate_once()
    event = ConsentEvent.objects.get(kind="given")
    receipt = child.browser.get(reverse("consent_receipt", args=[event.id])).json()
    words = json.dumps(receipt)
    assert '"dpv:hasIndicationMethod": "guardian"' in words
    assert '"dpv:hasIndicationMethod": "assent"' in words
    assert receipt["dct:source"]["dpv:hasEntity"]["_:guardian"] == {
        "@type": ["dpv:GuardianOfDataSubject"]
    }
    proven = b"".join(base64.b64decode(each["entry"]) for each in receipt["entries"])
    assert b"consent:guardian" in proven
    assert b"consent:give" in proven
    kantara = child.browser.get(
        reverse("consent_receipt", args=[event.id]), {"form": "kantara"}
    ).json()
    assert "child's own assent" in kantara["collectionMethod"]
    agreed = ConsentEvent.objects.get(kind=EventKind.GUARDIAN)
    assert child.browser.get(reverse("consent_receipt", args=[agreed.id])).status_code == 404
    history = child.browser.get(reverse("consent_history", args=[study.purpose.id]))
    assert "Your parent or guardian said yes" in history.content.decode()
    home = child.browser.get(reverse("subject_home")).content.decode()
    assert "Your parent or guardian and you both said yes" in home


def test_nobody_else_acts_for_a_child(study: Study, child: Person) -> None:
    notice = study.purpose.notices.get()
    end = timezone.now() + timedelta(days=90)
    for actor in (study.administrator.actor, study.researcher.actor):
        with pytest.raises(NotTheSubject):
            guardian_agrees(
                actor, child.subject, notice, ["media"], responsible=True, of_age_at=end
            )
        with pytest.raises(NotTheSubject):
            child_assents(actor, child.subject, study.purpose)
    desk = study.administrator.sign_in()
    for name in ("consent_guardian", "consent_assent"):
        address = reverse(name, args=[study.purpose.id])
        assert desk.get(address).status_code == 404
        assert Client().get(address).status_code == 302
    assert acts() == []


def test_a_closed_purpose_takes_no_child(study: Study, child: Person) -> None:
    guardian_says(child, study.purpose)
    close_purpose(study.officer.actor, study.purpose.id)
    page = child_says(child, study.purpose)
    assert page.status_code == 422
    assert "not open" in page.content.decode()
    assert acts() == ["guardian"]


def test_where_no_children_take_part_a_guardian_is_not_asked() -> None:
    plain = open_study()
    person = come_in(plain)
    for name in ("consent_guardian", "consent_assent"):
        assert person.browser.get(reverse(name, args=[plain.purpose.id])).status_code == 404
    with pytest.raises(WrongAge):
        give_consent(
            person.actor, person.subject, plain.purpose.notices.get(), ["media"], of_age=False
        )
    with pytest.raises(WrongAge):
        guardian_agrees(
            person.actor,
            person.subject,
            plain.purpose.notices.get(),
            ["media"],
            responsible=True,
            of_age_at=timezone.now() + timedelta(days=90),
        )
    assert acts() == []


def test_the_purpose_says_it_in_a_childs_words_and_the_notice_keeps_them() -> None:
    author = draft().administrator
    with pytest.raises(InvalidPurpose, match="in a child's words"):
        create_purpose(
            author.actor,
            author.user,
            controllers=[CONTROLLER],
            **(PURPOSE | CHILDREN | {"child_words": " "}),
        )
    study = open_study(**CHILDREN)
    glance = dict(study.purpose.notices.get().pages["en"]["glance"])
    assert glance["For the child"] == CHILDREN["child_words"]
    assert "from 7 on" in glance["Age"]
    assert not Purpose.objects.get(pk=open_study().purpose.pk).guardian_allowed


def test_a_guardian_says_yes_until_the_month_of_the_birthday_is_over(study: Study) -> None:
    """On 2 March a child whose birthday is late in March is not old enough to say yes alone."""
    with time_machine.travel("2026-03-02T12:00:00Z", tick=True):
        child = come_in(study)
        page = child.browser.get(reverse("consent_guardian", args=[study.purpose.id]))
        assert '<option value="2026-03">' in page.content.decode()
        state = taking_part(study, child, of_age="2026-03")
    assert state.valid_until is not None
    assert timezone.localtime(state.valid_until).strftime("%Y-%m-%d %H:%M") == "2026-04-01 00:00"


def test_the_month_counts_from_the_day_it_begins(study: Study) -> None:
    with time_machine.travel("2026-03-31T23:59:59Z", tick=False):
        at = comes_of_age(study.purpose, 2026, 4)
        assert (at.year, at.month, at.day) == (2026, 5, 1)
        assert comes_of_age(study.purpose, 2026, 12).year == 2027
        with pytest.raises(WrongAge, match="before this month"):
            comes_of_age(study.purpose, 2026, 2)
        assert comes_of_age(study.purpose, 2033, 3)
        with pytest.raises(WrongAge):
            comes_of_age(study.purpose, 2033, 4)
