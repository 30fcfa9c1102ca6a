"""What is left of a key after its erasure, on the disk: nothing that a living key opens.

SQLite's files are clean. A database server keeps old row versions and its log for a while, like every
backup does: there the wrapped bytes are looked for and found, and after the rotation nothing unwraps them.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connections
from uuid_utils.compat import uuid7

from tests.databases import is_sqlite, journal_of
from tests.processes import wait_for
from tests.vault.cast import a_place
from vault import aead
from vault.epochs import rotate
from vault.errors import KeyDestroyed, RootKeyMissing
from vault.keyring import destroy_data_keys
from vault.keys import open_data_key, wrap_aad
from vault.models import DataKey
from vault.providers import configured
from vault.store import seal, seal_blob

pytestmark = pytest.mark.usefixtures("fresh_db")
KEY_ID = uuid7()
MARK = b"a face that was happy at ten o'clock"


def of_sqlite(tmp_path: Path) -> Iterator[bytes]:
    """Both databases with their write-ahead logs, data, queue, temporary files."""
    folders = [tmp_path, Path(settings.VAR_DIR), Path(settings.BLOB_DIR)]
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and settings.KEYS_DIR not in path.parents:
                yield path.read_bytes()
    for path in Path(tempfile.gettempdir()).glob("consentry*"):
        if path.is_file():
            yield path.read_bytes()


def of_postgresql() -> Iterator[bytes]:
    """The keystore's own file of data keys, and the server's write-ahead log."""
    with connections["keystore"].cursor() as cursor:
        cursor.execute("CHECKPOINT")
        cursor.execute("SELECT pg_read_binary_file(pg_relation_filepath('vault_datakey'))")
        yield bytes(cursor.fetchone()[0])
        cursor.execute("SELECT name FROM pg_ls_waldir() ORDER BY modification DESC LIMIT 8")
        for (name,) in cursor.fetchall():
            # The server may take a file away meanwhile: what is not there any more is left out.
            size = "pg_size_bytes(current_setting('wal_segment_size'))"
            cursor.execute(f"SELECT pg_read_binary_file('pg_wal/' || %s, 0, {size}, true)", [name])
            yield bytes(cursor.fetchone()[0] or b"")


def test_after_erasure_nothing_is_left_that_a_living_key_opens(tmp_path: Path) -> None:
    place = a_place()
    sealed = seal(place.permit, *place.where, MARK)
    with seal_blob(place.permit, *place.where, tmp_path / "film.sealed") as writer:
        writer.write(MARK * 1000)
        writer.commit()
    (tmp_path / "record.sealed").write_bytes(sealed)
    row = DataKey.objects.get(id=place.key_id)
    wrapped, epoch = bytes(row.wrapped or b""), row.epoch_id
    aad = wrap_aad(row, epoch)
    key = configured().unwrap(epoch, wrapped, aad)

    def found(what: bytes) -> bool:
        places = of_sqlite(tmp_path) if is_sqlite() else of_postgresql()
        return any(what in content for content in places)

    assert found(wrapped), "the search finds a living key's wrap, so it would find a dead one's"
    destroy_data_keys([place.key_id])
    if is_sqlite():
        assert not found(wrapped)
    rotate()
    if is_sqlite():
        assert not found(wrapped)
    with pytest.raises(RootKeyMissing):  # wherever else it lies: in old row versions, in a backup
        configured().unwrap(epoch, wrapped, aad)
    with pytest.raises(KeyDestroyed):
        open_data_key(place.key_id, place.unit)
    assert not found(MARK)
    assert not found(key), "the key itself was never written"


def test_a_forked_worker_never_seals_with_the_salt_of_another() -> None:
    def salt() -> bytes:
        return aead.seal(aead.Label.RECORD, bytes(32), KEY_ID, b"", MARK)[18:42]

    read, write = os.pipe()
    before = salt()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.write(write, salt())
            status = 0
        finally:
            os._exit(status)
    mine = salt()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    theirs = os.read(read, 24)
    os.close(read)
    os.close(write)
    assert len(theirs) == 24
    assert len({before, mine, theirs}) == 3


def test_the_journal_is_emptied_although_others_write_it_back_too() -> None:
    file, journal = journal_of("keystore")
    ended, turns = threading.Event(), []

    def write_back() -> None:
        own = sqlite3.connect(file)
        while not ended.is_set():
            own.execute("PRAGMA wal_checkpoint(PASSIVE)")
            turns.append(1)
        own.close()

    thread = threading.Thread(target=write_back)
    thread.start()
    try:
        places = [a_place() for _number in range(60)]
        for place in places:
            before = len(turns)
            destroy_data_keys([place.key_id])
            assert journal.stat().st_size == 0
            wait_for(lambda before=before: len(turns) > before)
    finally:
        ended.set()
        thread.join()


def test_who_reads_for_long_is_named_and_holds_no_erasure_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file, journal = journal_of("keystore")
    monkeypatch.setattr("vault.keys.JOURNAL_PATIENCE", 0.1)
    place, second = a_place(), a_place()
    with connections["keystore"].cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout=100")
    reader = sqlite3.connect(file)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM vault_datakey").fetchone()
    destroy_data_keys([place.key_id])
    assert "could not be emptied" in caplog.text
    assert DataKey.objects.get(id=place.key_id).wrapped is None
    reader.close()
    destroy_data_keys([second.key_id])
    with connections["keystore"].cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout={settings.LOCK_WAIT * 1000}")
    assert journal.stat().st_size == 0
