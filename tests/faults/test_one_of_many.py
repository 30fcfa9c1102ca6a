"""What cannot be done for one person is done for everybody else, and told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from audit_log.errors import LogUnavailable
from consent.breach_telling import tell_people
from consent.ending_soon import ask_before_the_end
from consent.models import (
    BreachPerson,
    ConsentEvent,
    ConsentState,
    ErasureRequest,
    Purpose,
    PurposeState,
)
from consent.notifications import BEFORE_THE_END
from consent.retention import end_purposes, expire_consents
from consent.row_by_row import do_each
from consent.withdrawals import withdraw
from emotion.disputes import dispute, erase_unanswered
from emotion.erasure import drain
from emotion.faults import in_a_line
from emotion.models import Recording
from emotion.sealed_media import blob_path
from emotion.sweeping import expire_recordings
from emotion.unused import give_up_unused
from tests.breaches import breach_told
from tests.cast import PHOTO, Person, Study, analysed, consenting, upload
from vault.models import TagKey

pytestmark = pytest.mark.usefixtures("fresh_db")

Chore = Callable[[], int]


@pytest.fixture
def people(study: Study) -> list[Person]:
    return [consenting(study, reference) for reference in ("P-001", "P-002")]


def sent(study: Study, people: list[Person]) -> list[Recording]:
    """A recording of each."""
    for each in people:
        answer = upload(study.key(), each.reference, study.purpose.id, PHOTO.read_bytes())
        assert answer.status_code == 202, answer.content
    return list(Recording.objects.order_by("created_at"))


def test_a_file_that_cannot_be_removed_stops_nobody_elses_erasure(
    study: Study, people: list[Person]
) -> None:
    media = [analysed(study, each.reference).recording.media_key_id for each in people]
    obstacle = blob_path(media[0])
    obstacle.mkdir(parents=True)
    asked = [withdraw(each.actor, each.subject, study.purpose) for each in people]
    with pytest.raises(ExceptionGroup) as failed:
        drain()
    assert in_a_line(failed.value).startswith("1 failed: [Errno 21] Is a directory")
    for request in asked:
        request.refresh_from_db()
    assert [request.rows_removed_at is not None for request in asked] == [False, True]
    obstacle.rmdir()
    assert drain() == 1
    assert not ErasureRequest.objects.filter(rows_removed_at=None).exists()


def consents_ending(study: Study, people: list[Person]) -> tuple[Chore, timedelta]:
    return expire_consents, timedelta(days=3000)


def purposes_ending(study: Study, people: list[Person]) -> tuple[Chore, timedelta]:
    Purpose.objects.update(state=PurposeState.CLOSED, ends_at=timezone.now() + timedelta(days=9))
    return end_purposes, timedelta(days=10)


def people_unused(study: Study, people: list[Person]) -> tuple[Chore, timedelta]:
    return give_up_unused, timedelta(days=1100)


def recordings_expiring(study: Study, people: list[Person]) -> tuple[Chore, timedelta]:
    sent(study, people)
    return expire_recordings, timedelta(days=40)


def disputes_unanswered(study: Study, people: list[Person]) -> tuple[Chore, timedelta]:
    for person, recording in zip(people, sent(study, people), strict=True):
        dispute(person.actor, recording.id)
    return erase_unanswered, timedelta(days=15)


@pytest.mark.parametrize("unlucky", [0, 1])
@pytest.mark.parametrize(
    "prepare",
    [consents_ending, purposes_ending, people_unused, recordings_expiring, disputes_unanswered],
)
def test_a_tag_key_that_cannot_be_opened_stops_nobody_elses_end(
    study: Study,
    people: list[Person],
    prepare: Callable[[Study, list[Person]], tuple[Chore, timedelta]],
    unlucky: int,
) -> None:
    chore, later = prepare(study, people)
    lose_tags(people[unlucky], study.purpose)
    with time_machine.travel(timezone.now() + later), pytest.raises(ExceptionGroup):
        chore()
    filed = set(ErasureRequest.objects.values_list("subject_id", flat=True))
    assert filed == {people[1 - unlucky].subject.id}


@pytest.mark.parametrize("unlucky", [0, 1])
def test_nor_that_anybody_else_is_asked_before_the_end(
    study: Study, people: list[Person], unlucky: int
) -> None:
    soon = timezone.now() + timedelta(days=3)
    ConsentState.objects.update(valid_until=soon, remind_at=soon - timedelta(days=14))
    lose_tags(people[unlucky], study.purpose)
    with pytest.raises(ExceptionGroup):
        ask_before_the_end()
    asked = ConsentEvent.objects.filter(method=BEFORE_THE_END)
    assert {each.subject_id for each in asked} == {people[1 - unlucky].subject.id}


@pytest.mark.parametrize("unlucky", [0, 1])
def test_nor_that_anybody_else_is_told_of_a_breach(
    study: Study, people: list[Person], unlucky: int
) -> None:
    breach_told(study)
    BreachPerson.objects.update(told_at=None)
    lose_tags(people[unlucky], None)
    with pytest.raises(ExceptionGroup):
        tell_people()
    told = BreachPerson.objects.exclude(told_at=None)
    assert {each.subject_id for each in told} == {people[1 - unlucky].subject.id}


def lose_tags(person: Person, purpose: Purpose | None) -> None:
    """The stored bytes of a tag key are damaged."""
    rows = TagKey.objects.filter(subject_id=person.subject.id, purpose_id=purpose and purpose.id)
    assert rows.update(wrapped=bytes(60)) == 1


def test_trouble_of_everybody_is_told_at_once() -> None:
    """A database that is away is away for the next row too, which would only wait for it again."""
    tried = []

    def act(row: int) -> None:
        tried.append(row)
        raise LogUnavailable("the disk is full") if row == 2 else ValueError(row)

    with pytest.raises(LogUnavailable):
        do_each([1, 2, 3], act)
    assert tried == [1, 2]
    with pytest.raises(ExceptionGroup) as failed:
        do_each([1, 3, 5], act)
    assert in_a_line(failed.value) == "3 failed: ValueError"
