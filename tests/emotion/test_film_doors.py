"""A film's doors: markers that come with it, series by the API, the pages of person and operator."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.urls import reverse
from django.utils import timezone
from pyarrow import parquet

from accounts.models import Scope
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from emotion.models import Analysis, Recording
from emotion.results import read_result
from tests.cast import (
    PHOTO,
    Person,
    Study,
    api_get,
    consenting,
    measured,
    open_study,
    upload,
)
from tests.emotion.test_films import MEASURED, film_study, short, waiting

pytestmark = pytest.mark.usefixtures("fresh_db")
REASON = {"Access_Reason": "study-analysis"}
PARQUET = "application/vnd.apache.parquet"
MARKERS = {
    "marks": [{"at": 2.0, "name": "clip of Rosa Beispiel"}, {"at": 300, "name": "another film"}],
    "baseline": [0, 2],
}


@pytest.fixture
def study() -> Study:
    return film_study()


@pytest.fixture
def person(study: Study) -> Person:
    return consenting(study, categories=list(MEASURED))


def send(study: Study, body: bytes, markers: str, key: str = "") -> Any:
    """An upload with markers, always under the same idempotency key."""
    return upload(key or study.key(), "P-001", study.purpose.id, body, "one", markers)


def test_markers_are_carried_through_and_lie_nowhere_in_plain(study: Study, person: Person) -> None:
    answer = send(study, short(), json.dumps(MARKERS))
    assert answer.status_code == 202, answer.content
    recording = Recording.objects.get()
    assert b"Rosa" not in bytes(recording.sealed_markers or b"")
    row = measured(Analysis.objects.get())
    summary = read_result(person.actor, row.id).parts["summary"]
    assert summary["marks"] == MARKERS["marks"]
    assert summary["figures"]["baseline"]["how"] == "marked"
    recording.refresh_from_db()
    assert recording.sealed_markers is None  # they go with the film
    page = person.browser.get(reverse("own_result", args=[row.id])).content.decode()
    assert "clip of Rosa Beispiel" in page
    assert page.count("after the last moment that was looked at") == 1
    assert page.count('class="mark"') == page.count('class="bar strip course"') > 7


@pytest.mark.parametrize(
    "markers",
    [
        "no json",
        "[]",
        '{"other": 1}',
        '{"marks": [{"at": -1, "name": "a"}]}',
        '{"marks": [{"at": 1, "name": ""}]}',
        '{"marks": [{"at": 1, "name": "a", "until": 1}]}',
        '{"marks": [{"at": 1e999, "name": "a"}]}',
        '{"marks": [{"at": true, "name": "a"}]}',
        '{"baseline": [5, 2]}',
        '{"baseline": 5}',
        "[" * 20_000,
        '{"marks": ' * 5_000,
        '{"marks": [{"at": 1' + "0" * 400 + ', "name": "x"}]}',
        '{"marks": [{"at": NaN, "name": "x"}]}',
        '{"marks": [{"at": 1e400, "name": "x"}]}',
        '{"marks": [{"at": 1, "name": "\\ud800"}]}',
        '{"baseline": [0, 1' + "0" * 5_000 + "]}",
    ],
)
def test_markers_that_are_none_are_refused_with_what_was_expected(
    study: Study, person: Person, markers: str
) -> None:
    answer = send(study, short(), markers)
    assert (answer.status_code, answer.json()["code"]) == (400, "upload-invalid")
    assert "must be" in answer.json()["detail"]
    assert not Recording.objects.exists()


def test_markers_come_with_films_only() -> None:
    study = film_study(takes="photographs-and-films")
    consenting(study, categories=list(MEASURED))
    answer = send(study, PHOTO.read_bytes(), json.dumps(MARKERS))
    assert (answer.status_code, answer.json()["code"]) == (400, "upload-invalid")
    assert not Recording.objects.exists()


def test_another_marker_is_another_body(study: Study, person: Person) -> None:
    key = study.key()
    assert send(study, short(), json.dumps(MARKERS), key).status_code == 202
    assert send(study, short(), json.dumps(MARKERS), key).status_code == 202
    assert send(study, short(), "", key).status_code == 422
    assert Recording.objects.count() == 1


def test_series_come_as_json_csv_and_parquet_each_an_entry(study: Study, person: Person) -> None:
    row = measured(waiting(study, short()))
    key = study.key()

    def get(category: str, kind: str) -> Any:
        answer = api_get(key, "api_series", row.id, category, Accept=kind, **REASON)
        assert answer.status_code == 200, answer.content
        assert answer["Content-Type"] == kind
        assert answer["Cache-Control"] == "no-store"
        assert "Accept" in answer["Vary"]
        integrate_once()
        entry = LogEntry.objects.get(entry_id=answer["Log-Entry"])
        assert entry.action == "result:read"
        return answer

    told = get("head-pose", "application/json").json()
    names = [column["name"] for column in told["columns"]]
    assert names[:2] == ["time", "yaw"]
    assert told["columns"][1]["unit"] == "degrees"
    assert None in told["columns"][1]["values"]  # the stretch that was not read
    table = list(csv.reader(io.StringIO(get("head-pose", "text/csv").content.decode())))
    assert table[0] == names
    assert len(table) - 1 == told["moments"] == 60
    opened = parquet.read_table(io.BytesIO(get("head-pose", PARQUET).content))
    assert opened.column_names == names
    assert opened.schema.metadata is None or b"consentry.state" not in opened.schema.metadata
    assert opened.column("time").to_pylist() == told["columns"][0]["values"]


def test_what_is_asked_wrongly_is_told(study: Study, person: Person) -> None:
    row = measured(waiting(study, short()))
    every = study.key()
    assert api_get(every, "api_series", row.id, "thoughts", **REASON).status_code == 404
    assert api_get(every, "api_series", row.id, "gaze", **REASON).status_code == 404
    assert api_get(every, "api_series", row.id, "head-pose").status_code == 400  # no reason
    blind = study.key(Scope.RECORDINGS_READ)
    assert api_get(blind, "api_series", row.id, "head-pose", **REASON).status_code == 403


def test_the_pages_say_how_far_it_is_and_what_it_showed(study: Study, person: Person) -> None:
    row = waiting(study, short())
    address = reverse("own_recording", args=[row.recording_id])
    soon = timezone.now() + timedelta(minutes=3, seconds=5)
    Analysis.objects.filter(pk=row.pk).update(state="running", progress=0.42, expected_at=soon)
    page = person.browser.get(address).content.decode()
    assert "42 % read;" in page
    assert "3\xa0minutes" in page
    assert "photograph" not in page.lower()
    Analysis.objects.filter(pk=row.pk).update(state="queued")
    measured(row)
    own = person.browser.get(reverse("own_result", args=[row.id])).content.decode()
    assert "What the face showed in 6 seconds" in own
    assert "it was not clear which face is the right one" in own
    assert own.count("<svg") >= 7
    browser = study.researcher.sign_in()
    asked = reverse("operate_result", args=[row.id])
    assert "What the face showed" not in browser.get(asked).content.decode()
    shown = browser.post(asked, {"reason": "study-analysis"}).content.decode()
    assert "What the face showed in 6 seconds" in shown


def test_a_film_has_no_place_among_photographs_over_time(study: Study, person: Person) -> None:
    measured(waiting(study, short()))
    address = reverse("own_trend")
    answer = person.browser.post(address, {"turn": "on"}, follow=True)
    assert answer.status_code == 200
    assert "Nothing to show yet" in answer.content.decode()


def test_the_archive_has_the_series(study: Study, person: Person) -> None:
    row = measured(waiting(study, short()))
    answer = person.browser.post(reverse("own_bundle", args=[study.purpose.id]))
    assert answer.status_code == 200, answer.content
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    (name,) = (each for each in archive.namelist() if each.endswith("series/head-pose.csv"))
    assert str(row.id)[-8:] in name
    table = list(csv.reader(io.StringIO(archive.read(name).decode())))
    assert table[0][:2] == ["time", "yaw"]
    assert len(table) == 61


def test_what_the_numbers_rest_on_is_told_in_the_readers_language(
    study: Study, person: Person
) -> None:
    row = measured(waiting(study, short()))
    page = person.browser.get(
        reverse("own_result", args=[row.id]), headers={"Accept-Language": "zh-hans"}
    ).content.decode()
    assert "Calibrated on" not in page
    assert "FER2013" in page


@pytest.mark.parametrize(
    ("takes", "words"),
    [
        ("photographs", "Add a photograph"),
        ("films", "Add a film"),
        ("photographs-and-films", "Add a photograph or a film"),
    ],
)
def test_people_are_led_to_send_what_the_study_takes(takes: str, words: str) -> None:
    study = open_study(takes=takes)
    person = consenting(study)
    address = reverse("upload", args=[study.purpose.id])
    for page in (reverse("subject_home"), reverse("consent_done", args=[study.purpose.id])):
        text = BeautifulSoup(person.browser.get(page).content, "html.parser")
        (button,) = text.select(f'main a.button[href="{address}"]')
        assert button.get_text(strip=True) == words, page
