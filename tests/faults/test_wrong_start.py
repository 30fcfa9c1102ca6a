"""Starts that must not go on, each with one line and nothing made; and those that must."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit_log.actions import Action
from audit_log.models import LogEntry, PendingEntry
from audit_log.verification import verify_database
from consent.models import ErasureRequest
from consent.withdrawals import withdraw
from tests.cast import consenting, open_study
from tests.processes import KEEPER, ROOT, running, wait_for
from tests.tools.test_supervise import COMMAND, environment
from tools.installation import from_environment, prepare

pytestmark = pytest.mark.processes


def usual(folder: Path) -> dict[str, str]:
    """The same settings at every start, so that the set-up is skipped when nothing has changed."""
    return environment(folder, CONSENTRY_DEMO="0", SITE_URL="http://localhost:8000")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation as its first start leaves it."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "var" / "run").mkdir(parents=True)
    prepare(from_environment(usual(folder), 8000))
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy of it, which is to be harmed."""
    shutil.copytree(made, tmp_path / "place")
    return tmp_path / "place"


def files(folder: Path) -> dict[str, bytes]:
    """What counts: databases and keys."""
    found = [*(folder / "var").glob("*.sqlite3*"), *(folder / "keys").rglob("*")]
    return {str(path): path.read_bytes() for path in found if path.is_file()}


def refusal(folder: Path) -> str:
    """The one line with which the supervisor refuses; databases and keys stay as they are."""
    before = files(folder)
    given = usual(folder)
    done = subprocess.run(
        COMMAND, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60, umask=0o077
    )
    assert done.returncode == 1
    assert (done.stdout, done.stderr.count("\n")) == ("", 1), done
    assert files(folder) == before
    return done.stderr


def starts(folder: Path) -> None:
    """It would start now: every step of the set-up is taken."""
    prepare(from_environment(usual(folder), 8000))


def move(path: Path) -> Callable[[], object]:
    away = path.rename(path.with_name(path.name + ".away"))
    return lambda: away.rename(path)


def empty(path: Path) -> Callable[[], object]:
    back = move(path)
    path.touch()
    return back


def open_to_others(path: Path) -> Callable[[], object]:
    path.chmod(0o755)
    return lambda: path.chmod(0o700)


def other_key(path: Path) -> Callable[[], object]:
    [file] = path.glob("*.key")
    key = file.read_bytes()
    file.write_bytes(os.urandom(32))
    return lambda: file.write_bytes(key)


def no_database(path: Path) -> Callable[[], object]:
    back = move(path)
    path.write_bytes(b"not a database" * 100)
    return back


HARM = {
    "keystore-gone": (move, "var/keystore.sqlite3", "The keystore is empty or missing"),
    "keystore-empty": (empty, "var/keystore.sqlite3", "restore the keystore (KEYSTORE_URL)"),
    "main-gone": (move, "var/consentry.sqlite3", "restore the main database (DATABASE_URL)"),
    "main-empty": (empty, "var/consentry.sqlite3", "The main database is empty or missing"),
    "main-is-none": (no_database, "var/consentry.sqlite3", "DATABASE_URL cannot be used"),
    "epochs-gone": (move, "keys/epochs", "the folder of epoch keys is missing"),
    "epochs-open": (open_to_others, "keys/epochs", "has mode 0755; expected 0700"),
    "epochs-other": (other_key, "keys/epochs", "does not open under epoch"),
    "log-key-gone": (move, "keys/log/signing_key", "signed with it: restore it"),
}


@pytest.mark.parametrize(("harm", "where", "line"), HARM.values(), ids=HARM)
def test_harm_is_one_line_and_can_be_mended(
    place: Path, harm: Callable[[Path], Callable[[], object]], where: str, line: str
) -> None:
    mend = harm(place / where)
    assert line in refusal(place)
    mend()
    starts(place)


def set_mark(folder: Path, at: datetime) -> None:
    with closing(sqlite3.connect(folder / "var" / "consentry.sqlite3")) as database, database:
        database.execute("DELETE FROM audit_log_clockmark")
        text = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        database.execute("INSERT INTO audit_log_clockmark VALUES (1, ?, NULL, 0)", [text])


def test_a_clock_that_is_behind_is_one_line(made: Path) -> None:
    """In the folder itself: nothing but the clock has changed, so the set-up would be skipped."""
    now = datetime.now(UTC)
    try:
        set_mark(made, now + timedelta(minutes=4))
        starts(made)
        set_mark(made, now + timedelta(days=2))
        said = refusal(made)
        assert "The clock is behind" in said
        assert f"{now + timedelta(days=2):%Y-%m-%d %H:%M} UTC" in said
        assert "manage.py confirm_clock" in said
        given = usual(made)
        confirm = [sys.executable, "manage.py", "confirm_clock"]
        subprocess.run(confirm, cwd=ROOT, env=given, check=True, stdout=subprocess.DEVNULL)
        starts(made)
    finally:
        set_mark(made, now)


@contextmanager
def supervised(folder: Path, end: int) -> Iterator[subprocess.Popen[bytes]]:
    """A supervisor that has started everything; ended by a signal."""
    keeper = folder / "var" / "run" / "keeper.pid"
    keeper.write_text("1\n")  # left by an earlier life, and somebody else's number by now
    given = usual(folder)
    with (folder / "said").open("a") as said:
        child = subprocess.Popen(COMMAND, cwd=ROOT, env=given, stdout=said, stderr=said)
        try:
            wait_for(lambda: child.poll() is not None or keeper.read_text() != "1\n", 60, "it")
            assert child.poll() is None, (folder / "said").read_text()
            yield child
        finally:
            child.send_signal(end)
            child.wait(30)


def test_a_killed_supervisor_leaves_nothing_in_the_way(place: Path) -> None:
    for end in (signal.SIGKILL, signal.SIGTERM):
        with supervised(place, end) as child:
            given = usual(place)
            second = subprocess.run(
                COMMAND, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60
            )
            assert second.returncode == 1
            line = f"Consentry already runs in {place / 'var'} (process {child.pid}).\n"
            assert (second.stdout, second.stderr) == ("", line)


@pytest.mark.usefixtures("fresh_db")
def test_two_keepers_do_everything_once(tmp_path: Path) -> None:
    study = open_study()
    person = consenting(study)
    with running(KEEPER, tmp_path / "1.log") as one, running(KEEPER, tmp_path / "2.log") as two:
        withdraw(person.actor, person.subject, study.purpose)
        wait_for(lambda: ErasureRequest.objects.get().rows_removed_at, 60, "the erasure")
        wait_for(lambda: not PendingEntry.objects.exists(), 60, "the log")
        assert (one.poll(), two.poll()) == (None, None)
    done = LogEntry.objects.filter(action=Action.ERASURE_KEYS_DESTROYED)
    assert done.count() == 1
    assert not verify_database().problem
    assert "Traceback" not in (tmp_path / "1.log").read_text() + (tmp_path / "2.log").read_text()
