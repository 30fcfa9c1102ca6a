"""Resumable uploads: what arrives is what was sent, or nothing, and nothing of it is left."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from emotion import assembling
from emotion.given_up import end_expired
from emotion.models import PartialUpload, Recording, Upload, UploadPart
from emotion.reservations import sweep_orphans
from emotion.sealed_media import part_path
from tests.cast import Person, Study, consenting, measured, upload
from tests.emotion.tus_sending import BODY, HALF, actions, small_parts, told, tus
from tests.faults.leftovers import NOTHING, living_keys, rows, sealed_files
from tests.tus import Tus, checksum, encoded

pytestmark = pytest.mark.usefixtures("fresh_db")
__all__ = ["small_parts", "tus"]  # fixtures


def test_in_three_requests(study: Study, person: Person, tus: Tus) -> None:
    created = tus.create(study.purpose.id, len(BODY), filename="Ann.jpg")
    assert (created.status_code, created.content) == (201, b"")
    address = created.headers["Location"]
    assert created.headers["Upload-Offset"] == "0"
    assert created.headers["Upload-Expires"].endswith(" GMT")
    for start, end in ((0, 30_000), (30_000, 30_001), (30_001, 70_000)):
        answer = tus.patch(address, start, BODY[start:end])
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(end))
        assert "Recording-Location" not in answer.headers
        assert tus.offset(address) == end
    assert not Recording.objects.exists()
    done = tus.patch(address, 70_000, BODY[70_000:])
    assert (done.status_code, done.headers["Upload-Offset"]) == (204, str(len(BODY)))
    recording = Recording.objects.get()
    assert done.headers["Recording-Location"].endswith(
        reverse("api_recording", args=[recording.id])
    )
    head = tus.head(address)
    assert head.headers["Recording-Location"] == done.headers["Recording-Location"]
    assert head.headers["Upload-Offset"] == head.headers["Upload-Length"] == str(len(BODY))
    assert "Upload-Metadata" not in head.headers, "it names a person"
    assert head.headers["Cache-Control"] == "no-store"
    assert rows() == NOTHING | {"Upload": 1, "Recording": 1, "Analysis": 1}
    assert not PartialUpload.objects.exists()
    assert not UploadPart.objects.exists()
    assert len(living_keys(person.subject)) == 1, "the key of the parts is destroyed"
    assert actions() == [
        "upload:begin", "upload:part", "upload:part", "upload:part", "upload:assemble", "media:upload",
    ]  # fmt: skip
    measured()


def test_the_first_bytes_may_come_with_the_beginning(study: Study, tus: Tus) -> None:
    created = tus.create(study.purpose.id, len(BODY), body=BODY[:50_000])
    assert (created.status_code, created.headers["Upload-Offset"]) == (201, "50000")
    address = created.headers["Location"]
    assert tus.patch(address, 50_000, BODY[50_000:]).status_code == 204
    whole = tus.create(study.purpose.id, len(BODY), body=BODY)
    assert (whole.status_code, whole.headers["Upload-Offset"]) == (201, str(len(BODY)))
    assert "Recording-Location" in whole.headers
    assert Recording.objects.count() == 2


def test_a_beginning_whose_bytes_are_refused_leaves_nothing_that_nobody_can_find(
    study: Study, person: Person, tus: Tus
) -> None:
    """Its sender has not heard the address; with a key it can be found, and goes on."""
    before, wrong = sealed_files(), {"Upload-Checksum": checksum(BODY + b".")}
    refused = tus.create(study.purpose.id, len(BODY), body=BODY, headers=wrong)
    assert told(refused) == (460, "checksum-mismatch")
    for headers in (wrong | {"Upload-Checksum": "md5 AAAA"}, {"Upload-Length": "9"}):
        answer = tus.create(study.purpose.id, len(BODY), body=BODY, headers=headers)
        assert answer.status_code in {400, 413}, answer.content
    assert told(tus.create(study.purpose.id, 9, body=b"<!DOCTYPE")) == (
        415, "media-type-not-supported",
    )  # fmt: skip
    assert (rows(), sealed_files()) == (NOTHING, before)
    assert not living_keys(person.subject)
    named = {"Idempotency-Key": "film-1"}
    assert (
        tus.create(study.purpose.id, len(BODY), body=BODY, headers=wrong | named).status_code == 460
    )
    assert tus.create(study.purpose.id, len(BODY), headers=named).headers["Upload-Offset"] == "0"
    assert Upload.objects.count() == 1


def test_the_same_key_finds_the_same_upload(study: Study, tus: Tus) -> None:
    same = {"headers": {"Idempotency-Key": "film-1"}}
    address = tus.begin(study.purpose.id, len(BODY), **same)
    tus.patch(address, 0, BODY[:100])
    again = tus.create(study.purpose.id, len(BODY), **same)
    assert (again.status_code, again.headers["Location"]) == (201, address)
    assert again.headers["Upload-Offset"] == "100"
    by_metadata = {"Upload-Metadata": encoded(
        subject="P-001", purpose=str(study.purpose.id), **{"idempotency-key": "film-1"}
    )}  # fmt: skip
    assert (
        tus.create(study.purpose.id, len(BODY), headers=by_metadata).headers["Location"] == address
    )
    assert told(tus.create(study.purpose.id, 99, **same)) == (422, "idempotency-mismatch")
    marked = tus.create(study.purpose.id, len(BODY), markers='{"marks": []}', **same)
    assert told(marked) == (422, "idempotency-mismatch")
    key = tus.browser.defaults["HTTP_AUTHORIZATION"].split()[1]
    plain = upload(key, "P-001", study.purpose.id, BODY, "film-1")
    assert (plain.status_code, plain.json()["code"]) == (409, "idempotency-in-progress")
    tus.patch(address, 100, BODY[100:])
    stored = tus.create(study.purpose.id, len(BODY), **same)
    assert (stored.status_code, stored.headers["Location"]) == (201, address)
    assert stored.headers["Upload-Offset"] == str(len(BODY))
    assert upload(key, "P-001", study.purpose.id, BODY, "film-1").status_code == 202
    other = upload(key, "P-001", study.purpose.id, BODY + b".", "film-1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-mismatch")
    assert Recording.objects.count() == 1


def test_the_same_key_never_finds_the_recording_of_another_beginning(
    study: Study, tus: Tus
) -> None:
    """Also when it was stored long ago: another person, other markers, other bytes of the same length."""
    consenting(study, "P-002")
    same = {"headers": {"Idempotency-Key": "film-1"}}
    address = tus.create(study.purpose.id, len(BODY), body=BODY, **same).headers["Location"]
    changed = BODY[:-1] + bytes([BODY[-1] ^ 1])
    for other in (
        {"subject": "P-002"},
        {"subject": "P-002", "body": BODY},
        {"markers": '{"marks": []}'},
        {"body": changed},
    ):
        assert told(tus.create(study.purpose.id, len(BODY), **same, **other)) == (
            422, "idempotency-mismatch",
        )  # fmt: skip
    for again in ({}, {"body": BODY}, {"body": BODY[:HALF]}):
        found = tus.create(study.purpose.id, len(BODY), **same, **again)
        assert (found.status_code, found.headers["Location"]) == (201, address)
        assert "Recording-Location" in found.headers
    assert len(bytes(Upload.objects.get().beginning or b"")) == 32, "nothing of it can be read"
    key = tus.browser.defaults["HTTP_AUTHORIZATION"].split()[1]
    assert upload(key, "P-001", study.purpose.id, BODY, "frame-1").status_code == 202
    whole = {"headers": {"Idempotency-Key": "frame-1"}}
    assert tus.create(study.purpose.id, len(BODY), **whole).status_code == 201
    assert told(tus.create(study.purpose.id, len(BODY), "P-002", **whole)) == (
        422, "idempotency-mismatch",
    )  # fmt: skip
    assert Recording.objects.count() == 2


def test_a_sender_may_leave_so_many_unfinished(study: Study, tus: Tus, settings: Any) -> None:
    settings.UPLOADS_UNFINISHED = 2
    first = tus.begin(study.purpose.id, len(BODY))
    tus.begin(study.purpose.id, len(BODY))
    refused = tus.create(study.purpose.id, len(BODY))
    assert told(refused) == (429, "too-many-uploads")
    assert int(refused.headers["Retry-After"]) > 0
    tus.patch(first, 0, BODY)
    tus.begin(study.purpose.id, len(BODY))


def test_what_is_no_photograph_ends_the_upload(study: Study, person: Person, tus: Tus) -> None:
    """At its first bytes where they tell, else when it is whole; either way nothing is left."""
    before = sealed_files()
    address = tus.begin(study.purpose.id, 90_000)
    assert told(tus.patch(address, 0, b"<html>" * 15_000)) == (415, "media-type-not-supported")
    assert tus.head(address).status_code == 404
    cut = BODY[:HALF]
    address = tus.begin(study.purpose.id, len(cut))
    assert tus.patch(address, 0, cut[:10]).status_code == 204
    assert told(tus.patch(address, 10, cut[10:])) == (422, "media-truncated")
    marked = tus.begin(study.purpose.id, len(BODY), markers='{"marks": []}')
    assert told(tus.patch(marked, 0, BODY)) == (400, "upload-invalid")
    assert (rows(), sealed_files()) == (NOTHING, before)
    assert not living_keys(person.subject)
    assert actions()[-1] == "upload:end"


def test_a_part_in_another_place_does_not_open(study: Study, person: Person, tus: Tus) -> None:
    """Whoever can write to the database changes the order of what came: nothing is stored."""
    address = tus.begin(study.purpose.id, len(BODY))
    tus.patch(address, 0, BODY[:20_000])
    tus.patch(address, 20_000, BODY[20_000:40_000])
    one, two = UploadPart.objects.order_by("number")
    for part, number in ((one, 9), (two, 1), (one, 2)):
        UploadPart.objects.filter(pk=part.pk).update(number=number)
    tus.browser.raise_request_exception = False
    assert tus.patch(address, 40_000, BODY[40_000:]).status_code == 500
    assert not Recording.objects.exists()


def test_its_sender_ends_it_and_nothing_is_left(study: Study, person: Person, tus: Tus) -> None:
    before = sealed_files()
    address = tus.begin(study.purpose.id, len(BODY))
    tus.patch(address, 0, BODY[:50_000])
    assert sealed_files() - before
    assert tus.delete(address).status_code == 204
    assert (rows(), sealed_files()) == (NOTHING, before)
    assert not living_keys(person.subject)
    assert tus.head(address).status_code == 404
    assert tus.delete(address).status_code == 404
    assert actions()[-1] == "upload:end"
    done = tus.create(study.purpose.id, len(BODY), body=BODY).headers["Location"]
    assert told(tus.delete(done)) == (409, "upload-stored")
    assert Recording.objects.count() == 1


def test_what_is_not_finished_in_time_goes(study: Study, person: Person, tus: Tus) -> None:
    before = sealed_files()
    address = tus.begin(study.purpose.id, len(BODY))
    tus.patch(address, 0, BODY[:50_000])
    with time_machine.travel(timezone.now() + timedelta(hours=23)):
        assert (end_expired(), sweep_orphans()) == (0, 0)
        assert tus.offset(address) == 50_000
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        assert told(tus.patch(address, 50_000, BODY[50_000:])) == (410, "upload-expired")
        assert end_expired() == 1
        assert tus.head(address).status_code == 404
    assert (rows(), sealed_files()) == (NOTHING, before)
    assert not living_keys(person.subject)
    assert actions()[-1] == "upload:end"


def test_a_process_that_died_after_storing_leaves_parts_to_the_keeper(
    study: Study, person: Person, tus: Tus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assembling, "clear_parts", lambda upload: None)
    address = tus.begin(study.purpose.id, len(BODY))
    tus.patch(address, 0, BODY[:50_000])
    row = Upload.objects.get()
    part = UploadPart.objects.first()
    assert part is not None
    assert row.parts_key_id is not None
    file = part_path(row.parts_key_id, part.id)
    assert tus.patch(address, 50_000, BODY[50_000:]).status_code == 204
    assert file.exists()
    assert len(living_keys(person.subject)) == 2
    assert sweep_orphans() == 1
    assert sweep_orphans() == 0
    assert not file.exists()
    assert len(living_keys(person.subject)) == 1
    measured()
