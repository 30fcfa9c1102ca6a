"""A log whose last entries are lost goes on under another name, and says so to everybody."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from django.db import connections
from django.test import Client

from audit_log import origins, signing
from audit_log.actions import Action
from audit_log.checkpoint import Checkpoint as SignedTree
from audit_log.checkpoint import SignerKey, sign
from audit_log.entries import Draft
from audit_log.errors import ExportInvalid, HistoryMismatch, OriginRefused
from audit_log.export import export_log, verify_export
from audit_log.log import append_durable
from audit_log.models import LogEntry
from audit_log.origins import begin_origin
from audit_log.proofs import latest_checkpoint
from audit_log.rotation import rotate
from audit_log.sequencer import integrate_once
from audit_log.storage import Folder
from audit_log.verification import verify_database
from tests.databases import create, drop, is_sqlite, point
from tests.forks import killed_at
from tools.verify_access_log import main

pytestmark = pytest.mark.usefixtures("fresh_db")
DRAFT = Draft(action=Action.RESULT_READ, actor="system:worker", subject_tag=b"s" * 32)
NAME = "study.example/log-2"


def write(number: int = 1) -> None:
    for _ in range(number):
        append_durable(DRAFT)
    integrate_once()


@dataclass
class Lost:
    """A log of 5 entries that signed 9, and what it signed last."""

    folder: Path
    note: str
    old: SignerKey


@pytest.fixture
def lost(tmp_path: Path) -> Iterator[Lost]:
    """The database of a backup, with one entry that waited when it was made."""
    write(5)
    append_durable(DRAFT)
    now = str(connections["default"].settings_dict["NAME"])
    connections["default"].close()
    if is_sqlite():
        then = str(shutil.copyfile(now, tmp_path / "backup.sqlite3"))
    else:
        then = f"{now}_backup"
        create(then, now)
    write(3)
    tree = signing.highest_checkpoint()
    assert tree is not None
    assert tree[0].size == 9
    export_log(Folder(tmp_path / "old"))
    point("default", then)
    yield Lost(tmp_path, tree[1], signing.signer_key())
    point("default", now)
    if not is_sqlite():
        drop(then)


def test_it_goes_on_under_a_new_name_and_names_what_it_lost(lost: Lost) -> None:
    with pytest.raises(HistoryMismatch, match="behind"):
        integrate_once()
    history = begin_origin(NAME)
    write(2)
    newest = latest_checkpoint()
    assert newest and history.verify(newest.note).origin == NAME
    entry = LogEntry.objects.get(index=5).entry()
    assert entry.draft.action == Action.LOG_NEW_ORIGIN
    assert entry.draft.object_tag == sha256(lost.note.encode()).digest()
    assert json.loads(entry.draft.detail) == {
        "origin": lost.old.name, "size": 9, "root": history.verify(lost.note).root.hex(),
    }  # fmt: skip
    published = Client().get("/.well-known/consentry-log-ended/1")
    assert published.content.decode() == lost.note
    assert Client().get("/.well-known/consentry-log-ended/2").status_code == 404
    assert lost.old.encode() not in signing.secrets_path().read_text()
    assert begin_origin(NAME) == history, "safe to repeat"
    verdict = verify_database()
    assert (verdict.problem, verdict.entries) == ("", 9)
    export_log(Folder(lost.folder / "new"))
    assert verify_export(Folder(lost.folder / "new")).origin == NAME
    assert verify_export(Folder(lost.folder / "old")).origin == lost.old.name, (
        "old copies still verify"
    )
    words = ["export", str(lost.folder / "new"), "--key", str(history.current)]
    assert main(words) == 0
    with pytest.raises(ExportInvalid, match="export to another folder"):
        export_log(Folder(lost.folder / "old"))
    assert main([*words[:-1], str(lost.old.verifier)]) == 1, "no old key signed the new name"
    rotate()
    write()
    assert verify_database().problem == ""
    export_log(Folder(lost.folder / "new"))
    assert verify_export(Folder(lost.folder / "new")).origin == NAME
    assert main(words) == 0, "the new name's first key leads to its second"
    ended = lost.folder / "new" / "consentry-log-ended" / "1"
    ended.write_text(ended.read_text().replace("\n9\n", "\n8\n"))
    assert main(words) == 1
    with pytest.raises(OriginRefused, match="Nothing is lost"):
        begin_origin("study.example/log-3")


def test_the_old_origin_never_signs_again(lost: Lost) -> None:
    begin_origin(NAME)
    write()
    tree = SignedTree(lost.old.name, 10, b"r" * 32)
    signing.remember(sign(tree, lost.old))
    append_durable(DRAFT)
    with pytest.raises(HistoryMismatch, match="nothing after 9"):
        integrate_once()


@pytest.mark.parametrize("name", ["two words", "", "a+b", "testserver/log"])
def test_a_name_that_cannot_be_or_was_used_is_refused(lost: Lost, name: str) -> None:
    before = signing.key_history()
    with pytest.raises(OriginRefused):
        begin_origin(name)
    assert signing.key_history() == before
    assert LogEntry.objects.count() == 5


def test_without_a_loss_the_log_keeps_its_name() -> None:
    with pytest.raises(OriginRefused, match="Nothing was signed"):
        begin_origin(NAME)
    write(3)
    with pytest.raises(OriginRefused, match="Nothing is lost"):
        begin_origin(NAME)
    assert LogEntry.objects.count() == 3


STEPS = ["write_durably", "write_named", "write_history", "write_secrets", "prepared_key"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_nothing_is_signed_and_the_next_call_finishes(
    lost: Lost, step: str, after: bool
) -> None:
    owner = signing if step in {"write_history", "write_secrets"} else origins
    killed_at(owner, step, lambda: begin_origin(NAME), after=after)
    if signing.key_history().current.name != NAME:
        with pytest.raises(HistoryMismatch):
            integrate_once()
    begin_origin(NAME)
    write()
    assert LogEntry.objects.filter(action=Action.LOG_NEW_ORIGIN).count() == 1
    assert len(signing.read_secrets()) == 1
    assert verify_database().problem == ""


def test_an_old_note_that_is_gone_or_another_is_found(lost: Lost) -> None:
    begin_origin(NAME)
    write()
    signing.ended_path(1).write_text(lost.note.replace("\n9\n", "\n8\n"))
    assert "ended/1" in verify_database().problem
    signing.ended_path(1).unlink()
    assert "is missing" in verify_database().problem


def test_a_second_loss_makes_a_third_name(lost: Lost, monkeypatch: pytest.MonkeyPatch) -> None:
    begin_origin(NAME)
    write()
    size = LogEntry.objects.count()
    key = signing.signer_key()
    signing.remember(sign(SignedTree(NAME, size + 3, b"r" * 32), key))
    begin_origin("study.example/log-3")
    write()
    assert signing.key_history().ended_origins() == [str(lost.old.name), NAME]
    assert verify_database().problem == ""
