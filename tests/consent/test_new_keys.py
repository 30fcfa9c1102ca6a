"""A key that was made for something dies when that is not filed, whatever went wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError
from django.utils import timezone

from audit_log.entries import Draft
from audit_log.errors import LogUnavailable
from consent.breach_reach import Span
from consent.breach_telling import tell_people
from consent.breach_texts import Words
from consent.breaches import Notification, notify, record_breach, tell
from consent.ending_soon import ask_before_the_end
from consent.models import (
    Breach,
    BreachKind,
    BreachPerson,
    ConsentState,
    ExtensionReason,
    RequestKind,
    RequestOutcome,
    SubjectRequest,
)
from consent.request_answers import Answer, answer, extend, take
from consent.requests import make_request, read_own
from tests.breaches import breach_told
from tests.cast import Person, Study, come_in, consent, open_study
from tests.lost_answers import lose_answers
from vault.models import DataKey

pytestmark = pytest.mark.usefixtures("fresh_db")

Step = Callable[[], object]


def recording(study: Study, person: Person) -> Callable[[], Breach]:
    officer, now = study.officer, timezone.now()
    span = Span(now - timedelta(hours=1), now, study.purpose.id, everybody=True)
    kinds, words = [BreachKind.INTEGRITY], Words("a", "b", "c")
    return lambda: record_breach(
        officer.actor, officer.user, noticed_at=now, kinds=kinds, span=span, words=words
    )


def asking(study: Study, person: Person) -> Step:
    return lambda: make_request(
        person.actor, person.subject, kind=RequestKind.ACCESS, purpose=None, text="Please."
    )


def taken(study: Study, person: Person) -> UUID:
    asked = make_request(person.actor, person.subject, kind=RequestKind.ACCESS, purpose=None)
    take(study.officer.actor, study.officer.user, asked.id)
    return asked.id


def extending(study: Study, person: Person) -> Step:
    asked, officer = taken(study, person), study.officer
    return lambda: extend(officer.actor, officer.user, asked, ExtensionReason.MANY)


def answering(study: Study, person: Person) -> Step:
    asked, officer = taken(study, person), study.officer
    given = Answer(RequestOutcome.DONE, "Here you are.")
    return lambda: answer(officer.actor, officer.user, asked, given)


def deciding_to_tell(study: Study, person: Person) -> Step:
    officer, breach = study.officer, recording(study, person)()
    given = Notification(at=timezone.now(), reference="A-1")
    notify(officer.actor, officer.user, breach.id, given)
    return lambda: tell(officer.actor, officer.user, breach.id, "Sorry.")


def telling(study: Study, person: Person) -> Step:
    breach_told(study)
    assert BreachPerson.objects.update(told_at=None)
    return tell_people


def asking_anew(study: Study, person: Person) -> Step:
    soon = timezone.now() + timedelta(days=3)
    ConsentState.objects.update(valid_until=soon, remind_at=soon - timedelta(days=14))
    return ask_before_the_end


STEPS = [
    (asking, "requests"),
    (extending, "requests"),
    (answering, "requests"),
    (recording, "breaches"),
    (deciding_to_tell, "breaches"),
    (telling, "breach_telling"),
    (asking_anew, "renewals"),
]


def prepared(step: Callable[[Study, Person], Step]) -> tuple[Person, Step]:
    """Somebody who has consented, and the step that is about to be taken."""
    study = open_study()
    person = come_in(study, email="ann@example.net")
    consent(person, study.purpose)
    return person, step(study, person)


@pytest.mark.parametrize(("step", "module"), STEPS)
def test_a_key_of_what_was_not_filed_is_destroyed(
    step: Callable[[Study, Person], Step], module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _person, do = prepared(step)
    before = set(DataKey.objects.filter(destroyed_at=None).values_list("id", flat=True))
    made = DataKey.objects.count()

    def full(*_given: object) -> None:
        raise LogUnavailable("the disk is full")

    monkeypatch.setattr(f"consent.{module}.append", full)
    with pytest.raises(LogUnavailable):
        do()
    assert DataKey.objects.count() > made, "a key was made"
    assert set(DataKey.objects.filter(destroyed_at=None).values_list("id", flat=True)) == before


@pytest.mark.parametrize(("step", "module"), STEPS)
def test_a_key_of_what_may_have_been_filed_lives(
    step: Callable[[Study, Person], Step], module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database committed, and its answer was lost: nobody is told that it is filed, and it is."""
    person, do = prepared(step)
    lose, append = lose_answers(monkeypatch), import_module(f"consent.{module}").append

    def losing(draft: Draft) -> Any:
        appended = append(draft)
        lose()
        return appended

    monkeypatch.setattr(f"consent.{module}.append", losing)
    made = DataKey.objects.count()
    with pytest.raises(OperationalError):
        do()
    assert DataKey.objects.count() > made
    assert not DataKey.objects.exclude(destroyed_at=None).exists()
    for asked in SubjectRequest.objects.exclude(text_sealed=None):
        texts = read_own(person.actor, asked)
        assert texts is not None and texts.text == "Please."
