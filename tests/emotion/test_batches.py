"""Many photographs in one request: each stands and falls alone, and sent again it makes no doubles."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Scope
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.withdrawals import withdraw
from emotion.models import Analysis, Recording, Upload
from tests.at_once import at_once
from tests.cast import PHOTO, Person, Study, consenting, open_study, upload
from tests.faults.leftovers import living_keys, sealed_files
from tests.processes import make_broker_folders

pytestmark = pytest.mark.usefixtures("fresh_db")
BOUNDARY = "xyz"


@pytest.fixture
def study() -> Study:
    make_broker_folders()
    return open_study()


@pytest.fixture
def people(study: Study) -> list[Person]:
    return [consenting(study, f"P-{number}") for number in (1, 2)]


def field(name: str, value: str) -> bytes:
    return part(f'name="{name}"', value.encode())


def part(head: str, body: bytes) -> bytes:
    return (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + body + b"\r\n"
    )


def group(subject: str, body: bytes | None = None, **more: str) -> bytes:
    """One person's fields and their file."""
    fields = b"".join(field(name, value) for name, value in {"subject": subject, **more}.items())
    photo = PHOTO.read_bytes() if body is None else body
    return fields + part('name="file"; filename="a.jpg"', photo)


def send(study: Study, key: str, *groups: bytes, name: str = "batch-1", end: bool = True) -> Any:
    body = field("purpose", str(study.purpose.id)) + b"".join(groups)
    return Client().post(
        reverse("api_recordings_batch"),
        data=body + (f"--{BOUNDARY}--\r\n".encode() if end else b""),
        content_type=f"multipart/form-data; boundary={BOUNDARY}",
        headers={"Authorization": f"Bearer {key}", "Idempotency-Key": name},
    )


def told(answer: Any) -> list[tuple[int, str]]:
    """Status, and the code of a problem, of each file."""
    assert answer.status_code == 200, answer.content
    return [
        (each["status"], (each["problem"] or {}).get("code", ""))
        for each in answer.json()["results"]
    ]


def test_each_file_is_answered_for_itself(study: Study, people: list[Person]) -> None:
    withdraw(people[1].actor, people[1].subject, study.purpose)
    before, key = sealed_files(), study.key(Scope.RECORDINGS_UPLOAD)
    answer = send(
        study, key, group("P-1"), group("P-2"), group("P-404"), group("P-1", b"GIF89a no photograph"),
        group("P-1", b""), group("P-1", PHOTO.read_bytes()[:-2000] + bytes(2000)),
    )  # fmt: skip
    told_of = told(answer)
    assert told_of[:3] == [(202, ""), (403, "consent-withdrawn"), (404, "not-found")], told_of
    assert told_of[3:] == [
        (415, "media-type-not-supported"),
        (422, "media-empty"),
        (422, "media-truncated"),
    ]
    taken = [each["recording"]["id"] for each in answer.json()["results"] if each["recording"]]
    assert {str(row.id) for row in Recording.objects.all()} == set(taken)
    assert Analysis.objects.filter(state="queued").count() == len(taken)
    assert Upload.objects.count() == len(sealed_files() - before) == len(taken)
    integrate_once()
    entries = LogEntry.objects.filter(action="media:upload").values_list("outcome", flat=True)
    assert sorted(entries) == ["ok"] * len(taken) + ["refused"]


def test_sent_again_it_makes_no_doubles(study: Study, people: list[Person]) -> None:
    key = study.key()
    groups = [group("P-1"), group("P-2"), group("P-1", key="frame-1"), group("P-2", key="frame-2")]
    first = send(study, key, *groups)
    assert told(first) == [(202, "")] * 4
    assert Recording.objects.count() == 4
    again = send(study, key, *groups)
    ids = [[each["recording"]["id"] for each in sent.json()["results"]] for sent in (first, again)]
    assert ids[0] == ids[1]
    # A file's own key is the key of a single upload, whatever batch it comes in.
    alone = upload(key, "P-1", study.purpose.id, PHOTO.read_bytes(), "frame-1")
    assert alone.json()["id"] == ids[0][2]
    moved = send(study, key, group("P-2", key="frame-2"), name="batch-2")
    assert moved.json()["results"][0]["recording"]["id"] == ids[0][3]
    other = send(study, key, group("P-2", b"\xff\xd8 another", key="frame-2"), name="batch-2")
    assert told(other) == [(422, "idempotency-mismatch")]
    assert Recording.objects.count() == 4


def test_what_came_whole_before_it_broke_off_stays(study: Study, people: list[Person]) -> None:
    key, half = study.key(), group("P-2")[:-5000]
    broken = send(study, key, group("P-1"), half, end=False)
    assert (broken.status_code, broken.json()["code"]) == (400, "upload-invalid")
    kept = Recording.objects.get()
    assert Upload.objects.count() == 1
    assert len(living_keys(people[1].subject)) == 0
    whole = send(study, key, group("P-1"), group("P-2"))
    assert told(whole) == [(202, "")] * 2
    assert whole.json()["results"][0]["recording"]["id"] == str(kept.id)
    assert Recording.objects.count() == 2


def test_too_many_files_lose_none_of_the_others(
    study: Study, people: list[Person], settings: Any
) -> None:
    settings.BATCH_MAX = 2
    answer = send(study, study.key(), *[group("P-1")] * 5)
    assert told(answer) == [(202, ""), (202, ""), (413, "batch-too-long")]
    assert Recording.objects.count() == 2


def test_a_long_queue_takes_no_more_files(
    study: Study, people: list[Person], settings: Any
) -> None:
    """The files of one batch fill it, too; each that came in time stays."""
    settings.QUEUE_AT_MOST = 1
    key = study.key()
    answer = send(study, key, *[group("P-1")] * 4)
    assert told(answer) == [(202, ""), (202, ""), (503, "queue-full"), (503, "queue-full")]
    assert Upload.objects.count() == Recording.objects.count() == 2
    refused = send(study, key, group("P-1"), name="batch-2")
    assert (refused.status_code, refused.json()["code"]) == (503, "queue-full")
    assert refused["Retry-After"] == "60"


def test_what_is_no_batch_is_told_and_not_repeated(study: Study, people: list[Person]) -> None:
    key = study.key()
    for groups in (
        [],
        [field("subject", "Typed-Name-77")],
        [part('name="Typed-Name-77"; filename="Typed-Name-77"', b"x")],
        [field("subject", "x" * 2000)],
        [part('name="subject"', b"\xff")],
    ):
        answer = send(study, key, *groups)
        assert (answer.status_code, answer.json()["code"]) == (400, "upload-invalid"), groups
        assert b"Typed-Name" not in answer.content
    assert send(study, key, group("P-1"), name="").status_code == 400
    long = send(study, key, group("P-1", key="x" * 129), group("P-1"))
    assert told(long) == [(400, "upload-invalid"), (202, "")]
    other = open_study()
    assert told(send(other, key, group("P-1"))) == [(404, "not-found")]
    assert Recording.objects.count() == 1


def test_the_same_batch_twice_at_once_makes_no_doubles(study: Study, people: list[Person]) -> None:
    key = study.key()
    answers: list[Any] = []
    at_once(*[lambda: answers.append(send(study, key, group("P-1"), group("P-2")))] * 2)
    assert {each for answer in answers for each in told(answer)} <= {
        (202, ""), (409, "idempotency-in-progress"),
    }  # fmt: skip
    assert Recording.objects.count() == 2
    assert told(send(study, key, group("P-1"), group("P-2"))) == [(202, "")] * 2
    assert Recording.objects.count() == 2
