"""The log as a folder: incremental, verifiable without the database, and what a restore replays."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError
from django.db import connections

from audit_log import export, signing, storage
from audit_log.checkpoint import Checkpoint as SignedTree
from audit_log.checkpoint import SignerKey, sign
from audit_log.errors import ExportInvalid, HistoryMismatch
from audit_log.export import export_log, exported_entries, verify_export
from audit_log.exported_keys import HISTORY
from audit_log.log import append_durable
from audit_log.merkle import leaf_hash, root_of
from audit_log.models import Checkpoint, LogEntry, PendingEntry
from audit_log.replay import missing_entries, replay
from audit_log.sequencer import exclusive, integrate_once
from audit_log.storage import Folder
from audit_log.verification import verify_database
from tests.audit_log.exports import DRAFT, command, files, write
from tests.databases import create, drop, is_sqlite, point

pytestmark = pytest.mark.usefixtures("fresh_db")


def bodies() -> list[bytes]:
    return [bytes(row.body) for row in LogEntry.objects.order_by("index")]


def test_an_empty_log_exports_nothing(tmp_path: Path) -> None:
    assert export_log(Folder(tmp_path / "log")).files == 0
    with pytest.raises(ExportInvalid, match="no checkpoint"):
        verify_export(Folder(tmp_path / "log"))


def test_exported_bit_by_bit_or_at_once_it_is_the_same(tmp_path: Path) -> None:
    for number in (3, 252, 1, 300, 1):
        write(number)
        export_log(Folder(tmp_path / "steps"))
        assert verify_export(Folder(tmp_path / "steps")).size == LogEntry.objects.count()
    assert LogEntry.objects.count() == 557
    export_log(Folder(tmp_path / "once"))
    found = files(tmp_path / "once")
    assert files(tmp_path / "steps").items() >= found.items()
    assert set(found) == {
        "checkpoint", HISTORY, "tile/0/000", "tile/0/001", "tile/0/002.p/45", "tile/1/000.p/2",
        "tile/entries/000", "tile/entries/001", "tile/entries/002.p/45",
    }  # fmt: skip
    assert not (tmp_path / "steps" / "tile/0/000.p").exists(), "a full tile replaces partial ones"
    assert list(exported_entries(Folder(tmp_path / "once"), 0, 557)) == bodies()
    assert list(exported_entries(Folder(tmp_path / "once"), 300, 557)) == bodies()[300:]
    assert found["tile/0/000"][:32] == leaf_hash(bodies()[0])
    assert found["tile/1/000.p/2"][:32] == root_of([leaf_hash(body) for body in bodies()[:256]])
    assert export_log(Folder(tmp_path / "once")).files == 0


def test_the_commands_say_how_far_it_goes(tmp_path: Path) -> None:
    write(5)
    said = command("export_log", str(tmp_path / "log"))
    assert "5 entries, 5 of them new, 2 tiles written" in said
    assert "0 of them new" in command("export_log", str(tmp_path / "log"))
    root = Checkpoint.objects.get().root.hex()
    assert command("verify_log", "--export", str(tmp_path / "log")) == (
        f"verified: 5 entries, root {root}\n"
    )
    stranger = str(SignerKey.generate("x.example/log").verifier)
    for words in (["--export", str(tmp_path / "log")], []):
        with pytest.raises(CommandError, match="here the log's own keys count"):
            command("verify_log", *words, "--key", stranger)
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="Not a directory"):
        command("export_log", str(tmp_path / "file"))


def forged_entry(folder: Path) -> None:
    """The entry, its bundle and its hash tile are forged together; only the checkpoint is honest."""
    path = folder / "tile/entries/000.p/9"
    forged = path.read_bytes().replace(b"result:read", b"result:erase", 1)
    body = bodies()[0].replace(b"result:read", b"result:erase", 1)
    path.write_bytes(len(body).to_bytes(2, "big") + forged[2:])
    tile = folder / "tile/0/000.p/9"
    tile.write_bytes(leaf_hash(body) + tile.read_bytes()[32:])


def shortened(folder: Path) -> None:
    path = folder / "tile/entries/000.p/9"
    path.write_bytes(path.read_bytes()[:-1])


def tile_changed(folder: Path) -> None:
    path = folder / "tile/0/000.p/9"
    path.write_bytes(bytes(32) + path.read_bytes()[32:])


def bundle_gone(folder: Path) -> None:
    (folder / "tile/entries/000.p/9").unlink()


def another_signer(folder: Path) -> None:
    name, root = signing.public_key().name, root_of([leaf_hash(body) for body in bodies()])
    (folder / "checkpoint").write_text(sign(SignedTree(name, 9, root), SignerKey.generate(name)))


@pytest.mark.parametrize(
    "harm", [forged_entry, shortened, tile_changed, bundle_gone, another_signer]
)
def test_a_folder_that_was_touched_is_not_verified(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    write(9)
    export_log(Folder(tmp_path))
    harm(tmp_path)
    with pytest.raises(ExportInvalid):
        verify_export(Folder(tmp_path))
    with pytest.raises(CommandError, match="NOT VERIFIED"):
        command("verify_log", "--export", str(tmp_path))


def test_a_folder_of_another_log_is_left_alone(tmp_path: Path) -> None:
    write(2)
    key = signing.signer_key()
    export_log(Folder(tmp_path))
    for size, root in ((3, b"r" * 32), (2, b"r" * 32)):
        (tmp_path / "checkpoint").write_text(sign(SignedTree(key.name, size, root), key))
        with pytest.raises(ExportInvalid, match="does not continue"):
            export_log(Folder(tmp_path))


def test_killed_at_any_write_the_folder_is_still_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(255)
    export_log(Folder(tmp_path))
    write(2)
    done = storage.write_durably
    left = 0

    def dying(path: Path, content: str | bytes, *, replace: bool) -> bool:
        nonlocal left
        left -= 1
        if left == 0:
            raise OSError("killed")
        return done(path, content, replace=replace)

    for step in range(1, 7):
        left = step
        with monkeypatch.context() as patch, pytest.raises(OSError, match="killed"):
            patch.setattr(storage, "write_durably", dying)
            export_log(Folder(tmp_path))
        assert verify_export(Folder(tmp_path)).size == 255
    # A full and a partial tile and bundle, one tile above, the checkpoint.
    assert export_log(Folder(tmp_path)).files == 5
    assert verify_export(Folder(tmp_path)).size == 257
    assert not list(tmp_path.rglob("000.p/255"))


def test_a_long_export_goes_on_where_it_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "STEP", 256)
    for _ in range(3):
        write(256)
    done, checkpoints = storage.write_durably, 0

    def dying(path: Path, content: str | bytes, *, replace: bool) -> bool:
        nonlocal checkpoints
        checkpoints += path.name == "checkpoint"
        if checkpoints == 2:
            raise OSError("killed")
        return done(path, content, replace=replace)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="killed"):
        patch.setattr(storage, "write_durably", dying)
        export_log(Folder(tmp_path))
    assert verify_export(Folder(tmp_path)).size == 256, "up to a checkpoint of then, not of the end"
    rest = export_log(Folder(tmp_path))
    assert (rest.before, rest.size, rest.files) == (256, 768, 6)
    assert verify_export(Folder(tmp_path)).size == 768


# --- replaying ----------------------------------------


class Backup:
    """The main database as it was, to be put back later."""

    def __init__(self, folder: Path) -> None:
        self.now, self.then = str(connections["default"].settings_dict["NAME"]), ""
        connections["default"].close()
        if is_sqlite():
            self.then = str(shutil.copyfile(self.now, folder / "backup.sqlite3"))
        else:
            self.then = f"{self.now}_backup"
            create(self.then, self.now)

    def put_back(self) -> None:
        point("default", self.then)

    def end(self) -> None:
        point("default", self.now)
        if not is_sqlite():
            drop(self.then)


def test_a_restored_database_gets_back_what_was_signed_after_the_backup(tmp_path: Path) -> None:
    write(300)
    append_durable(DRAFT)  # waits when the backup is made, and has a place later
    backup = Backup(tmp_path)
    write(300)
    export_log(Folder(tmp_path / "log"))
    whole, tree = bodies(), Checkpoint.objects.order_by("-size").first()
    assert tree is not None
    backup.put_back()
    try:
        append_durable(DRAFT)
        with pytest.raises(HistoryMismatch, match="behind"):
            integrate_once()
        assert missing_entries() == 301
        with exclusive() as mine:
            assert mine
            # On PostgreSQL the lock is this connection's own, which may take it twice.
            if is_sqlite():
                with pytest.raises(CommandError, match="keeper is running"):
                    command("replay_log", str(tmp_path / "log"))
        assert "301 entries replayed" in command("replay_log", str(tmp_path / "log"))
        assert bodies() == whole
        assert integrate_once() == 1
        assert missing_entries() == 0
        assert PendingEntry.objects.count() == 0
        verdict = verify_database()
        assert (verdict.problem, verdict.entries) == ("", 602)
        assert tree.note in set(Checkpoint.objects.values_list("note", flat=True))
        assert replay(tmp_path / "log") == 0
    finally:
        backup.end()


def test_what_does_not_continue_or_reach_far_enough_is_not_replayed(tmp_path: Path) -> None:
    write(3)
    backup = Backup(tmp_path)
    write(3)
    export_log(Folder(tmp_path / "short"))
    write(1)
    export_log(Folder(tmp_path / "log"))
    backup.put_back()
    try:
        with pytest.raises(HistoryMismatch, match="ends at 6 entries, but 7 were signed"):
            replay(tmp_path / "short")
        damaged = tmp_path / "log/tile/entries/000.p/7"
        kept = damaged.read_bytes()
        damaged.write_bytes(kept.replace(b"system:worker", b"system:keeper"))
        with pytest.raises(HistoryMismatch, match="another root"):
            replay(tmp_path / "log")
        damaged.write_bytes(kept)
        append_durable(DRAFT)  # the keeper went on with the restored database, on an older memory
        highest = signing.highest_path().read_text()
        signing.remember(Checkpoint.objects.get(size=3).note)
        integrate_once()
        older = signing.highest_path().read_text()
        signing.remember(highest)
        with pytest.raises(HistoryMismatch, match="another root"):
            replay(tmp_path / "log")
        assert LogEntry.objects.count() == 4
        for _ in range(6):  # it has more entries than the export by now, and other ones
            append_durable(DRAFT)
        signing.remember(older)
        integrate_once()
        signing.remember(highest)
        with pytest.raises(HistoryMismatch, match="the export has another root"):
            replay(tmp_path / "log")
    finally:
        backup.end()
