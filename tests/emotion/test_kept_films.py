"""A film that is kept: the person's head and nothing else, in its own time, seen by few and erased."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest
from django.urls import reverse
from django.utils import timezone

from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.errors import ConsentRefused
from consent.models import ErasureRequest
from consent.withdrawals import withdraw
from emotion import film_analyses, saving
from emotion.analyses import run_analysis
from emotion.erasure import drain
from emotion.errors import NotReady
from emotion.inference.covering import FILL
from emotion.inference.film_covering import GUARD
from emotion.inference.films import open_film
from emotion.kept_films import open_kept_film
from emotion.models import Analysis, AnalysisState, MediaState, Recording
from emotion.reanalysis import analyse_again
from emotion.results import read_media, read_result
from emotion.sealed_media import blob_path, media_keys
from emotion.sweeping import expire_recordings
from tests.cast import Person, Study, consenting
from tests.emotion.inference.scenes import FACE, Scene, as_film, during, sits, walks, without
from tests.emotion.test_films import MEASURED, done, film_study, waiting
from tests.faults.leftovers import sealed_files
from tests.forks import killed_at
from vault.keyring import living_keys

pytestmark = pytest.mark.usefixtures("fresh_db")

CROSSING = Scene(6, sits(), during(2, 5, walks(2, -150, 350)))
NEAR_HER = (2.7, 4.6)
"""Seconds in which the other's head and hers are less than about three faces apart."""


@cache
def crossed() -> bytes:
    """Somebody enters, crosses in front of her, and leaves."""
    return as_film(CROSSING)


@cache
def alone() -> bytes:
    """She, there from the beginning, away for two seconds."""
    return as_film(Scene(6, without(2, 4, sits())))


@pytest.fixture
def study() -> Study:
    return film_study(keep_media=True)


@pytest.fixture
def person(study: Study) -> Person:
    return consenting(study, categories=list(MEASURED))


def recorded(study: Study, film: bytes) -> Recording:
    """The recording of a film that was measured."""
    return Recording.objects.get(pk=done(study, film).recording_id)


def kept(person: Person, recording: Recording) -> bytes:
    with read_media(person.actor, recording.id) as media:
        return bytes(media.blob.read())


def pictures(film: bytes) -> list[tuple[float, Any]]:
    with open_film(io.BytesIO(film), rate=None) as opened:
        return [(frame.time, frame.pixels.copy()) for frame in opened]


def drawn(picture: Any) -> Any:
    """Where something other than the one colour is; H.264 leaves a shadow of some values around it."""
    return (np.abs(picture.astype(int) - FILL) > 16).any(axis=2)


def entries(action: Action) -> int:
    integrate_once()
    return LogEntry.objects.filter(action=action).count()


def test_nobody_but_the_person_is_in_any_picture(study: Study, person: Person) -> None:
    found = pictures(kept(person, recorded(study, crossed())))
    assert [round(time, 3) for time, _picture in found] == [step / 10 for step in range(60)]
    shown = [time for time, picture in found if drawn(picture).any()]
    for time, picture in found:
        rows, columns = np.nonzero(drawn(picture))
        if not len(rows):
            continue
        assert columns.min() > 420 - 1.5 * FACE, time
        assert columns.max() < 420 + 1.5 * FACE, time
        assert rows.min() > 250 - 1.8 * FACE, time
        assert rows.max() < 250 + 1.5 * FACE, time
        if time < NEAR_HER[0] or time > NEAR_HER[1]:
            clear = CROSSING.frame(0)[200:300, 380:460].astype(int)
            assert np.abs(picture[200:300, 380:460] - clear).mean() < 6, "her face is what it was"
    assert not [time for time in shown if NEAR_HER[0] + 0.1 < time < NEAR_HER[1] - 0.1]
    assert min(shown) == 0
    assert max(shown) == pytest.approx(5.9)
    assert len(shown) > 30


def test_who_is_there_only_between_the_kept_pictures_is_in_none() -> None:
    """One picture a second is kept; somebody comes, stands in front at 3.0, and is gone at 4.0."""
    study = film_study(keep_media=True, sample_rate=1)
    person = consenting(study, categories=list(MEASURED))
    scene = Scene(6, sits(), during(2.1, 3.9, walks(1.58, -150, 400)), rate=20)
    found = pictures(kept(person, recorded(study, as_film(scene))))
    assert [round(time, 3) for time, _picture in found] == [0, 1, 2, 3, 4, 5]
    shown = [round(time) for time, picture in found if drawn(picture).any()]
    assert 3 not in shown
    assert {0, 1} <= set(shown)


def test_a_doubt_takes_away_what_was_before_and_after_it(study: Study, person: Person) -> None:
    recording = recorded(study, crossed())
    row = recording.analyses.get()
    status = read_result(person.actor, row.id, series=MEASURED).series["summary"]
    doubts = status["time"][status["status"] == "person-unclear"]
    shown = [time for time, picture in pictures(kept(person, recording)) if drawn(picture).any()]
    assert len(doubts) > 5
    assert all(abs(time - doubt) > GUARD - 0.01 for time in shown for doubt in doubts)


def test_who_comes_in_after_the_person_left_is_not_kept(study: Study, person: Person) -> None:
    scene = Scene(6, lambda t: (250, 250) if t < 2 else (None if t < 3 else (650, 250)))
    recording = recorded(study, as_film(scene))
    opened = read_result(person.actor, recording.analyses.get().id, series=MEASURED)
    (lost,) = [each for each in opened.parts["summary"]["events"] if each["kind"] == "person-lost"]
    assert lost["start"] == pytest.approx(3, abs=0.11)
    shown = [time for time, picture in pictures(kept(person, recording)) if drawn(picture).any()]
    assert max(shown) < 2


def test_where_no_face_is_nothing_is_shown_and_time_goes_on(study: Study, person: Person) -> None:
    recording = recorded(study, alone())
    found = pictures(kept(person, recording))
    empty = [time for time, picture in found if not drawn(picture).any()]
    assert min(empty) == pytest.approx(2, abs=0.11)
    assert max(empty) == pytest.approx(3.9, abs=0.11)
    assert found[-1][0] == pytest.approx(5.9)
    assert (recording.media_type, recording.width, recording.height) == ("video/mp4", 854, 480)
    assert recording.size == len(kept(person, recording))


def test_the_film_as_it_came_is_gone_key_and_all(study: Study, person: Person) -> None:
    row = waiting(study, alone())
    came = row.recording
    with pytest.raises(NotReady), read_media(person.actor, came.id):
        pass
    run_analysis(row.id)
    now = Recording.objects.get()
    assert now.covered_at is not None
    assert living_keys([came.media_key_id, now.media_key_id]) == {now.media_key_id}
    assert sealed_files() == {blob_path(now.media_key_id)}
    assert ErasureRequest.objects.get().key_ids == [str(came.media_key_id)]
    assert entries(Action.MEDIA_COVER) == 1
    assert entries(Action.MEDIA_ANALYSE) == 1, "one opening, read twice"


def test_a_film_in_which_nobody_is_sure_is_not_kept(study: Study, person: Person) -> None:
    recording = recorded(study, as_film(Scene(3, lambda _time: None)))
    assert recording.media_state == MediaState.ERASED
    assert not sealed_files()


def test_it_is_measured_again_on_what_is_kept_markers_and_all(study: Study, person: Person) -> None:
    marks = json.dumps({"marks": [{"at": 1.5, "name": "clip 1"}]})
    first = waiting(study, alone(), markers=marks)
    run_analysis(first.id)
    second = analyse_again(study.researcher.actor, first.recording_id)
    run_analysis(second.id)
    second.refresh_from_db()
    assert second.state == AnalysisState.DONE, (second.reason, second.media_code)
    one, other = (read_result(person.actor, row.id) for row in (first, second))
    for opened in (one, other):
        assert opened.parts["summary"]["marks"] == [{"at": 1.5, "name": "clip 1"}]
    figures = [opened.parts["summary"]["figures"]["moments"]["value"] for opened in (one, other)]
    assert figures == [60, 60]
    happy = [
        opened.parts["expression"]["figures"]["happy_foremost"]["value"] for opened in (one, other)
    ]
    assert happy[0] == pytest.approx(happy[1], abs=0.3)
    assert entries(Action.MEDIA_COVER) == 1, "what was covered is not covered again"
    assert sealed_files() == {blob_path(Recording.objects.get().media_key_id)}


@pytest.mark.parametrize(
    ("module", "step"),
    [(film_analyses, "write_covered"), (saving, "commit_results"), (saving, "drain_one")],
    ids=["before it is covered", "before it is saved", "after"],
)
def test_killed_at_any_step_it_is_as_it_came_and_closed_or_covered(
    study: Study, person: Person, module: Any, step: str
) -> None:
    row = waiting(study, crossed())
    came = blob_path(row.recording.media_key_id)
    killed_at(module, step, lambda: run_analysis(row.id), after=False)
    recording = Recording.objects.get()
    if step != "drain_one":
        assert blob_path(recording.media_key_id) == came
        with pytest.raises(NotReady):
            kept(person, recording)
        Analysis.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        run_analysis(row.id)
    else:
        drain()
    recording.refresh_from_db()
    shown = [time for time, picture in pictures(kept(person, recording)) if drawn(picture).any()]
    assert len(shown) > 30
    assert not [time for time in shown if 3 < time < 4.3]
    assert sealed_files() == {blob_path(recording.media_key_id)}
    assert living_keys(media_keys(recording)) == {recording.media_key_id}
    assert not list(came.parent.glob(".*.partial"))


def test_a_withdrawal_while_it_is_covered_wins(
    study: Study, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = waiting(study, alone())
    real = film_analyses.write_covered

    def withdrawn_first(*given: Any) -> Any:
        made = real(*given)
        withdraw(person.actor, person.subject, study.purpose)
        return made

    monkeypatch.setattr(film_analyses, "write_covered", withdrawn_first)
    run_analysis(row.id)
    drain()
    assert not sealed_files()
    assert not living_keys(media_keys(row.recording))


def test_it_stops_in_the_middle_when_the_consent_ends(study: Study, person: Person) -> None:
    recording = recorded(study, alone())
    opened = open_kept_film(person.actor, recording.id)
    withdraw(person.actor, person.subject, study.purpose)
    with pytest.raises(ConsentRefused):
        next(opened.pieces)


def test_one_sees_ones_own_and_who_looked(study: Study, person: Person) -> None:
    recording = recorded(study, alone())
    row = recording.analyses.get()
    page = person.browser.get(reverse("own_result", args=[row.id])).content.decode()
    address = reverse("own_film", args=[recording.id])
    assert f'action="{address}"' in page
    assert person.browser.get(address).status_code == 405, "a link alone opens nothing"
    answer = person.browser.post(address)
    body = b"".join(answer.streaming_content)
    assert (answer["Content-Type"], int(answer["Content-Length"])) == ("video/mp4", len(body))
    assert "no-store" in answer["Cache-Control"]
    assert len(pictures(body)) == 60
    integrate_once()
    assert LogEntry.objects.get(action=Action.MEDIA_READ).entry_id.hex == answer[
        "Log-Entry"
    ].replace("-", "")
    history = person.browser.get(reverse("access_history")).content.decode()
    assert "A photograph or film of you was looked at" in history


def test_a_researcher_states_why_and_others_find_nothing(study: Study, person: Person) -> None:
    recording = recorded(study, alone())
    row = recording.analyses.get()
    address = reverse("operate_film", args=[recording.id])
    rita = study.researcher.sign_in()
    result = reverse("operate_result", args=[row.id])
    page = rita.post(result, {"reason": "quality-check"}).content.decode()
    assert f'action="{address}"' in page
    assert 'name="reason" value="quality-check"' in page
    assert rita.post(address).status_code == 400
    assert rita.post(address, {"reason": "curiosity"}).status_code == 400
    assert entries(Action.MEDIA_READ) == 0
    answer = rita.post(address, {"reason": "quality-check"})
    assert len(pictures(b"".join(answer.streaming_content))) == 60
    integrate_once()
    assert LogEntry.objects.get(action=Action.MEDIA_READ).reason == "quality-check"
    admin = study.administrator.sign_in()
    assert address not in admin.post(result, {"reason": "quality-check"}).content.decode()
    stranger = consenting(study, "P-002", categories=list(MEASURED)).browser
    for browser in (admin, study.officer.sign_in(), stranger):
        assert browser.post(address, {"reason": "quality-check"}).status_code in {302, 404}
        assert browser.post(reverse("own_film", args=[recording.id])).status_code in {302, 404}
    assert person.browser.get(reverse("own_photograph", args=[recording.id])).status_code == 404


def test_it_is_in_the_archive_of_ones_data_and_ends_on_its_date(
    study: Study, person: Person
) -> None:
    recording = recorded(study, alone())
    answer = person.browser.post(reverse("own_bundle", args=[study.purpose.id]))
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    (name,) = [each for each in archive.namelist() if each.endswith("film.mp4")]
    assert archive.read(name) == kept(person, recording)
    Recording.objects.update(media_retain_until=timezone.now() - timedelta(minutes=1))
    expire_recordings()
    drain()
    recording.refresh_from_db()
    assert recording.media_state == MediaState.ERASED
    assert not sealed_files()
