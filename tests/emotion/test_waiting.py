"""Waiting for an analysis: how long, by how many, and at what cost for everybody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from audit_log.models import LogEntry, PendingEntry
from emotion import waiting
from emotion.models import Analysis
from emotion.waiting import LONGEST, look_again_in, wait_wanted
from tests.cast import PHOTO, Study, api_get, consenting, open_study, upload
from tests.processes import make_broker_folders, wait_for

SOON = 6
"""Seconds that a busy machine may take for what does not wait: fewer than the ten of whoever does."""


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("", 0), ("wait=5", 5), ("Wait = 5", 5), ('wait="5"', 5), ("wait=60", LONGEST),
        ("respond-async, wait=3", 3), ("wait=3; unit=s, wait=9", 3), ("wait", 0), ("wait=-1", 0),
        ("wait=1.5", 0), ("wait=٣", 0), ("wait=9999999999", 0), ("handling=lenient; wait=3", 0),
        ("waiting=3", 0), ("wait=0", 0), (",,wait=2,", 2), ("wait=x, wait=4", 0),
    ],
)  # fmt: skip
def test_what_is_asked_for_is_understood(prefer: str, seconds: int) -> None:
    assert wait_wanted(prefer) == seconds


@given(st.text(max_size=60))
def test_no_header_breaks_it(prefer: str) -> None:
    assert 0 <= wait_wanted(prefer) <= LONGEST


def test_when_to_look_again() -> None:
    now = timezone.now()
    row = Analysis(queued_at=now)
    assert look_again_in(row, now) == 1
    row.queued_at = now - timedelta(seconds=40)
    assert look_again_in(row, now) == 10
    row.queued_at = now - timedelta(hours=2)
    assert look_again_in(row, now) == 60
    row.expected_at = now + timedelta(seconds=12.2)
    assert look_again_in(row, now) == 13
    row.expected_at = now - timedelta(seconds=12)
    assert look_again_in(row, now) == 1


@pytest.fixture
def study(fresh_db: None) -> Study:
    make_broker_folders()
    made = open_study()
    consenting(made)
    return made


@pytest.fixture
def row(study: Study) -> Analysis:
    answer = upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes())
    return Analysis.objects.get(pk=answer.json()["analyses"][0]["id"])


class Asked(threading.Thread):
    """One client that waits: its answer, and after how many seconds it came."""

    def __init__(self, key: str, row: Analysis, prefer: str) -> None:
        super().__init__()
        self.key, self.row, self.prefer = key, row, prefer
        self.answer: Any = None
        self.start()

    def run(self) -> None:
        began = time.monotonic()
        self.answer = api_get(self.key, "api_analysis", self.row.id, Prefer=self.prefer)
        self.seconds = time.monotonic() - began
        connections.close_all()


@contextmanager
def taken(number: int) -> Iterator[None]:
    """So many places are taken within a second."""
    wait_for(lambda: waiting.places.taken == number, SOON, "the places to be taken")
    yield
    assert waiting.places.taken == number


def ended(row: Analysis) -> None:
    Analysis.objects.filter(pk=row.pk).update(state="failed", finished_at=timezone.now())


def end_elsewhere(row: Analysis) -> None:
    ended(row)
    connections.close_all()


def test_the_answer_comes_when_the_analysis_ends(study: Study, row: Analysis) -> None:
    key = study.key()
    asked = Asked(key, row, "wait=10")
    with taken(1):
        time.sleep(0.5)
    at = time.monotonic()
    ended(row)
    asked.join()
    assert time.monotonic() - at < SOON
    assert waiting.PAUSE <= 0.25  # on a machine with nothing else to do it is little more than that
    assert asked.answer.json()["state"] == "failed"
    assert asked.answer["Preference-Applied"] == "wait=10"
    assert "Retry-After" not in asked.answer.headers
    assert waiting.places.taken == 0


def test_it_comes_when_the_time_is_over(study: Study, row: Analysis) -> None:
    asked = Asked(study.key(), row, "wait=1")
    asked.join()
    assert 1 <= asked.seconds < 1 + SOON
    assert asked.answer.json()["state"] == "queued"
    assert asked.answer["Preference-Applied"] == "wait=1"
    assert int(asked.answer["Retry-After"]) >= 1
    assert "Prefer" in asked.answer["Vary"]


def test_what_has_ended_is_not_waited_for(study: Study, row: Analysis) -> None:
    ended(row)
    asked = Asked(study.key(), row, "wait=10")
    asked.join()
    assert asked.seconds < SOON
    assert asked.answer["Preference-Applied"] == "wait=10"


@pytest.mark.parametrize(("threads", "places"), [(8, 2), (4, 1), (7, 1), (3, 0)])
def test_a_quarter_of_the_threads_waits_and_no_more(
    study: Study, row: Analysis, settings: Any, threads: int, places: int
) -> None:
    settings.WEB_THREADS = threads
    key = study.key()
    patient = [Asked(key, row, "wait=10") for _each in range(places)]
    with taken(places):
        late = Asked(key, row, "wait=10")
        late.join()
        assert late.seconds < SOON, "it is answered at once"
        assert late.answer.status_code == 200
        assert "Preference-Applied" not in late.answer.headers
        assert late.answer["Retry-After"]
    ended(row)
    for each in patient:
        each.join()
        assert each.answer.json()["state"] == "failed"
    assert waiting.places.taken == 0


def test_no_connection_is_held_while_it_sleeps(
    study: Study, row: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []

    def asleep(seconds: float) -> None:
        held.append(any(each.connection is not None for each in connections.all()))
        worker = threading.Thread(target=end_elsewhere, args=[row])
        worker.start()
        worker.join()

    monkeypatch.setattr(waiting.time, "sleep", asleep)
    assert api_get(study.key(), "api_analysis", row.id, Prefer="wait=5").json()["state"] == "failed"
    assert held == [False]


def test_waiting_makes_no_entry_and_is_nobody_elses(study: Study, row: Analysis) -> None:
    key, other = study.key(), open_study().key()
    before = LogEntry.objects.count() + PendingEntry.objects.count()
    assert api_get(key, "api_analysis", row.id, Prefer="wait=1").status_code == 200
    began = time.monotonic()
    assert api_get(other, "api_analysis", row.id, Prefer="wait=10").status_code == 404
    assert time.monotonic() - began < SOON
    assert LogEntry.objects.count() + PendingEntry.objects.count() == before


def test_who_wants_only_news_waits_for_it(study: Study, row: Analysis) -> None:
    key = study.key()
    known = api_get(key, "api_analysis", row.id)["ETag"]
    address, headers = reverse("api_analysis", args=[row.id]), {"Authorization": f"Bearer {key}"}
    same = Client().get(address, headers=headers | {"Prefer": "wait=1", "If-None-Match": known})
    assert same.status_code == 304
    assert same["Preference-Applied"] == "wait=1"
