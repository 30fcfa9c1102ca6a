import shutil
import stat
import threading
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connections

from audit_log import signing
from audit_log.actions import Action
from audit_log.checkpoint import Checkpoint as SignedTree
from audit_log.checkpoint import sign
from audit_log.durable_files import write_durably
from audit_log.entries import Draft
from audit_log.errors import HistoryMismatch, SigningKeyMissing
from audit_log.export import export_log
from audit_log.log import append_durable
from audit_log.models import Checkpoint
from audit_log.replay import replay
from audit_log.sequencer import integrate_once
from audit_log.signing import ensure_key, highest_checkpoint, remember, signer_key, verifier_key
from audit_log.storage import Folder


@pytest.fixture(autouse=True)
def keys(fresh_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(settings, "KEYS_DIR", tmp_path / "no keys yet")
    return tmp_path / "no keys yet" / "log"


def test_key_is_made_once_with_the_given_origin(keys: Path) -> None:
    ensure_key(origin="log.example/study")
    first = (keys / "signing_key").read_text()
    ensure_key(origin="log.example/study")
    ensure_key()
    assert (keys / "signing_key").read_text() == first
    assert verifier_key() == str(signer_key().verifier)
    assert verifier_key().startswith("log.example/study+")


def test_key_is_readable_by_its_owner_only(keys: Path) -> None:
    ensure_key()
    assert stat.S_IMODE((keys / "signing_key").stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700


def test_origin_is_the_sites_host_unless_given(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SITE_URL", "https://study.example")
    ensure_key()
    assert signer_key().name == "study.example/log"


def test_key_under_another_origin_is_refused() -> None:
    ensure_key(origin="one.example")
    with pytest.raises(SigningKeyMissing, match=r"expected 'two\.example'"):
        ensure_key(origin="two.example")


def test_impossible_origin_is_refused(keys: Path) -> None:
    with pytest.raises(SigningKeyMissing, match="cannot be an origin"):
        ensure_key(origin="two words")
    assert not (keys / "signing_key").exists()


def test_a_log_that_was_signed_gets_no_second_key(keys: Path) -> None:
    """Its folder is not mounted, say: another key under its name would sign another log."""
    ensure_key()
    append_durable(Draft(action=Action.LOG_START, actor="system:setup"))
    integrate_once()
    shutil.move(keys, keys.with_name("elsewhere"))
    with pytest.raises(SigningKeyMissing, match="this log was signed: mount or restore"):
        ensure_key()
    assert not keys.exists()
    shutil.move(keys.with_name("elsewhere"), keys)
    (keys / "verifier_key").rename(keys / "kept")
    with pytest.raises(SigningKeyMissing, match="this log was signed"):
        ensure_key()
    (keys / "kept").rename(keys / "verifier_key")
    ensure_key()


def test_without_the_memory_of_what_was_signed_nothing_is(keys: Path, tmp_path: Path) -> None:
    """A backup that is put back then could be continued to another tree of a signed size."""
    ensure_key()
    append_durable(Draft(action=Action.LOG_START, actor="system:setup"))
    integrate_once()
    (note,) = Checkpoint.objects.all()
    export_log(Folder(tmp_path / "log"))
    (keys / "highest_checkpoint").unlink()
    append_durable(Draft(action=Action.LOG_READ, actor="anonymous"))
    with pytest.raises(HistoryMismatch, match="highest_checkpoint is gone"):
        integrate_once()
    assert Checkpoint.objects.count() == 1
    assert replay(tmp_path / "log") == 0
    remembered = highest_checkpoint()
    assert remembered is not None
    assert remembered[1] == note.note
    integrate_once()
    assert Checkpoint.objects.count() == 2


def test_processes_that_start_together_agree_on_one_key(keys: Path) -> None:
    found, barrier = [], threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        try:
            ensure_key()
        finally:
            connections.close_all()
        found.append(signer_key())

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({key.seed for key in found}) == 1
    names = sorted(path.name for path in keys.iterdir())
    assert names == [".lock", "signing_key", "verifier_key"]


def test_missing_key_is_an_error(keys: Path) -> None:
    with pytest.raises(SigningKeyMissing):
        signer_key()
    with pytest.raises(SigningKeyMissing):
        verifier_key()


def test_key_that_others_can_read_is_refused(keys: Path) -> None:
    ensure_key()
    (keys / "signing_key").chmod(0o640)
    with pytest.raises(SigningKeyMissing, match="expected 0600"):
        signer_key()


@pytest.mark.parametrize("damage", [b"nonsense", b"\xff\xfe"])
def test_damaged_keys_are_refused(keys: Path, damage: bytes) -> None:
    ensure_key()
    for name in ("signing_key", "verifier_key"):
        (keys / name).write_bytes(damage)
    with pytest.raises(SigningKeyMissing):
        signer_key()
    with pytest.raises(SigningKeyMissing):
        verifier_key()


def test_highest_checkpoint_is_remembered_and_replaced(keys: Path) -> None:
    ensure_key()
    assert highest_checkpoint() is None
    for size in (1, 2):
        tree = SignedTree(signer_key().name, size, b"r" * 32)
        note = sign(tree, signer_key())
        remember(note)
        assert highest_checkpoint() == (tree, note)
    assert sorted(path.name for path in keys.iterdir()) == [
        ".lock",
        "highest_checkpoint",
        "signing_key",
        "verifier_key",
    ]


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"\xff\xfe"])
def test_damaged_memory_is_an_error(keys: Path, damage: bytes) -> None:
    ensure_key()
    (keys / "highest_checkpoint").write_bytes(damage)
    with pytest.raises(HistoryMismatch):
        highest_checkpoint()


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "empty" / "file"
    assert write_durably(path, "old", replace=False)
    assert not write_durably(path, "new", replace=False)
    with pytest.raises(UnicodeEncodeError):
        write_durably(path, "\ud800", replace=True)
    assert path.read_text() == "old"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_folder_is_the_logs_own() -> None:
    assert signing.folder() == Path(settings.KEYS_DIR) / "log"
