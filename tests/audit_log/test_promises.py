"""Promises: an entry that was dropped before it had a place in the tree is missed by whoever holds one."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection, transaction
from django.utils import timezone

from audit_log import promises, signing
from audit_log.actions import Action
from audit_log.checkpoint import SignerKey, VerifierKey, sign_text
from audit_log.entries import Draft
from audit_log.errors import AppendInsideTransaction, EntryUnknown, SigningKeyMissing
from audit_log.export import export_log
from audit_log.log import append, append_durable
from audit_log.models import PendingEntry
from audit_log.promises import WITHIN, ensure_promise_key, promise
from audit_log.receipts import receipt_document
from audit_log.rotation import rotate
from audit_log.sequencer import integrate_once
from audit_log.storage import Folder
from audit_log.verification import verify_database
from tests.databases import is_sqlite
from tools import verify_access_log

pytestmark = pytest.mark.usefixtures("fresh_db")
DRAFT = Draft(action=Action.CONSENT_WITHDRAW, actor="anonymous")


def written(folder: Path, document: Any) -> Path:
    path = folder / "receipt.json"
    path.write_text(json.dumps(document))
    return path


def say(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """The verifier's exit status and last line."""
    key = ["--key", signing.verifier_key()]
    status = verify_access_log.main([*map(str, arguments), *key])
    return status, capsys.readouterr().out.splitlines()[-1]


def drop(receipt: Any) -> None:
    """What whoever owns the database can do: take the rules away, remove a waiting entry, put them back."""
    table = "audit_log_pendingentry"
    with rules_away(table), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE entry_id = %s", [key_of(receipt.entry_id)])
        assert cursor.rowcount == 1


def key_of(id: Any) -> Any:
    return id.hex if is_sqlite() else id


@contextmanager
def rules_away(table: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        if is_sqlite():
            cursor.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s",
                [table],
            )
            made = cursor.fetchall()
            for name, _sql in made:
                cursor.execute(f'DROP TRIGGER "{name}"')
            yield
            for _name, sql in made:
                cursor.execute(sql)
        else:
            cursor.execute(
                "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal",
                [table],
            )
            found = [name for (name,) in cursor.fetchall()]
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            yield
            for name in found:
                cursor.execute(f'ALTER TABLE {table} ENABLE ALWAYS TRIGGER "{name}"')


def test_a_promise_is_a_signed_note_about_one_entry() -> None:
    """Taken apart by hand, with the keys from the files."""
    receipt = append_durable(DRAFT)
    body, note = promise(receipt.entry_id)
    text, block = note.split("\n\n")
    row = PendingEntry.objects.get()
    due = (row.created + WITHIN).strftime("%Y-%m-%dT%H:%M:%SZ")
    leaf = base64.b64encode(receipt.leaf_hash).decode()
    assert body == row.body
    assert text.split("\n") == [
        "consentry-promise/1",
        "testserver/log",
        str(row.entry_id),
        leaf,
        due,
    ]
    dash, name, encoded = block.rstrip("\n").split(" ")
    certified, _ = promises.certificate().split("\n\n")
    kind, key = certified.split("\n")
    public = VerifierKey.parse(key)
    assert (dash, name, kind) == ("—", "testserver/log/promise", "consentry-promise-key/1")
    signature = base64.b64decode(encoded)[4:]
    Ed25519PublicKey.from_public_bytes(public.public).verify(signature, f"{text}\n".encode())
    assert public.public != signing.public_key().public


def test_nothing_is_promised_that_may_still_be_rolled_back() -> None:
    with transaction.atomic():
        appended = append(DRAFT)
        with pytest.raises(AppendInsideTransaction):
            promise(appended.entry_id)
        with pytest.raises(AppendInsideTransaction):
            receipt_document([appended.entry_id])
        transaction.set_rollback(True)
    with pytest.raises(EntryUnknown):
        promise(appended.entry_id)


def test_a_receipt_has_a_promise_until_it_has_a_proof(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = append_durable(DRAFT)
    integrate_once()
    new = append_durable(DRAFT)
    path = written(tmp_path, receipt_document([old.entry_id, new.entry_id]))
    status, line = say(capsys, "receipt", path)
    assert status == 0
    assert line.startswith("verified: 1 entry is in the log testserver/log, under a checkpoint")
    assert "; 1 entry is promised until 2" in line
    integrate_once()
    path = written(tmp_path, receipt_document([old.entry_id, new.entry_id]))
    status, line = say(capsys, "receipt", path)
    assert (status, "promised" in line) == (0, False)
    assert line.startswith("verified: 2 entries are in the log")


def test_a_promise_is_kept_open_or_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Attack 9: a waiting entry is removed by whoever owns the database; receipt and export show it."""
    kept, lost = append_durable(DRAFT), append_durable(DRAFT)
    path = written(tmp_path, receipt_document([kept.entry_id, lost.entry_id]))
    drop(lost)
    integrate_once()
    export_log(Folder(tmp_path / "early"))
    assert verify_database().problem == "", "the tree itself knows nothing of it"
    status, line = say(capsys, "promise", path, tmp_path / "early")
    assert (status, line) == (
        0,
        "verified: promises kept: 1, not due yet: 1, in a log of 1 entries",
    )
    with time_machine.travel(timezone.now() + WITHIN + timedelta(minutes=1)):
        append_durable(DRAFT)
        integrate_once()
        export_log(Folder(tmp_path / "late"))
    status, line = say(capsys, "promise", path, tmp_path / "late")
    assert status == 1
    assert line.startswith("NOT VERIFIED: a promise was broken: the log goes on until ")
    assert str(lost.entry_id) in line
    assert str(kept.entry_id) not in line


def test_an_entry_that_waits_too_long_is_a_fault_of_the_log() -> None:
    append_durable(DRAFT)
    assert verify_database().problem == ""
    with time_machine.travel(timezone.now() + WITHIN + timedelta(seconds=1)):
        assert "1 entries wait longer than was promised" in verify_database().problem
        integrate_once()
        assert verify_database().problem == ""


def test_a_forged_promise_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = receipt_document([append_durable(DRAFT).entry_id])
    other = receipt_document([append_durable(DRAFT).entry_id])
    forger = SignerKey.generate("testserver/log/promise")
    text = document["entries"][0]["promise"].split("\n\n")[0] + "\n"
    certified = sign_text(f"consentry-promise-key/1\n{forger.verifier}\n", SignerKey.generate("x"))
    (entry,) = document["entries"]
    for changed, words in [
        ({"entries": [entry | {"promise": sign_text(text, forger)}]}, "not signed by a key"),
        ({"promise_certificate": certified}, "not signed by a key you gave"),
        ({"entries": [entry | {"entry": other["entries"][0]["entry"]}]}, "another entry"),
        (
            {"entries": [entry | {"promise": entry["promise"].replace("-", "/", 1)}]},
            "malformed|wrong",
        ),
        ({"promise_certificate": None}, "has an entry and a proof, or a certified promise"),
        ({"entries": [entry | {"proof": "c2sp.org/tlog-proof@v1\n"}]}, "has an entry and a proof"),
    ]:
        status, line = say(capsys, "receipt", written(tmp_path, document | changed))
        assert status == 1, changed
        assert any(each in line for each in words.split("|")), line


def test_the_key_of_promises_follows_the_logs_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = promises.certificate()
    ensure_promise_key()
    assert promises.certificate() == before, "what fits stays as it is"
    entry = append_durable(DRAFT)
    integrate_once()
    rotate()
    ensure_promise_key()
    append_durable(DRAFT)
    integrate_once()
    assert promises.certificate() != before
    assert promises.certificate().split("\n")[:2] == before.split("\n")[:2], "of the same key"
    late = append_durable(DRAFT)
    path = written(tmp_path, receipt_document([entry.entry_id, late.entry_id]))
    assert say(capsys, "receipt", path)[0] == 0


def test_without_its_key_nothing_is_promised() -> None:
    entry = append_durable(DRAFT)
    signing.promise_key_path().chmod(0o644)
    with pytest.raises(SigningKeyMissing, match="0600"):
        promise(entry.entry_id)
    signing.promise_key_path().unlink()
    with pytest.raises(SigningKeyMissing):
        promise(entry.entry_id)
    promises.certificate_path().unlink()
    with pytest.raises(SigningKeyMissing):
        promises.certificate()
