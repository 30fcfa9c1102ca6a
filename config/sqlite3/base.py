"""SQLite whose writers take turns in the order in which they came.

SQLite's own busy handler sleeps longer the longer it has waited, so that whoever has just come is
served first: with eight writers single ones waited for four seconds. Here they queue at a lock file
beside the database, and only the first of the queue asks SQLite for the write lock.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.sqlite3 import base

# What asks for the write lock when no transaction is open.
WRITING = ("BEGIN IMMEDIATE", "INSERT", "UPDATE", "DELETE")
STEP = 0.0003  # seconds between two questions of the first in the queue


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, with another cursor."""

    def create_cursor(self, name: str | None = None) -> Cursor:
        """A cursor whose statements wait their turn."""
        return self.connection.cursor(factory=Cursor)  # type: ignore[no-any-return]  # django-stubs leave out `connection`


class Cursor(base.SQLiteCursorWrapper):
    """Waits for the write lock in turn, as long as the connection's busy timeout says."""

    def execute(self, query: str, params: Any = None) -> Any:
        """Execute a statement; one that begins to write, as soon as it is its turn."""
        execute = super().execute
        if self.connection.in_transaction or not query.startswith(WRITING):
            return execute(query, params)
        return in_turn(self.connection, lambda: execute(query, params))


def in_turn(connection: sqlite3.Connection, work: Callable[[], Any]) -> Any:
    """Do it when nobody writes who came before. Raises sqlite3.OperationalError when it takes too long."""
    (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
    file = connection.execute("PRAGMA database_list").fetchone()[2]
    deadline = time.monotonic() + patience / 1000
    with turn(f"{file}-turn"):
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    return work()
                except sqlite3.OperationalError as error:
                    busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
                    if not busy or time.monotonic() > deadline:
                        raise
                time.sleep(STEP)
        finally:
            connection.execute(f"PRAGMA busy_timeout = {patience}")


@contextmanager
def turn(path: str) -> Iterator[None]:
    """Be the first in the queue. It moves on within the patience of whoever is, as each gives up in time.

    Raises sqlite3.OperationalError when the lock file cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise sqlite3.OperationalError(f"unable to open {path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
