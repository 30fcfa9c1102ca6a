"""SQLite whose writers take turns in the order in which they came.

SQLite's own busy handler sleeps longer the longer it has waited, so that whoever has just come is
served first: with eight writers single ones waited for three seconds. Here they queue at a lock file
beside the database, and only the first of the queue asks SQLite for the write lock.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError
from django.db.backends.sqlite3 import base

STEP = 0.0003  # seconds between two questions of the first in the queue


class DatabaseWrapper(base.DatabaseWrapper):
    """Begins transactions in turn, within the connection's busy timeout; all else is Django's."""

    def _start_transaction_under_autocommit(self) -> None:
        with self.wrap_database_errors:
            (patience,) = self.connection.execute("PRAGMA busy_timeout").fetchone()
            file = self.connection.execute("PRAGMA database_list").fetchone()[2]
        deadline = time.monotonic() + patience / 1000
        with turn(f"{file}-turn"):
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
                self.connection.execute(f"PRAGMA busy_timeout = {patience}")


@contextmanager
def turn(path: str) -> Iterator[None]:
    """Be the first in the queue, which moves on within the patience of whoever is.

    Raises OperationalError when the lock file cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise OperationalError(f"unable to open {path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_busy(error: OperationalError) -> bool:
    """Whether another connection has the write lock."""
    code = getattr(error.__cause__, "sqlite_errorcode", 0)
    return bool(code & 0xFF == sqlite3.SQLITE_BUSY)
