"""Requests to one resumable upload at the same time: they never mix."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from emotion import arriving
from emotion.assembling import Assembling
from emotion.models import Recording, Upload, UploadPart
from emotion.reservations import sweep_orphans
from emotion.sealed_media import blob_path
from tests.cast import Person, Study, measured
from tests.emotion.stored import stored_bytes
from tests.emotion.tus_sending import BODY, small_parts, told, tus, while_sending
from tests.faults.leftovers import living_keys, sealed_files
from tests.lost_answers import lose_answers
from tests.tus import Tus

pytestmark = pytest.mark.usefixtures("fresh_db")
__all__ = ["small_parts", "tus"]  # fixtures


def test_two_requests_at_once_never_mix(
    study: Study, tus: Tus, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = tus.begin(study.purpose.id, len(BODY))
    answers: list[Any] = []
    while_sending(monkeypatch, lambda: answers.append(tus.patch(address, 0, bytes(len(BODY)))))
    assert tus.patch(address, 0, BODY).status_code == 204
    assert told(answers[0]) == (423, "upload-held")
    measured()


def test_who_was_displaced_writes_nothing_more(
    study: Study, tus: Tus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that is dead and does not know it: its bytes come late, and are not taken."""
    address = tus.begin(study.purpose.id, len(BODY))
    answers: list[Any] = []

    def displace() -> None:
        silent = timezone.now() - arriving.SILENT_AT_MOST - timedelta(seconds=1)
        Upload.objects.update(heard_at=silent)
        answers.append(tus.patch(address, 0, BODY[:30_000]))

    while_sending(monkeypatch, displace)
    assert told(tus.patch(address, 0, BODY)) == (423, "upload-held")
    assert answers[0].status_code == 204
    assert tus.offset(address) == 30_000
    assert tus.patch(address, 30_000, BODY[30_000:]).status_code == 204
    measured()


def test_who_was_displaced_before_the_joining_destroys_nothing(
    study: Study, tus: Tus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key that stands in the row is that of the finished recording by then."""
    address = tus.begin(study.purpose.id, len(BODY))
    join, answers = Assembling.__init__, list[Any]()

    def late(joining: Assembling, request: arriving.Arriving, markers: bytes) -> None:
        if not answers:
            silent = timezone.now() - arriving.SILENT_AT_MOST - timedelta(seconds=1)
            Upload.objects.update(heard_at=silent)
            answers.append(reached := tus.offset(address))
            answers.append(tus.patch(address, reached, BODY[reached:]))
        join(joining, request, markers)

    monkeypatch.setattr(Assembling, "__init__", late)
    assert told(tus.patch(address, 0, BODY)) == (423, "upload-held")
    assert answers[1].status_code == 204
    assert Recording.objects.count() == 1
    measured()


@pytest.mark.parametrize("committed", [True, False])
def test_an_end_whose_fate_nobody_knows_destroys_nothing(
    study: Study, person: Person, tus: Tus, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    """Committed, it is the recording's key and file; not committed, the next request removes them."""
    address = tus.begin(study.purpose.id, len(BODY))
    lose, mark = lose_answers(monkeypatch), Assembling.mark_stored
    lost = list[bool]()

    def losing(joining: Assembling) -> None:
        mark(joining)
        if not lost:
            lost.append(True)
            if not committed:
                raise OperationalError("server closed the connection unexpectedly")
            lose()

    monkeypatch.setattr(Assembling, "mark_stored", losing)
    assert tus.patch(address, 0, BODY).status_code == 503
    assert Recording.objects.exists() == committed
    if not committed:
        reached = tus.offset(address)
        assert tus.patch(address, reached, BODY[reached:]).status_code == 204
    assert tus.offset(address) == len(BODY)
    recording = Recording.objects.get()
    assert blob_path(recording.media_key_id).exists()
    sweep_orphans()
    assert len(living_keys(person.subject)) == 1
    assert len(sealed_files()) == 1
    measured()


def test_parts_that_may_have_been_named_keep_their_files(
    study: Study, tus: Tus, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = tus.begin(study.purpose.id, len(BODY))
    lose, name, lost = lose_answers(monkeypatch), arriving.Arriving.name, list[bool]()

    def losing(request: arriving.Arriving, parts: list[UploadPart]) -> None:
        if not lost:
            lost.append(True)
            lose()
        name(request, parts)

    monkeypatch.setattr(arriving.Arriving, "name", losing)
    assert tus.patch(address, 0, BODY).status_code == 503
    reached = tus.offset(address)
    assert reached > 0, "they were named"
    assert tus.patch(address, reached, BODY[reached:]).status_code == 204
    assert stored_bytes(Recording.objects.get()) == BODY
