"""Writing to the log: with a change, in its transaction; or alone, before something is released.

``append`` hands out its receipt when the transaction has committed. Only ``append_durable`` gives the
``DurableReceipt`` that the vault accepts. Both insert a row without taking a lock; the sequencer gives
it a place in the tree.
"""

from __future__ import annotations

import secrets
import threading
import time
from typing import Any, NoReturn
from uuid import UUID

import psycopg
from django.db import Error, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from uuid_utils.compat import uuid7

from audit_log.entries import Draft, Entry
from audit_log.errors import (
    AppendInsideTransaction,
    AppendOutsideTransaction,
    LogUnavailable,
    ReceiptAlreadyUsed,
    ReceiptNotCommitted,
)
from audit_log.merkle import leaf_hash
from audit_log.models import PendingEntry

# Without it no receipt can be built; it never leaves this module. It stops mistakes, not hostile code.
_token = secrets.token_bytes(16)

FIELDS = {field.attname: field for field in PendingEntry._meta.concrete_fields}
INSERT = """INSERT INTO "audit_log_pendingentry" ("entry_id", "created", "leaf_hash", "body")
    VALUES (%s, %s, %s, %s)"""


class DurableReceipt:
    """Proof, inside this process, that an entry is committed. It opens one thing once.

    It cannot be built elsewhere, copied or stored. ``written_at`` is ``time.monotonic()``, in seconds.
    """

    __slots__ = ("_lock", "_used", "draft", "entry_id", "leaf_hash", "written_at")
    draft: Draft
    entry_id: UUID
    leaf_hash: bytes
    written_at: float
    _lock: threading.Lock
    _used: bool

    def __init__(self, token: bytes, entry: Entry, leaf: bytes) -> None:
        if token is not _token:
            raise TypeError("a DurableReceipt is given by append_durable and cannot be built")
        values = {
            "entry_id": entry.id,
            "draft": entry.draft,
            "leaf_hash": leaf,
            "written_at": time.monotonic(),
            "_lock": threading.Lock(),
            "_used": False,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def consume(self) -> None:
        """Use the receipt. Raises ReceiptAlreadyUsed the second time, in any thread."""
        with self._lock:
            if self._used:
                raise ReceiptAlreadyUsed
            object.__setattr__(self, "_used", True)

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("DurableReceipt cannot be extended")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"a DurableReceipt cannot be changed: {name}")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a DurableReceipt cannot be copied or stored")


class CommittedReceipt:
    """That an entry of a change was committed. The vault does not accept it."""

    __slots__ = ("entry_id", "leaf_hash")

    def __init__(self, entry_id: UUID, leaf: bytes) -> None:
        self.entry_id = entry_id
        self.leaf_hash = leaf


class Appended:
    """An entry written in a transaction that may still roll back."""

    def __init__(self, entry_id: UUID, leaf: bytes) -> None:
        self.entry_id = entry_id
        self._receipt = CommittedReceipt(entry_id, leaf)
        self._committed = False

    def _commit(self) -> None:
        self._committed = True

    @property
    def receipt(self) -> CommittedReceipt:
        """The receipt. Raises ReceiptNotCommitted before the commit and after a rollback."""
        if not self._committed:
            raise ReceiptNotCommitted
        return self._receipt


def append(draft: Draft) -> Appended:
    """Write an entry in the transaction of the change it belongs to, on the main database.

    Raises AppendOutsideTransaction outside ``transaction.atomic()``. Raises LogUnavailable when the
    row cannot be written, and then the transaction can only roll back: no change without its entry.
    """
    connection = transaction.get_connection()
    if not connection.in_atomic_block:
        raise AppendOutsideTransaction
    entry, leaf, body = prepare(draft)
    try:
        insert(entry, leaf, body, connection)
    except Error as error:
        # insert() has marked the transaction: it can only roll back, even if somebody swallows this.
        raise LogUnavailable from error
    appended = Appended(entry.id, leaf)
    transaction.on_commit(appended._commit)
    return appended


def append_durable(draft: Draft) -> DurableReceipt:
    """Write an entry alone and commit it: before something is released, or after a refusal.

    Raises AppendInsideTransaction inside a transaction, whose rollback could take the entry with it,
    and LogUnavailable when the row cannot be written.
    """
    connection = transaction.get_connection()
    entry, leaf, body = prepare(draft)
    try:
        if connection.in_atomic_block or not connection.get_autocommit():
            raise AppendInsideTransaction
        insert(entry, leaf, body, connection)
    except Error as error:
        drop_broken(connection)
        raise LogUnavailable from error
    return DurableReceipt(_token, entry, leaf)


def prepare(draft: Draft) -> tuple[Entry, bytes, bytes]:
    """The entry of a draft, its leaf hash and its canonical bytes, not yet written."""
    entry = Entry(id=uuid7(), time=timezone.now(), draft=draft)
    body = entry.canonical()
    return entry, leaf_hash(body), body


def insert(entry: Entry, leaf: bytes, body: bytes, connection: BaseDatabaseWrapper) -> None:
    """Write the row with the one statement that it takes.

    Every read and every change waits for this. ``save()`` would build a row and compile the same
    statement anew each time, which takes longer than everything else about an entry.
    """
    row = {"entry_id": entry.id, "created": entry.time, "leaf_hash": leaf, "body": body}
    values = [FIELDS[name].get_db_prep_save(value, connection) for name, value in row.items()]
    with (
        transaction.mark_for_rollback_on_error(connection.alias),
        server_binding_cursor(connection) as cursor,
    ):
        cursor.execute(INSERT, values)


def server_binding_cursor(connection: BaseDatabaseWrapper) -> CursorWrapper:
    """A cursor of this connection, on PostgreSQL one that sends values beside the statement.

    Django's would write them into it (client-side binding), for which an append takes half as much
    processor time again. Nothing is prepared on the server, so that a pooler may stand between.
    """
    if connection.vendor != "postgresql":
        return connection.cursor()
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    cursor: Any = psycopg.Cursor(connection.connection)
    wrap = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    return wrap(cursor)


def drop_broken(connection: BaseDatabaseWrapper) -> None:
    """Let the next attempt have a new connection when this one is dead."""
    connection.close_if_unusable_or_obsolete()
