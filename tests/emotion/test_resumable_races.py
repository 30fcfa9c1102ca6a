"""Requests to one resumable upload at the same time: they never mix."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from emotion import arriving
from emotion.assembling import Assembling
from emotion.models import Recording, Upload
from tests.cast import Study, measured
from tests.emotion.tus_sending import BODY, small_parts, told, tus, while_sending
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
