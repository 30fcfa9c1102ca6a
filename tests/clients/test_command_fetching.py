"""The commands that wait for analyses and fetch results, exports and receipts."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import signal
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID

import pytest

from accounts.models import Scope
from audit_log.sequencer import integrate_once
from audit_log.signing import verifier_key
from consent.narrowing import pause, stop_category
from consent.withdrawals import withdraw
from consentry_client import AsyncClient, Client
from emotion.analyses import run_analysis
from emotion.models import Analysis
from emotion.result_rows import rows_of, table_as_csv
from tests.cast import consenting
from tests.clients.conftest import Consentry, Lab, command, surroundings
from tests.clients.failing_server import ME, Asked, Reply, failing_server
from tests.clients.test_retries import ANALYSIS
from tests.emotion.test_films import MEASURED, done, film_study, short
from tests.processes import wait_for


def analysed(lab: Lab, consentry: Consentry, session: Path) -> Analysis:
    """One photograph of the folder, uploaded by the command and analysed here."""
    for path in session.iterdir():
        if path.name != "P-001.jpg":
            path.unlink()
    assert consentry("upload", session).returncode == 0
    row = Analysis.objects.get()
    run_analysis(row.id)
    row.refresh_from_db()
    assert row.state == "done", row.reason
    return row


def test_results_are_fetched_once_and_erased_when_they_must_be(
    lab: Lab, consentry: Consentry, session: Path, tmp_path: Path
) -> None:
    person = consenting(lab.study, "P-001")
    row = analysed(lab, consentry, session)
    folder = tmp_path / "results"
    done = consentry("results", folder, "--reason", "study-analysis", "--to", "parquet")
    assert done.returncode == 0, done.stderr
    assert "1 fetched" in done.stdout
    assert "yours now" in done.stdout
    (expression,) = folder.rglob("expression.json")
    assert json.loads(expression.read_text())["top"] == "happy"
    with lab.client() as client:
        subject = client.find_subject("P-001").id
    assert expression.parent == folder / str(subject) / str(row.recording_id) / str(row.id)
    from pyarrow import parquet

    table = parquet.read_table(expression.with_suffix(".parquet")).to_pylist()
    happy = next(each for each in table if each["name"] == "happy")
    assert (happy["value"] > 0.9, happy["unit"]) == (True, "probability")
    assert next(each for each in table if each["name"] == "top")["word"] == "happy"
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path

    again = consentry("results", folder, "--reason", "study-analysis", "--to", "parquet")
    assert again.stdout.splitlines()[-1] == "1 there"
    other = consentry("results", folder, "--reason", "study-analysis", "--to", "csv")
    assert "1 fetched" in other.stdout
    # row for row what the server writes in an export, the ids first
    about = {
        "subject": str(subject),
        "recording": str(row.recording_id),
        "analysis": str(row.id),
        "recorded_at": row.recording.created_at.isoformat(),
    }
    for name, value in about.items():
        assert {each[name] for each in table} == {value}
    for path in folder.rglob("*.json"):
        theirs = table_as_csv(rows_of({path.stem: json.loads(path.read_text())}), about)
        assert path.with_suffix(".csv").read_bytes() == theirs
    assert ",expression,happy,0.9" in next(folder.rglob("expression.csv")).read_text()

    assert consentry("erasures", "--delete-from", folder).stdout == "nothing to do\n"
    withdraw(person.actor, person.subject, lab.study.purpose)
    listed = consentry("erasures")
    assert (listed.returncode, "1 to erase" in listed.stdout) == (1, True)
    assert f"to erase   subject {subject}, everything" in listed.stdout
    assert any(folder.rglob("*.json"))
    deleted = consentry("erasures", "--delete-from", folder)
    assert (deleted.returncode, "1 erased in" in deleted.stdout) == (1, True)
    assert not any(folder.iterdir())
    confirmed = consentry("erasures", "--delete-from", folder, "--acknowledge")
    assert (confirmed.returncode, "1 confirmed" in confirmed.stdout) == (0, True)
    assert consentry("erasures").stdout == "nothing to do\n"


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_each_moment_of_a_film_says_of_whom_it_is(
    lab: Lab, consentry: Consentry, tmp_path: Path, form: str
) -> None:
    study = film_study()
    consenting(study, categories=list(MEASURED))
    row = done(study, short())
    folder, key = tmp_path / "results", study.key()
    fetched = consentry(
        "results", folder, "--reason", "study-analysis", "--to", form, CONSENTRY_KEY=key
    )
    assert fetched.returncode == 0, fetched.stderr
    (path,) = folder.rglob(f"head-pose.{form}")
    if form == "csv":
        with path.open(newline="") as file:
            moments = list(csv.DictReader(file))
    else:
        from pyarrow import parquet

        moments = parquet.read_table(path).to_pylist()
    assert len(moments) == 60
    assert list(moments[0])[:5] == ["subject", "recording", "analysis", "recorded_at", "time"]
    assert {each["subject"] for each in moments} == {path.parents[2].name}
    assert {each["recording"] for each in moments} == {str(row.recording_id)}
    assert {each["analysis"] for each in moments} == {str(row.id)}


def test_an_export_is_one_archive_of_what_the_gate_lets_out(
    lab: Lab, consentry: Consentry, session: Path, tmp_path: Path
) -> None:
    person = consenting(lab.study, "P-001")
    row = analysed(lab, consentry, session)
    file, why = tmp_path / "all.zip", ("--reason", "study-analysis")
    nothing = consentry("export", file, *why, "--created-before", "2026-01-01")
    assert (nothing.returncode, nothing.stdout) == (0, "nothing to do\n"), nothing.stderr
    assert not file.exists()

    wanted = ("--to", "csv", "--category", "expression", "--created-after", "2026-01-01T00:00Z")
    done = consentry("export", file, *why, *wanted)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{file}: 1 fetched, 0 left out\nThis archive is yours now")
    assert file.stat().st_mode & 0o777 == 0o600
    with lab.client() as client:
        subject = client.find_subject("P-001").id
    unpacked, place = tmp_path / "unpacked", f"{subject}/{row.recording_id}/{row.id}"
    with zipfile.ZipFile(file) as archive:
        files = {f"{place}/expression.csv", f"{place}/summary.csv", "index.csv"}
        assert set(archive.namelist()) == files
        assert b",expression,happy,0.9" in archive.read(f"{place}/expression.csv")
        archive.extractall(unpacked)

    again = consentry("export", file, *why)
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    pause(person.actor, person.subject, lab.study.purpose)
    file = tmp_path / "paused.zip"
    paused = consentry("export", file, *why, "--subject", str(subject))
    told = f"{file}: 0 fetched, 1 left out (1 processing-restricted)"
    assert (paused.returncode, paused.stdout.splitlines()[:1]) == (1, [told]), paused.stderr

    # What was unpacked lies as what ``results`` fetches, so an erasure finds it.
    stop_category(person.actor, person.subject, lab.study.purpose, "expression")
    consentry("erasures", "--delete-from", unpacked, "--acknowledge")
    assert not (unpacked / place / "expression.csv").exists()
    assert (unpacked / place / "summary.csv").exists()
    withdraw(person.actor, person.subject, lab.study.purpose)
    consentry("erasures", "--delete-from", unpacked)
    assert [path.name for path in unpacked.iterdir()] == ["index.csv"]


EXPORT: dict[str, Any] = {
    "id": str(UUID(int=7)),
    "url": "http://127.0.0.1/",
    "content_url": "http://127.0.0.1/",
    "state": "ready",
    "reason": "study-analysis",
    "format": "json",
    "categories": [],
    "subjects": None,
    "created_after": None,
    "created_before": None,
    "created_at": "2026-11-23T00:09:48Z",
    "expires_at": "2026-11-24T00:09:48Z",
    "analyses": 1,
    "sent_at": None,
    "included": 0,
    "refused": {},
}


def archive(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name in names:
            file.writestr(name, "x" * 100)
    return made.getvalue()


def sending(content: Callable[[], bytes]) -> Callable[[Asked], Reply]:
    """A server that sends this archive as a whole answer, and has noted no end of it."""

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/content/"):
            return Reply(200, content())
        return Reply(200, ME if asked.path.endswith("/client/") else EXPORT)

    return answer


@pytest.mark.parametrize(
    ("content", "says", "status"),
    [
        (b"", "broke off on its way", 4),
        (archive("s/r/a/expression.json", "index.csv")[:-30], "broke off on its way", 4),
        (archive("s/r/a/expression.json"), "broke off on its way", 4),
        (b"<html>Bad gateway</html>", "broke off on its way", 4),
        (archive("s/r/a/expression.json", "index.csv"), "has not noted its end", 1),
    ],
    ids=["nothing", "cut", "without-contents", "a-page", "end-not-noted"],
)
def test_an_archive_that_broke_off_is_not_taken_for_whole(
    alone: Consentry, tmp_path: Path, content: bytes, says: str, status: int
) -> None:
    file = tmp_path / "all.zip"
    with failing_server() as server:
        server.by = sending(lambda: content)
        done = alone("export", file, "--reason", "study-analysis", CONSENTRY_URL=server.url)
    assert (done.returncode, says in done.stderr, done.stdout) == (status, True, "")
    assert [each.name for each in tmp_path.iterdir()] == (["all.zip"] if status == 1 else [])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_whoever_ends_an_export_finds_nothing_of_it(tmp_path: Path, number: signal.Signals) -> None:
    asked, over = Event(), Event()

    def wait() -> bytes:
        asked.set()
        over.wait(60)
        return b""

    folder = tmp_path / "here"
    with failing_server() as server:
        server.by = sending(wait)
        given = surroundings(tmp_path / "home", CONSENTRY_URL=server.url, CONSENTRY_KEY="cns_a_b")
        line = command("export", folder / "all.zip", "--reason", "study-analysis")
        heard = ["/usr/bin/env", "--default-signal"]  # whatever these tests were told to ignore
        child = subprocess.Popen([*heard, *line], env=given, stderr=subprocess.PIPE, text=True)
        assert asked.wait(60)
        assert [each.suffix for each in folder.iterdir()] == [".part"]
        child.send_signal(number)
        _out, errors = child.communicate(timeout=60)
        over.set()
    assert (child.returncode, "Interrupted" in errors) == (130, True)
    assert list(folder.iterdir()) == []


def test_an_interrupted_fetch_leaves_nothing_while_its_error_is_kept(tmp_path: Path) -> None:
    def interrupt(_so_far: int) -> None:
        raise KeyboardInterrupt

    async def walk() -> None:
        async with AsyncClient(server.url, "cns_a_b") as client:
            await client.fetch_export(UUID(int=7), tmp_path / "all.zip", progress=interrupt)

    with failing_server() as server:
        server.by = sending(lambda: archive("index.csv"))
        # The error holds on to every frame, and so to all that they hold.
        with Client(server.url, "cns_a_b") as client, pytest.raises(KeyboardInterrupt) as _kept:
            client.fetch_export(UUID(int=7), tmp_path / "all.zip", progress=interrupt)
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(KeyboardInterrupt) as _kept_too:
            asyncio.run(walk())
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        (),
        ("--reason", "curiosity"),
        ("--reason", "study-analysis", "--subject", "P-001"),
        ("--reason", "study-analysis", "--created-after", "yesterday"),
    ],
)
def test_a_wrong_export_is_asked_of_nobody(
    alone: Consentry, tmp_path: Path, wrong: tuple[str, ...]
) -> None:
    done = alone("export", tmp_path / "all.zip", *wrong)
    assert (done.returncode, "usage: consentry export" in done.stderr) == (2, True)


def test_a_key_without_the_scope_exports_nothing(
    lab: Lab, consentry: Consentry, tmp_path: Path
) -> None:
    weak = lab.study.key(Scope.RESULTS_READ)
    file = tmp_path / "all.zip"
    done = consentry("export", file, "--reason", "study-analysis", CONSENTRY_KEY=weak)
    assert (done.returncode, "results:export" in done.stderr) == (1, True)
    assert not file.exists()


def test_a_receipt_is_fetched_and_verified(
    lab: Lab, consentry: Consentry, session: Path, tmp_path: Path
) -> None:
    consenting(lab.study, "P-001")
    row = analysed(lab, consentry, session)
    with lab.client() as client:
        read = client.result(row.id, reason="study-analysis")
    integrate_once()
    file = tmp_path / "receipt.json"
    done = consentry("receipt", str(read.log_entry), file)
    assert done.returncode == 0, done.stderr
    assert "with its proof" in done.stdout
    assert file.stat().st_mode & 0o777 == 0o600
    nobody = {"CONSENTRY_URL": "", "CONSENTRY_KEY": ""}
    right = consentry("verify-receipt", file, "--key", verifier_key(), **nobody)
    assert right.returncode == 0, right.stdout
    assert right.stdout.splitlines()[-1].startswith("verified: 1 entry is in the log")
    document = json.loads(file.read_text())
    document["entries"][0]["proof"] = document["entries"][0]["proof"].replace(
        "index ", "index 1", 1
    )
    file.write_text(json.dumps(document))
    wrong = consentry("verify-receipt", file, "--key", verifier_key(), **nobody)
    assert wrong.returncode == 1
    assert wrong.stdout.splitlines()[-1].startswith("NOT VERIFIED:")
    missing = consentry("verify-receipt", tmp_path / "none", "--key", verifier_key(), **nobody)
    assert missing.returncode == 2


def test_an_analysis_that_is_taken_up_while_it_is_looked_for_is_waited_for(
    alone: Consentry,
) -> None:
    states = ["queued", "running", "done"]

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/client/"):
            return Reply(200, ME)
        if "state=" not in asked.path:
            return Reply(200, ANALYSIS | {"state": "done"})
        state = states.pop(0) if len(states) > 1 else states[0]  # a worker takes it after each look
        found = [ANALYSIS | {"state": state}] if f"state={state}" in asked.path else []
        return Reply(200, {"results": found, "next": None})

    with failing_server() as server:
        server.by = answer
        done = alone("watch", CONSENTRY_URL=server.url)
    assert (done.returncode, done.stdout.splitlines()[1:]) == (0, ["1 done"]), done.stderr


@pytest.mark.processes
def test_watching_ends_when_the_worker_has_done_all(
    lab: Lab, consentry: Consentry, session: Path, worker: subprocess.Popen[bytes]
) -> None:
    consenting(lab.study, "P-001")
    consentry("upload", session)
    done = consentry("watch", "--timeout", "100")
    assert done.returncode == 0, done.stdout + done.stderr
    wait_for(lambda: not Analysis.objects.exclude(state="done").exists(), 1, "all of them")
    late = consentry("watch")
    assert late.stdout == "nothing to do\n"
