"""An analysis is stopped for good: at every moment of its life, beside a worker, and by nobody else."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Scope
from audit_log.models import LogEntry
from audit_log.row_entries import verify_rows
from audit_log.sequencer import integrate_once
from consent.models import ErasureRequest
from consent.withdrawals import withdraw
from emotion import analyses, film_analyses, saving
from emotion.analyses import run_analysis
from emotion.claims import claim
from emotion.erasure import drain
from emotion.models import Analysis, AnalysisState, MediaState, Recording, Result
from emotion.reanalysis import analyse_again
from emotion.sweeping import requeue_stale
from tests.at_once import at_once
from tests.cast import PHOTO, Person, Study, analysed, consenting, open_study, upload
from tests.emotion.test_films import MEASURED, film_study, long
from tests.faults.leftovers import living_keys, sealed_files
from tests.processes import make_broker_folders

pytestmark = pytest.mark.usefixtures("fresh_db")


@pytest.fixture
def study() -> Study:
    make_broker_folders()
    return open_study()


@pytest.fixture
def waiting(study: Study, person: Person) -> Analysis:
    answer = upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes())
    return Analysis.objects.select_related("recording").get(pk=answer.json()["analyses"][0]["id"])


def stopped(key: str, row: Analysis) -> Any:
    address = reverse("api_analysis_cancel", args=[row.id])
    return Client().post(address, headers={"Authorization": f"Bearer {key}"})


def entries(outcome: str = "ok") -> list[tuple[str, str]]:
    integrate_once()
    rows = LogEntry.objects.filter(action="analysis:cancel", outcome=outcome).order_by("index")
    return [(row.actor.split(":")[0], row.reason) for row in rows]


def nothing_is_left(row: Analysis, person: Person) -> None:
    """No result, no media, no key; the row says what happened."""
    drain()
    row.refresh_from_db()
    assert (row.state, row.reason) == (AnalysisState.CANCELLED, "cancelled-by-client")
    assert not Result.objects.exists()
    assert Recording.objects.get(pk=row.recording_id).media_state == MediaState.ERASED
    assert not living_keys(person.subject)


def test_what_waits_never_begins(study: Study, person: Person, waiting: Analysis) -> None:
    before = sealed_files()
    key = study.key(Scope.RECORDINGS_ANALYSE)
    answer = stopped(key, waiting)
    assert answer.status_code == 200, answer.content
    assert (answer.json()["state"], answer.json()["reason"]) == ("cancelled", "cancelled-by-client")
    assert answer.json()["finished_at"]
    assert claim(waiting.id) is None
    run_analysis(waiting.id)
    assert requeue_stale() == 0
    nothing_is_left(waiting, person)
    assert len(before - sealed_files()) == 1
    again = stopped(key, waiting)
    assert (again.status_code, again.json()["state"]) == (200, "cancelled")
    assert entries() == [("client", "")]
    assert ErasureRequest.objects.count() == 1
    assert not verify_rows().missing


def test_the_person_sees_it(study: Study, person: Person, waiting: Analysis) -> None:
    assert stopped(study.key(), waiting).status_code == 200
    integrate_once()
    history = person.browser.get(reverse("access_history")).content.decode()
    assert "An analysis was cancelled" in history
    page = person.browser.get(
        reverse("own_recording", args=[waiting.recording_id])
    ).content.decode()
    assert "Cancelled" in page
    assert (
        "the study&#x27;s system cancelled it" in page or "the study's system cancelled it" in page
    )
    desk = study.researcher.sign_in()
    page = desk.get(reverse("operate_recording", args=[waiting.recording_id])).content.decode()
    assert "Cancelled" in page
    listed = desk.get(reverse("operate_recordings") + "?state=cancelled").content.decode()
    assert str(waiting.recording_id) in listed


@pytest.mark.parametrize(
    ("place", "step"),
    [(analyses, "begin_reading"), (analyses, "decode_photo"), (analyses, "analyse_photo"),
     (saving, "create_data_key"), (saving, "commit_results")],
)  # fmt: skip
def test_whoever_works_on_it_stops_at_the_next_look(
    study: Study, person: Person, waiting: Analysis, monkeypatch: pytest.MonkeyPatch,
    place: Any, step: str,
) -> None:  # fmt: skip
    key, real = study.key(), getattr(place, step)

    def cancelled_before(*args: Any, **kwargs: Any) -> Any:
        assert stopped(key, waiting).status_code == 200
        drain()  # as the keeper does at that very moment
        return real(*args, **kwargs)

    monkeypatch.setattr(place, step, cancelled_before)
    run_analysis(waiting.id)
    nothing_is_left(waiting, person)
    integrate_once()
    assert not LogEntry.objects.filter(
        action__in=["analysis:fail", "analysis:refuse", "result:save"]
    )


def test_a_film_stops_in_the_middle_and_leaves_no_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    study = film_study()
    person = consenting(study, categories=list(MEASURED))
    answer = upload(study.key(), "P-001", study.purpose.id, long())
    row = Analysis.objects.select_related("recording").get(pk=answer.json()["analyses"][0]["id"])
    key, real, saved = study.key(), film_analyses.save_stretch, []

    def one_stretch(*args: Any) -> None:
        if saved:
            assert stopped(key, row).status_code == 200
        real(*args)
        saved.append(1)

    monkeypatch.setattr(film_analyses, "save_stretch", one_stretch)
    run_analysis(row.id)
    assert saved == [1]
    nothing_is_left(row, person)


def test_what_has_ended_stays_as_it_is(study: Study, person: Person) -> None:
    row = analysed(study)
    answer = stopped(study.key(), row)
    assert (answer.status_code, answer.json()["code"]) == (409, "analysis-ended")
    row.refresh_from_db()
    assert row.state == AnalysisState.DONE
    assert row.results.exists()
    assert not entries()


def test_a_kept_photograph_outlives_the_second_analysis() -> None:
    study = open_study(keep_media=True)
    person = consenting(study)
    first = analysed(study)
    drain()
    second = analyse_again(study.researcher.actor, first.recording_id)
    assert stopped(study.key(), second).status_code == 200
    drain()
    recording = Recording.objects.get()
    assert recording.media_state == MediaState.STORED
    assert first.results.exists()
    assert living_keys(person.subject)


def test_after_a_withdrawal_the_gate_has_the_word(
    study: Study, person: Person, waiting: Analysis
) -> None:
    withdraw(person.actor, person.subject, study.purpose)
    answer = stopped(study.key(), waiting)
    assert (answer.status_code, answer.json()["code"]) == (403, "consent-withdrawn")
    assert entries("refused") == [("client", "consent-withdrawn")]
    run_analysis(waiting.id)
    waiting.refresh_from_db()
    assert waiting.state == AnalysisState.REFUSED


def test_others_cannot(study: Study, waiting: Analysis) -> None:
    assert stopped(open_study().key(), waiting).status_code == 404
    assert (
        stopped(study.key(Scope.RECORDINGS_READ, Scope.RECORDINGS_UPLOAD), waiting).status_code
        == 403
    )
    waiting.refresh_from_db()
    assert waiting.state == AnalysisState.QUEUED


@pytest.mark.parametrize("turn", range(3))
def test_beside_a_worker_one_of_the_two_wins_as_a_whole(
    study: Study, person: Person, waiting: Analysis, monkeypatch: pytest.MonkeyPatch, turn: int
) -> None:
    """The worker saves at the very moment at which somebody cancels."""
    key, answers, ready = study.key(), list[Any](), threading.Barrier(2)
    real = saving.commit_results

    def together(*args: Any) -> Any:
        ready.wait()
        return real(*args)

    def cancelled() -> None:
        ready.wait()
        answers.append(stopped(key, waiting))

    monkeypatch.setattr(saving, "commit_results", together)
    at_once(lambda: run_analysis(waiting.id), cancelled)
    drain()
    waiting.refresh_from_db()
    (answer,) = answers
    if answer.status_code == 200:
        nothing_is_left(waiting, person)
        assert entries() == [("client", "")]
    else:
        assert (answer.status_code, answer.json()["code"]) == (409, "analysis-ended")
        assert waiting.state == AnalysisState.DONE
        assert waiting.results.count() == 3
        assert not entries()


def test_two_at_once_are_one(study: Study, person: Person, waiting: Analysis) -> None:
    key, answers = study.key(), list[Any]()
    at_once(*[lambda: answers.append(stopped(key, waiting))] * 4)
    assert [answer.status_code for answer in answers] == [200] * 4, [a.content for a in answers]
    assert len(entries()) == 1
    nothing_is_left(waiting, person)
