"""Promises: signed words, given as soon as an entry is committed, that the tree will hold it within a day.

Without them a *pending* entry that somebody drops leaves no trace. Whoever holds a promise, and an export
of the log that goes on after its end without the entry, can show both to anybody. The same idea as the
signed certificate timestamp of RFC 6962, section 3.2.

They are signed with a key of their own, so that the web processes, which give them, need not hold the key
of the checkpoints. The log's key certifies it: a verifier needs to trust one key only.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.db import connection

from audit_log import signing
from audit_log.checkpoint import InvalidNote, SignerKey, sign_text, verify_text
from audit_log.durable_files import write_durably
from audit_log.entries import Entry, parse
from audit_log.errors import AppendInsideTransaction, EntryUnknown, SigningKeyMissing
from audit_log.models import LogEntry, PendingEntry

WITHIN = timedelta(hours=24)
"""How long after its commit an entry is in the tree at the latest. A running keeper needs 200 ms."""
PROMISE, CERTIFICATE = "consentry-promise/1", "consentry-promise-key/1"
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def certificate_path() -> Path:
    """The public half, in a note that the log's key signed."""
    return signing.folder() / "promise_certificate"


def ensure_promise_key() -> None:
    """Make the key once for each origin, and have the log's keys certify it; safe to repeat.

    Raises SigningKeyMissing when the log's key is missing, or a file is not what it should be.
    """
    logs = signing.signer_keys()
    name = f"{logs[0].name}/promise"
    path = signing.promise_key_path()
    if not path.exists() or signing.read_secrets(path)[0].name != name:
        with signing.key_lock():
            write_durably(path, SignerKey.generate(name).encode() + "\n", replace=True)
    text = f"{CERTIFICATE}\n{signing.read_secrets(path)[0].verifier}\n"
    try:
        fits = all(verify_text(certificate(), log.verifier) == text for log in logs)
    except (SigningKeyMissing, InvalidNote):
        fits = False
    if not fits:
        write_durably(certificate_path(), sign_text(text, *logs), replace=True)


def certificate() -> str:
    """The note by which the log's key vouches for the key of promises. Raises SigningKeyMissing."""
    try:
        return certificate_path().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SigningKeyMissing(f"{certificate_path()}: {type(error).__name__}.") from error


def promise(entry_id: UUID) -> tuple[bytes, str]:
    """The bytes of a committed entry and the promise, a signed note, that a tree will hold it.

    Raises EntryUnknown, SigningKeyMissing, and AppendInsideTransaction in a transaction, which would see
    what is not committed yet.
    """
    if connection.in_atomic_block:
        raise AppendInsideTransaction
    # In this order: an entry moves from the first table to the second.
    row = (
        PendingEntry.objects.filter(entry_id=entry_id).first()
        or LogEntry.objects.filter(entry_id=entry_id).first()
    )
    if row is None:
        raise EntryUnknown(str(entry_id))
    key = signing.read_secrets(signing.promise_key_path())[0]
    return row.body, sign_text(text_of(parse(row.body), row.leaf_hash), key)


def text_of(entry: Entry, leaf: bytes) -> str:
    """What is signed: the log, the entry, its leaf hash, and when it is in the tree at the latest."""
    due = (entry.time + WITHIN).astimezone(UTC).strftime(TIME_FORMAT)
    origin = signing.public_key().name
    return f"{PROMISE}\n{origin}\n{entry.id}\n{base64.b64encode(leaf).decode()}\n{due}\n"


def overdue(now: datetime) -> int:
    """How many entries wait longer than was promised."""
    return PendingEntry.objects.filter(created__lt=now - WITHIN).count()
