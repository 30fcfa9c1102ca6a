"""A film's walk: in, through the worker stretch by stretch, out; interrupted, withdrawn and refused."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.errors import IncompletePurpose
from consent.models import DataCategory
from consent.withdrawals import withdraw
from emotion import film_analyses
from emotion.analyses import run_analysis
from emotion.erasure import drain
from emotion.errors import NotReady
from emotion.inference import film_process
from emotion.inference.children import Servers
from emotion.models import MAX_TRIES, Analysis, AnalysisState, MediaState, Recording, Result
from emotion.results import read_result
from tests.cast import (
    PHOTO,
    Person,
    Study,
    consent,
    consenting,
    draft,
    measured,
    open_study,
    upload,
)
from tests.emotion.inference.scenes import Scene, as_film, during, sits, walks
from tests.faults.leftovers import living_keys
from tests.forks import ended, fork
from tests.processes import wait_for
from tools.supervise import WORKER_GRACE

pytestmark = pytest.mark.usefixtures("fresh_db")

MEASURED = [
    DataCategory.MEDIA,
    DataCategory.EXPRESSION,
    DataCategory.BLENDSHAPES,
    DataCategory.HEAD_POSE,
]
SHORT = Scene(6, sits(), during(2, 5, walks(2, -150, 350)))


@cache
def short() -> bytes:
    return as_film(SHORT)


@cache
def long() -> bytes:
    """Two minutes and a half: three stretches."""
    return as_film(Scene(150, lambda t: (420 + t % 20, 250), rate=1))


def film_study(**changes: Any) -> Study:
    return open_study(**{"takes": "films", "categories": MEASURED, "sample_rate": 10} | changes)


@pytest.fixture
def study() -> Study:
    return film_study()


@pytest.fixture
def person(study: Study) -> Person:
    return consenting(study, categories=list(MEASURED))


def waiting(study: Study, film: bytes, markers: str = "") -> Analysis:
    answer = upload(study.key(), "P-001", study.purpose.id, film, markers=markers)
    assert answer.status_code == 202, answer.content
    return Analysis.objects.select_related("recording").get(pk=answer.json()["analyses"][0]["id"])


def done(study: Study, film: bytes) -> Analysis:
    return measured(waiting(study, film))


def everything(person: Person, row: Analysis) -> tuple[str, dict[str, bytes]]:
    """The opened result and series as bytes, to compare."""
    opened = read_result(person.actor, row.id, series=set(MEASURED))
    series = {
        f"{category}/{name}": values.tobytes()
        for category, table in opened.series.items()
        for name, values in table.items()
    }
    return json.dumps(opened.parts, sort_keys=True), series


def actions(*wanted: Action) -> list[str]:
    integrate_once()
    rows = LogEntry.objects.filter(action__in=wanted).order_by("index")
    return [f"{row.action} {row.outcome}" for row in rows]


def test_a_film_is_read_moment_by_moment(study: Study, person: Person) -> None:
    row = done(study, short())
    opened = read_result(person.actor, row.id, series=set(MEASURED))
    assert set(opened.parts) == {"summary", "expression", "blendshapes", "head-pose"}
    summary = opened.parts["summary"]
    assert summary["film"]["moments_per_second"] == 10
    assert summary["figures"]["moments"]["value"] == 60
    abstained = summary["figures"]["abstained"]
    # Somebody crossed, drawn so broad that half of the person's face is covered before they are near.
    assert {"person-unclear"} <= set(abstained["why"]) <= {"person-unclear", "covered"}
    assert 0.5 < abstained["value"] < 2
    assert opened.parts["expression"]["figures"]["happy_foremost"]["value"] > 3
    times = opened.series["head-pose"]["time"]
    assert [round(float(time), 3) for time in times[:4]] == [0.0, 0.1, 0.2, 0.3]
    row.recording.refresh_from_db()
    assert row.recording.media_state == MediaState.ERASED  # this purpose keeps none
    assert (row.recording.width, row.recording.height) == (854, 480)
    assert row.recording.seconds == pytest.approx(6, abs=0.2)
    assert row.progress == 1


def test_only_what_was_consented_to_is_measured(study: Study) -> None:
    person = consenting(study, categories=["media", "head-pose"])
    row = done(study, short())
    opened = read_result(person.actor, row.id, series=set(MEASURED))
    assert set(opened.parts) == set(opened.series) == {"summary", "head-pose"}
    assert set(row.results.values_list("category", flat=True)) == {"summary", "head-pose"}


def test_each_category_is_sealed_under_one_key_of_its_own(study: Study, person: Person) -> None:
    row = done(study, long())
    rows = list(row.results.values_list("category", "part", "data_key_id"))
    assert {part for _category, part, _key in rows} == {0, 1, 2, 3}
    keys = {(category, key) for category, _part, key in rows}
    assert len(keys) == len({category for category, _key in keys}) == 4
    assert len({key for _category, key in keys}) == 4


def test_the_same_film_gives_the_same_bytes(study: Study, person: Person) -> None:
    assert everything(person, done(study, short())) == everything(person, done(study, short()))


@pytest.mark.parametrize(("stretch", "after"), [(2, False), (2, True), (3, True)])
def test_a_killed_worker_goes_on_behind_the_last_sealed_stretch(
    study: Study, person: Person, monkeypatch: pytest.MonkeyPatch, stretch: int, after: bool
) -> None:
    whole = everything(person, done(study, long()))
    row = waiting(study, long())

    save, calls = film_analyses.save_stretch, itertools.count(1)

    def dying(*given: Any) -> None:
        last = next(calls) == stretch
        if after or not last:
            save(*given)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)

    with monkeypatch.context() as patched:
        patched.setattr(film_analyses, "save_stretch", dying)
        assert ended(fork(lambda: run_analysis(row.id))) == -signal.SIGKILL
    row.refresh_from_db()
    assert row.state == AnalysisState.RUNNING
    assert set(row.results.values_list("part", flat=True)) == set(range(1, stretch + after))
    Analysis.objects.filter(pk=row.pk).update(lease_until=row.queued_at)
    run_analysis(row.id)
    row.refresh_from_db()
    assert row.state == AnalysisState.DONE
    assert everything(person, row) == whole
    assert actions(Action.MEDIA_ANALYSE)[-3:] == ["media:analyse ok"] * 3


def after_each_stretch(patched: pytest.MonkeyPatch, then: Callable[[], object]) -> None:
    """Do something whenever a stretch has been saved."""
    save = film_analyses.save_stretch

    def saved(*given: Any) -> None:
        save(*given)
        then()

    patched.setattr(film_analyses, "save_stretch", saved)


@pytest.mark.parametrize(
    ("trouble", "left"), [(ValueError("strange"), 1), (OSError("the disk is full"), 0)]
)
def test_a_last_try_that_got_on_is_not_the_last(
    study: Study, person: Person, monkeypatch: pytest.MonkeyPatch, trouble: Exception, left: int
) -> None:
    """A stretch that was saved gives back the tries before it, also when this very attempt fails then."""
    row = waiting(study, long())
    Analysis.objects.filter(pk=row.pk).update(tries=MAX_TRIES - 1)

    def fail() -> None:
        raise trouble

    with monkeypatch.context() as patched:
        after_each_stretch(patched, fail)
        run_analysis(row.id)
    row.refresh_from_db()
    assert (row.state, row.tries) == (AnalysisState.QUEUED, left)
    Analysis.objects.filter(pk=row.pk).update(not_before=row.queued_at)
    run_analysis(row.id)
    row.refresh_from_db()
    assert row.state == AnalysisState.DONE


def test_what_is_sealed_so_far_opens_to_nobody(
    study: Study, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = waiting(study, long())
    seen: list[int] = []

    def look() -> None:
        with pytest.raises(NotReady):
            read_result(person.actor, row.id, series=set(MEASURED))
        seen.append(row.results.count())

    after_each_stretch(monkeypatch, look)
    run_analysis(row.id)
    assert seen == [4, 8, 12]


def test_a_withdrawal_between_two_stretches_wins(
    study: Study, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = waiting(study, long())
    after_each_stretch(monkeypatch, lambda: withdraw(person.actor, person.subject, study.purpose))
    run_analysis(row.id)
    row.refresh_from_db()
    assert (row.state, row.reason) == (AnalysisState.REFUSED, "consent-withdrawn")
    assert not Result.objects.exists()
    drain()
    assert not living_keys(person.subject)
    assert actions(Action.RESULT_SAVE) == ["result:save ok"]


def test_other_categories_since_the_first_stretch_are_measured_anew(
    study: Study, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = waiting(study, long())
    with monkeypatch.context() as patched:
        after_each_stretch(
            patched, lambda: consent(person, study.purpose, ["media", "blendshapes"])
        )
        run_analysis(row.id)
    row.refresh_from_db()
    assert row.state == AnalysisState.QUEUED  # that consent did not cover this attempt
    run_analysis(row.id)
    row.refresh_from_db()
    assert row.state == AnalysisState.DONE
    opened = read_result(person.actor, row.id, series=set(MEASURED))
    assert set(opened.series) == {"summary", "blendshapes"}
    assert len(opened.series["blendshapes"]["time"]) == 150
    assert set(row.results.values_list("category", flat=True)) == {"summary", "blendshapes"}


@pytest.mark.parametrize(
    ("takes", "film", "status", "code"),
    [
        ("photographs", True, 422, "media-kind-not-taken"),
        ("films", False, 422, "media-kind-not-taken"),
        ("photographs-and-films", True, 202, ""),
        ("photographs-and-films", False, 202, ""),
    ],
)
def test_only_the_kind_that_people_agreed_to_is_taken(
    takes: str, film: bool, status: int, code: str
) -> None:
    study = film_study(takes=takes)
    consenting(study, categories=list(MEASURED))
    body = short() if film else PHOTO.read_bytes()
    answer = upload(study.key(), "P-001", study.purpose.id, body)
    assert (answer.status_code, answer.json().get("code", "")) == (status, code)
    assert Recording.objects.count() == (1 if status == 202 else 0)


def test_a_film_that_cannot_be_read_says_why_and_leaves_nothing(
    study: Study, person: Person
) -> None:
    film = long()
    at = film.index(b"mdat") + 2000  # the first pictures stand, the rest is noise
    noise = random.Random(1).randbytes(film.index(b"moov") - at - 4)
    row = waiting(study, film[:at] + noise + film[at + len(noise) :])
    run_analysis(row.id)
    row.refresh_from_db()
    assert row.state == AnalysisState.FAILED
    assert row.reason == "media-unreadable"
    assert row.media_code == "media-unreadable"
    assert not Result.objects.exists()
    drain()
    row.recording.refresh_from_db()
    assert row.recording.media_state == MediaState.ERASED  # nothing will come of it any more
    assert not living_keys(person.subject)


def test_a_worker_that_is_told_to_stop_gives_its_film_back_with_its_try(
    study: Study, person: Person, worker: subprocess.Popen[bytes]
) -> None:
    row = waiting(study, long())
    wait_for(lambda: Analysis.objects.filter(pk=row.pk, state=AnalysisState.RUNNING).exists())
    worker.send_signal(signal.SIGTERM)
    worker.wait(WORKER_GRACE)
    row.refresh_from_db()
    assert (row.state, row.attempt, row.tries) == (AnalysisState.QUEUED, 1, 0)


@pytest.mark.parametrize("with_its_server", [False, True])
def test_a_decoder_that_the_machine_killed_uses_up_one_try(
    study: Study, person: Person, monkeypatch: pytest.MonkeyPatch, with_its_server: bool
) -> None:
    row = waiting(study, short())
    note = film_analyses.note_facts

    def killing(*given: Any) -> None:
        """Once the film is open, and no picture of it was read."""
        note(*given)
        server = Servers.of(film_process.CHILD).process.pid
        (child,) = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        for pid in [server] * with_its_server + [int(child)]:
            os.kill(pid, signal.SIGKILL)

    with monkeypatch.context() as patched:
        patched.setattr(film_analyses, "note_facts", killing)
        run_analysis(row.id)
    row.refresh_from_db()
    assert (row.state, row.tries) == (AnalysisState.QUEUED, 1)
    assert row.recording.media_state == MediaState.STORED
    Analysis.objects.filter(pk=row.pk).update(not_before=row.queued_at)
    run_analysis(row.id)
    row.refresh_from_db()
    assert row.state == AnalysisState.DONE


def test_a_purpose_says_what_it_takes_and_how_densely() -> None:
    with pytest.raises(IncompletePurpose, match="got 61") as told:
        draft(takes="films", sample_rate=61)
    assert set(told.value.problems) == {"sample_rate"}
    with pytest.raises(IncompletePurpose) as told:
        draft(takes="sound")
    assert set(told.value.problems) == {"takes"}
