"""Keys, databases and disks that are away for a while: 503 with a name, and nothing is made or lost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from emotion import analyses, claims, saving, stopping, worker_gate
from emotion.analyses import run_analysis
from emotion.models import Analysis, AnalysisState, Result
from tests.cast import PHOTO, Person, Study, api_get, consenting, open_study, upload
from tests.faults.harm import KEYS_AWAY, SmallDisk, gone, restart_server, small_disk
from tests.faults.leftovers import living_keys, rows, sealed_files
from tests.vault.bao import Bao
from vault import cache

pytestmark = pytest.mark.usefixtures("fresh_db")


@pytest.fixture
def key(study: Study) -> str:
    return study.key()


def send(study: Study, key: str) -> Any:
    return upload(key, "P-001", study.purpose.id, PHOTO.read_bytes())


@pytest.fixture
def row(study: Study, person: Person, key: str) -> Analysis:
    """An accepted upload whose analysis nobody has claimed yet."""
    answer = send(study, key)
    assert answer.status_code == 202, answer.content
    return Analysis.objects.get()


def result(key: str, row: Analysis) -> Any:
    return api_get(key, "api_result", row.pk, Access_Reason="quality-check")


def later(row: Analysis) -> None:
    """The wait is over, and a worker is sent to it again."""
    Analysis.objects.filter(pk=row.pk).update(not_before=timezone.now() - timedelta(seconds=1))
    run_analysis(row.pk)
    row.refresh_from_db()


def waits(row: Analysis) -> float:
    """The row was given back with its try; for how many seconds it waits."""
    row.refresh_from_db()
    assert (row.state, row.tries, row.lease_until) == (AnalysisState.QUEUED, 0, None)
    return (row.not_before - timezone.now()).total_seconds()


def parts() -> dict[str, str]:
    answer = Client().get(reverse("readyz"))
    assert answer.status_code == 503
    return answer.json()["parts"]


@pytest.mark.parametrize(("harm", "code"), KEYS_AWAY.values(), ids=KEYS_AWAY)
def test_keys_that_are_away(
    study: Study,
    person: Person,
    key: str,
    row: Analysis,
    harm: Callable[[], AbstractContextManager[None]],
    code: str,
) -> None:
    run_analysis(row.pk)
    assert send(study, key).status_code == 202
    waiting = Analysis.objects.exclude(pk=row.pk).get()
    administrator = study.administrator.sign_in()
    before, files = rows(), sealed_files()
    with harm():
        for answer in (send(study, key), result(key, row)):
            assert (answer.status_code, answer.json()["code"]) == (503, code)
        assert person.browser.get(reverse("access_history")).status_code == 503
        run_analysis(waiting.pk)
        assert 10 < waits(waiting) <= 15
        assert parts()["keys"] == code
        page = administrator.get(reverse("operate_health"))
        assert page.status_code == 200
        assert "Cannot be used" in page.content.decode()
        assert (rows(), sealed_files()) == (before, files), "nothing is made or lost"
    later(waiting)
    assert waiting.state == AnalysisState.DONE
    assert result(key, row).status_code == 200
    assert result(key, waiting).status_code == 200
    assert send(study, key).status_code == 202


def test_a_key_server_that_is_sealed(on_a_server: Bao) -> None:
    study = open_study()
    person, key = consenting(study), study.key()
    assert send(study, key).status_code == 202
    row = Analysis.objects.get()
    run_analysis(row.pk)
    assert result(key, row).status_code == 200
    assert send(study, key).status_code == 202
    waiting = Analysis.objects.exclude(pk=row.pk).get()
    before, files = rows(), sealed_files()
    code = "key-provider-unavailable"
    with on_a_server.sealed():
        cache.opened.clear()  # as after a minute
        for answer in (send(study, key), result(key, row)):
            assert (answer.status_code, answer.json()["code"]) == (503, code)
        assert person.browser.get(reverse("access_history")).status_code == 503
        run_analysis(waiting.pk)
        assert 10 < waits(waiting) <= 15
        assert parts()["keys"] == code
        assert (rows(), sealed_files()) == (before, files), "nothing is made or lost"
    later(waiting)
    assert waiting.state == AnalysisState.DONE
    assert result(key, row).status_code == 200


def test_a_main_database_that_is_away(
    study: Study, person: Person, key: str, row: Analysis
) -> None:
    person.browser.raise_request_exception = False
    with gone("default"):
        answer = send(study, key)
        assert (answer.status_code, answer.json()["code"]) == (503, "database-unavailable")
        assert "file" not in answer.json()["detail"], "what the database said is not told"
        for page in ("subject_home", "front", "access_history"):
            assert person.browser.get(reverse(page)).status_code == 503, page
        assert Client().get(reverse("healthz")).status_code == 200
        assert parts()["database"] == "OperationalError"
        run_analysis(row.pk)
    row.refresh_from_db()
    assert (row.state, row.attempt) == (AnalysisState.QUEUED, 0)
    later(row)
    assert row.state == AnalysisState.DONE


def test_faults_of_the_installation_use_up_no_try(
    row: Analysis, caplog: pytest.LogCaptureFixture
) -> None:
    seconds = []
    with gone("keystore"), caplog.at_level(logging.WARNING, "emotion"):
        for _time in range(6):
            later(row)
            seconds.append(round(waits(row)))
    assert seconds == [15, 30, 60, 60, 60, 60]
    assert row.attempt == 6, "the number of the claim grows, so that a late worker saves nothing"
    lines = [record for record in caplog.records if record.name.startswith("emotion")]
    assert len(lines) == 6, "one line each time"
    assert "the keystore cannot be used" in lines[0].getMessage()
    later(row)
    assert row.state == AnalysisState.DONE


@contextmanager
def during_the_work(
    monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]
) -> Iterator[pytest.MonkeyPatch]:
    """Something happens each time that a photograph is about to be decoded."""
    decode = analyses.decode_photo

    def decoding(data: bytes) -> Any:
        happens()
        return decode(data)

    with monkeypatch.context() as patched:
        patched.setattr(analyses, "decode_photo", decoding)
        yield patched


def test_a_server_that_was_restarted_during_the_work_uses_up_no_try(
    row: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with during_the_work(monkeypatch, restart_server) as patched:
        patched.setattr(claims, "RELEASE_PAUSES", (0.0,))
        run_analysis(row.pk)
    assert waits(row) > 10
    later(row)
    assert row.state == AnalysisState.DONE


def test_a_worker_that_stops_uses_up_no_try_and_begins_nothing(
    row: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with during_the_work(monkeypatch, stopping.note_stop) as patched:
        patched.setattr(stopping, "_told", bytearray(1))
        for _ in range(2):
            run_analysis(row.id)
            row.refresh_from_db()
            assert (row.state, row.attempt, row.tries) == (AnalysisState.QUEUED, 1, 0)
    run_analysis(row.id)
    row.refresh_from_db()
    assert row.state == AnalysisState.DONE


def test_faults_of_the_recording_use_them_up(
    row: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def strange(*_arguments: Any) -> Any:
        raise ValueError("no face was ever like this")

    monkeypatch.setattr(analyses, "analyse_photo", strange)
    for number in (1, 2):
        later(row)
        assert (row.state, row.tries) == (AnalysisState.QUEUED, number)
    later(row)
    assert (row.state, row.reason) == (AnalysisState.FAILED, "attempts-exhausted")


@pytest.fixture
def disk(row: Analysis, tmp_path: Path) -> Any:
    with small_disk(tmp_path / "disk") as made:
        yield made


def test_a_disk_that_is_full_before_the_work(
    study: Study, person: Person, key: str, row: Analysis, disk: SmallDisk
) -> None:
    before, files = rows(), sealed_files()
    disk.fill()
    answer = send(study, key)
    assert answer.status_code in {503, 507}
    assert answer.json()["code"] in {"database-unavailable", "keystore-unavailable", "storage-full"}
    run_analysis(row.pk)
    disk.clear()
    assert (rows(), sealed_files()) == (before, files)
    row.refresh_from_db()
    assert (row.state, row.tries) == (AnalysisState.QUEUED, 0)
    later(row)
    assert row.state == AnalysisState.DONE


@pytest.mark.parametrize(
    ("place", "step"),
    [(worker_gate, "append_durable"), (saving, "sealed_row"), (saving, "commit_results")],
)
def test_a_disk_that_fills_during_the_work(
    person: Person,
    row: Analysis,
    disk: SmallDisk,
    monkeypatch: pytest.MonkeyPatch,
    place: ModuleType,
    step: str,
) -> None:
    """Before the log entry, before the keys of the results, and before they are saved."""
    real = getattr(place, step)

    def full_before(*arguments: Any, **named: Any) -> Any:
        disk.fill()
        return real(*arguments, **named)

    monkeypatch.setattr(place, step, full_before)
    monkeypatch.setattr(claims, "sleep", lambda _seconds: disk.clear())
    run_analysis(row.pk)
    disk.clear()
    assert waits(row) <= 15
    assert not Result.objects.exists()
    monkeypatch.setattr(place, step, real)
    later(row)
    assert row.state == AnalysisState.DONE
    assert Result.objects.count() == 3
    assert len(living_keys(person.subject)) <= 3 + 3, "at most the keys of a commit in doubt"
