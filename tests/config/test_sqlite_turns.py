"""SQLite's writers are served in the order in which they came (config/sqlite3)."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest
from django.db import OperationalError, connection, connections, transaction

from audit_log.actions import Action
from audit_log.entries import Draft, parse
from audit_log.log import append, append_durable
from tests.databases import is_sqlite

pytestmark = pytest.mark.usefixtures("fresh_db")
WRITERS = 6


@pytest.fixture
def held(fresh_db: None) -> sqlite3.Connection:
    """Somebody without our backend holds the write lock."""
    if not is_sqlite():
        pytest.skip("the lock file is SQLite's; PostgreSQL queues in the server")
    other = sqlite3.connect(
        connection.settings_dict["NAME"], isolation_level=None, check_same_thread=False
    )
    other.execute("BEGIN IMMEDIATE")
    return other


@pytest.mark.parametrize("in_transaction", [True, False])
def test_who_came_first_writes_first(held: sqlite3.Connection, in_transaction: bool) -> None:
    def write(number: int) -> None:
        draft = Draft(action=Action.RESULT_READ, actor=f"system:writer-{number}")
        if in_transaction:
            with transaction.atomic():
                append(draft)
        else:
            append_durable(draft)
        connections.close_all()

    writers = [threading.Thread(target=write, args=[number]) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
        time.sleep(0.2)  # long enough that it waits in the queue
    held.execute("COMMIT")
    for writer in writers:
        writer.join()
    with connection.cursor() as cursor:  # rows lie in the order in which they were written
        cursor.execute("SELECT body FROM audit_log_pendingentry ORDER BY rowid")
        written = [parse(body).draft.actor for (body,) in cursor.fetchall()]
    assert written == [f"system:writer-{number}" for number in range(WRITERS)]


def test_waiting_ends_for_all_at_their_own_time(held: sqlite3.Connection) -> None:
    took: list[float] = []

    def write() -> None:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 400")
        begun = time.monotonic()
        with pytest.raises(OperationalError, match="locked"), transaction.atomic():
            pass
        took.append(time.monotonic() - begun)
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout")
            assert cursor.fetchone() == (400,)
        connections.close_all()

    writers = [threading.Thread(target=write) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    held.execute("ROLLBACK")
    assert len(took) == WRITERS
    assert min(took) >= 0.4
    assert max(took) < 0.4 * 3, "not one after the other"


def test_queue_that_cannot_be_made_is_an_operational_error(held: sqlite3.Connection) -> None:
    held.execute("ROLLBACK")
    file = Path(f"{connection.settings_dict['NAME']}-turn")
    file.unlink(missing_ok=True)
    file.mkdir()
    with pytest.raises(OperationalError, match="unable to open"), transaction.atomic():
        pass
    file.rmdir()
    with transaction.atomic():
        pass
