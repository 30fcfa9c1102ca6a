"""SQLite whose writers wait for each other in short, equal steps.

SQLite's own busy handler sleeps longer the longer it has waited, so that whoever has just come is
served first: with eight writers single ones waited for three seconds.
"""

from __future__ import annotations

import sqlite3
import time

from django.db import OperationalError
from django.db.backends.sqlite3 import base

STEP = 0.001  # seconds


class DatabaseWrapper(base.DatabaseWrapper):
    """Begins transactions as the connection's busy timeout allows; all else is Django's."""

    def _start_transaction_under_autocommit(self) -> None:
        with self.wrap_database_errors:
            (patience,) = self.connection.execute("PRAGMA busy_timeout").fetchone()
            deadline = time.monotonic() + patience / 1000
            self.connection.execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    return super()._start_transaction_under_autocommit()
                except OperationalError as error:
                    if not is_busy(error) or time.monotonic() > deadline:
                        raise
                time.sleep(STEP)
        finally:
            with self.wrap_database_errors:
                self.connection.execute(f"PRAGMA busy_timeout = {patience}")


def is_busy(error: OperationalError) -> bool:
    """Whether another connection has the write lock."""
    code = getattr(error.__cause__, "sqlite_errorcode", 0)
    return bool(code & 0xFF == sqlite3.SQLITE_BUSY)
