"""Withdrawals and deaths at every moment: never a result without consent, never a recording forgotten."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import connections, transaction
from django.utils import timezone

from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent import erasure
from consent.errors import ConsentRefused
from consent.models import ErasureCause, ErasureRequest
from consent.rules import Operation
from consent.withdrawals import withdraw
from emotion import analyses, saving
from emotion.analyses import read_face, run_analysis
from emotion.claims import Claim, Superseded, claim
from emotion.erasure import drain, drain_one, erase_recording
from emotion.models import Analysis, AnalysisState, Recording, Result
from emotion.saving import as_json, commit_results, save_results, sealed_row
from emotion.sealed_media import media_keys, media_unit
from emotion.sweeping import requeue_stale
from emotion.worker_gate import permit_for
from tests.broker import in_folder, waiting_messages, wipe
from tests.cast import CATEGORIES, PHOTO, Person, Study, analysed, consent, open_study, upload
from tests.faults.canary import Search
from tests.faults.harm import mounted
from tests.faults.leftovers import ENDED, NOTHING, living_keys, rows, sealed_files
from tests.processes import KEEPER, WORKER, make_broker_folders, running, wait_for
from vault.keyring import create_data_key, data_key_ids

pytestmark = pytest.mark.usefixtures("fresh_db")


@pytest.fixture
def study() -> Study:
    make_broker_folders()  # an installation's set-up makes them before anything is sent
    return open_study()


@pytest.fixture
def waiting(study: Study, person: Person) -> Analysis:
    """An accepted upload whose analysis nobody has claimed yet."""
    make_broker_folders()
    return accepted(study, study.key())


def accepted(study: Study, key: str) -> Analysis:
    answer = upload(key, "P-001", study.purpose.id, PHOTO.read_bytes())
    assert answer.status_code == 202, answer.content
    return Analysis.objects.select_related("recording").get(pk=answer.json()["analyses"][0]["id"])


def held(row: Analysis) -> Claim:
    taken = claim(row.id)
    assert taken is not None
    return taken


def nothing_came_of(row: Analysis, person: Person) -> None:
    """No result, no key, no media, and the row has ended."""
    drain()
    row.refresh_from_db()
    assert row.state in ENDED - {"done"}
    assert not Result.objects.exists()
    assert not living_keys(person.subject)
    keys = media_keys(row.recording, include_destroyed=True)
    assert keys
    assert not [path for path in sealed_files() if any(key.hex in path.name for key in keys)]


def refusals(action: Action) -> list[str | None]:
    integrate_once()
    found = LogEntry.objects.filter(action=action, outcome="refused")
    return list(found.values_list("reason", flat=True))


def test_withdrawal_between_upload_and_claim(
    study: Study, person: Person, waiting: Analysis
) -> None:
    withdraw(person.actor, person.subject, study.purpose)
    run_analysis(waiting.id)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason) == (AnalysisState.REFUSED, "consent-withdrawn")
    assert refusals(Action.ANALYSIS_REFUSE) == ["consent-withdrawn"]
    nothing_came_of(waiting, person)


@pytest.mark.parametrize(
    ("place", "step"),
    [(analyses, "decode_photo"), (analyses, "analyse_photo"), (saving, "create_data_key")],
)
def test_withdrawal_during_the_work(
    study: Study,
    person: Person,
    waiting: Analysis,
    monkeypatch: pytest.MonkeyPatch,
    place: ModuleType,
    step: str,
) -> None:
    real: Callable[..., Any] = getattr(place, step)

    def withdrawn_before(*args: Any, **kwargs: Any) -> Any:
        withdraw(person.actor, person.subject, study.purpose)
        return real(*args, **kwargs)

    monkeypatch.setattr(place, step, withdrawn_before)
    run_analysis(waiting.id)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason) == (AnalysisState.REFUSED, "consent-withdrawn")
    nothing_came_of(waiting, person)


def test_no_inference_after_a_withdrawal_during_decoding(
    study: Study, person: Person, waiting: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decoded(data: bytes) -> Any:
        withdraw(person.actor, person.subject, study.purpose)

    def inferred(*args: Any) -> Any:
        raise AssertionError("a face was measured after the withdrawal")

    monkeypatch.setattr(analyses, "decode_photo", decoded)
    monkeypatch.setattr(analyses, "analyse_photo", inferred)
    with pytest.raises(ConsentRefused):
        read_face(held(waiting))


def test_withdrawal_between_inference_and_save(
    study: Study, person: Person, waiting: Analysis
) -> None:
    mine = held(waiting)
    reading, chosen, picture = read_face(mine)
    withdraw(person.actor, person.subject, study.purpose)
    with pytest.raises(ConsentRefused):
        save_results(mine, reading, chosen, picture)
    nothing_came_of(waiting, person)


@pytest.mark.parametrize("again", [False, True])
def test_withdrawal_between_sealing_and_save(
    study: Study, person: Person, waiting: Analysis, again: bool
) -> None:
    """Also when the person has consented anew: that consent did not cover this recording."""
    mine = held(waiting)
    reading, chosen, _picture = read_face(mine)
    permit = permit_for(mine, Operation.SAVE_RESULT, Action.RESULT_SAVE, chosen)
    rows = [sealed_row(permit, mine, {}, name, as_json(part)) for name, part in reading.items()]
    withdraw(person.actor, person.subject, study.purpose)
    if again:
        drain()
        consent(person, study.purpose)
    with pytest.raises(ConsentRefused):
        commit_results(mine, permit, rows, None)
    assert not Result.objects.exists()
    nothing_came_of(waiting, person)


def test_a_lost_lease_between_sealing_and_save(person: Person, waiting: Analysis) -> None:
    slow = held(waiting)
    reading, chosen, _picture = read_face(slow)
    permit = permit_for(slow, Operation.SAVE_RESULT, Action.RESULT_SAVE, chosen)
    rows = [sealed_row(permit, slow, {}, name, as_json(part)) for name, part in reading.items()]
    Analysis.objects.filter(pk=waiting.pk).update(lease_until=timezone.now() - timedelta(days=1))
    assert held(waiting).attempt == 2
    with pytest.raises(Superseded):
        commit_results(slow, permit, rows, None)
    assert not Result.objects.exists()


def test_a_discarded_result_leaves_no_key(person: Person, waiting: Analysis) -> None:
    slow = held(waiting)
    reading, chosen, picture = read_face(slow)
    Analysis.objects.filter(pk=waiting.pk).update(lease_until=timezone.now() - timedelta(days=1))
    held(waiting)
    with pytest.raises(Superseded):
        save_results(slow, reading, chosen, picture)
    assert living_keys(person.subject) == [waiting.recording.media_key_id]


def test_two_processes_that_destroy_the_same_keys_note_them_once_and_for_all(
    study: Study, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keeper read its list when the withdrawal was just about to note the keys."""
    analysed(study)
    real, listed = erasure.keys_of, list[ErasureRequest]()

    def beside_the_keeper(request: ErasureRequest) -> Any:
        listed.extend(ErasureRequest.objects.waiting().filter(pk=request.pk)[: not listed])
        return real(request)

    monkeypatch.setattr(erasure, "keys_of", beside_the_keeper)
    request = withdraw(person.actor, person.subject, study.purpose)
    assert len(request.key_ids) >= len(CATEGORIES)
    noted, (stale,) = request.key_ids, listed
    drain_one(stale)
    request.refresh_from_db()
    assert request.rows_removed_at is not None
    assert request.key_ids == noted
    assert erasure.record_final() == 0, "the epoch that wrapped them is still the current one"


def test_an_erasure_whose_keys_another_one_destroyed_is_not_final_before_they_are(
    study: Study, person: Person
) -> None:
    """Both were filed; the narrower one came first, so the wider one found no living key of it."""
    recording = analysed(study).recording
    of_results = {
        str(key) for key in data_key_ids(subject_id=person.subject.id, recording_id=recording.id)
    }
    with transaction.atomic():
        narrow = erase_recording(recording, ErasureCause.DISCARDED, "system:keeper")
        wide = erase_recording(recording, ErasureCause.DISPUTE, "system:keeper")
    for request in (narrow, wide):
        drain_one(request)
    wide.refresh_from_db()
    assert len(of_results) == len(CATEGORIES) and set(wide.key_ids) == of_results
    assert erasure.record_final() == 0


def test_a_key_that_came_too_late_for_the_first_step_is_in_the_receipt(
    study: Study, person: Person
) -> None:
    recording = analysed(study).recording
    request = withdraw(person.actor, person.subject, study.purpose)
    late = create_data_key(media_unit(recording.id, person.subject.id, study.purpose.id))
    drain_one(request)
    request.refresh_from_db()
    assert str(late) in request.key_ids
    assert not living_keys(person.subject)


def test_retention_that_ends_between_inference_and_save(waiting: Analysis) -> None:
    mine = held(waiting)
    reading, chosen, picture = read_face(mine)
    Recording.objects.update(retain_until=timezone.now())
    with pytest.raises(ConsentRefused) as refused:
        save_results(mine, reading, chosen, picture)
    assert refused.value.reason == "retention-passed"
    assert not Result.objects.exists()


@pytest.mark.processes
def test_withdrawal_while_a_real_worker_works(
    study: Study, person: Person, worker: subprocess.Popen[bytes]
) -> None:
    key = study.key()
    mine = [accepted(study, key) for _number in range(4)]
    wait_for(lambda: Analysis.objects.filter(state="running").exists(), what="the worker")
    withdraw(person.actor, person.subject, study.purpose)
    seen_after = Result.objects.count()
    wait_for(
        lambda: not Analysis.objects.filter(state__in=["queued", "running"]).exists(),
        what="the end of every row",
    )
    assert Result.objects.count() <= seen_after, "a result was saved after the withdrawal"
    for row in mine:
        nothing_came_of(row, person)


def test_two_uploads_with_one_key_at_once(study: Study, person: Person) -> None:
    key, before = study.key(), sealed_files()
    answers: list[Any] = []
    together = threading.Barrier(4)

    def send() -> None:
        together.wait()
        answers.append(upload(key, "P-001", study.purpose.id, PHOTO.read_bytes(), "one-key"))
        connections.close_all()

    senders = [threading.Thread(target=send) for _number in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    told = {(answer.status_code, answer.json().get("code", "")) for answer in answers}
    assert told <= {(202, ""), (409, "idempotency-in-progress")}
    assert (202, "") in told
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1
    assert Recording.objects.count() == Analysis.objects.count() == 1
    assert len(sealed_files() - before) == 1
    assert len(living_keys(person.subject)) == 1


@pytest.mark.processes
def test_a_killed_worker_loses_nothing(study: Study, person: Person, tmp_path: Path) -> None:
    """Not even when the broker loses the message that it would send again by itself."""
    wipe()
    with running(WORKER, tmp_path / "first.log") as first:
        row = accepted(study, study.key())
        wait_for(lambda: Analysis.objects.get(pk=row.pk).state == "running", what="the worker")
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    if not in_folder():  # a message in a folder is gone when it was taken
        wait_for(waiting_messages, what="the broker to notice the death")
        assert wipe() == 1
    row.refresh_from_db()
    assert (row.state, row.attempt) == (AnalysisState.RUNNING, 1)
    assert claim(row.id) is None, "the lease still holds"
    Analysis.objects.filter(pk=row.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    with running(WORKER, tmp_path / "second.log"), running(KEEPER, tmp_path / "keeper.log"):
        wait_for(lambda: Analysis.objects.get(pk=row.pk).state in ENDED, what="the second worker")
    row.refresh_from_db()
    assert (row.state, row.attempt) == (AnalysisState.DONE, 2)
    assert Result.objects.filter(analysis=row).count() == 3


@pytest.mark.processes
def test_a_wiped_broker_loses_nothing(study: Study, person: Person, tmp_path: Path) -> None:
    key = study.key()
    mine = [accepted(study, key) for _number in range(2)]
    assert wipe() >= len(mine)
    assert not waiting_messages()
    # as the keeper finds them a minute later
    Analysis.objects.update(queued_at=timezone.now() - timedelta(minutes=1))
    with running(WORKER, tmp_path / "worker.log"), running(KEEPER, tmp_path / "keeper.log"):
        for row in mine:
            wait_for(lambda row=row: Analysis.objects.get(pk=row.pk).state in ENDED, what="it")
    assert {Analysis.objects.get(pk=row.pk).state for row in mine} == {"done"}


@pytest.mark.processes
@pytest.mark.parametrize("state", [AnalysisState.QUEUED, AnalysisState.RUNNING])
def test_the_keeper_sends_again_what_the_broker_lost(waiting: Analysis, state: str) -> None:
    """A row that waits too long, and one whose worker let its lease run out."""
    if state == AnalysisState.RUNNING:
        held(waiting)
    assert wipe()
    assert not requeue_stale(), "it is not stale yet"
    past = timezone.now() - timedelta(minutes=1)
    lease = past if state == AnalysisState.RUNNING else None
    Analysis.objects.filter(state=state).update(queued_at=past, lease_until=lease)
    assert requeue_stale() == 1
    assert [message for message in waiting_messages() if carries(message, waiting)]
    wipe()


@pytest.mark.processes
@pytest.mark.parametrize("state", [AnalysisState.QUEUED, AnalysisState.RUNNING])
def test_what_no_worker_takes_does_not_fill_the_queue(waiting: Analysis, state: str) -> None:
    if state == AnalysisState.RUNNING:
        held(waiting)
    wipe()
    began, sent = timezone.now() + timedelta(minutes=2), []
    for quarter in range(4 * 60):  # an hour of the keeper's sweeps
        with time_machine.travel(began + timedelta(seconds=15 * quarter), tick=False):
            if requeue_stale():
                sent.append(quarter / 4)
    assert len(waiting_messages()) == len(sent)
    assert len(sent) <= 10, "ever more seldom, up to every ten minutes"
    assert sent[1] <= 3
    wipe()
    with time_machine.travel(began + timedelta(minutes=70), tick=False):
        assert requeue_stale() == 1, "what was lost comes again"
        if state == AnalysisState.QUEUED:
            held(waiting)
            assert Analysis.objects.get().resend_at is None
    wipe()


def carries(message: bytes, row: Analysis) -> bool:
    return bool(Search({"the id": str(row.id).encode()}).names_in(message))


def test_a_row_that_no_worker_ever_ends_fails_with_a_reason(waiting: Analysis) -> None:
    for _attempt in range(3):
        assert claim(waiting.id) is not None
        Analysis.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert claim(waiting.id) is None
    requeue_stale()
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason) == (AnalysisState.FAILED, "attempts-exhausted")


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[None]:
    """Media lie on a file system of 32 KiB, which the photograph does not fit on."""
    usual = settings.BLOB_DIR
    with mounted(tmp_path / "small", "32k"):
        settings.BLOB_DIR = tmp_path / "small"
        yield
        settings.BLOB_DIR = usual


def test_a_full_disk_is_told_and_leaves_nothing(
    study: Study, person: Person, full_disk: None
) -> None:
    answer = upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes(), "again")
    assert (answer.status_code, answer.json()["code"]) == (507, "storage-full")
    assert not sealed_files()
    assert rows() == NOTHING
    assert not living_keys(person.subject)
