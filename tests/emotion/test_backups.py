"""Backups: complete, encrypted to somebody who is elsewhere, the keystore apart and short-lived."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import tarfile
import time
from pathlib import Path

import pyrage
import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from audit_log.actions import Action
from audit_log.export import verify_export
from audit_log.models import LogEntry
from audit_log.storage import Folder
from emotion import backups
from emotion.analyses import run_analysis
from emotion.backups import make_backup
from emotion.models import Analysis, Result
from tests.cast import PHOTO, consenting, open_study, upload
from tests.databases import is_sqlite
from tests.faults.harm import gone
from tests.faults.leftovers import sealed_files
from tests.forks import ended, fork
from tests.processes import wait_for
from vault.epochs import rotate

pytestmark = pytest.mark.usefixtures("fresh_db")


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> pyrage.x25519.Identity:
    made = pyrage.x25519.Identity.generate()
    monkeypatch.setattr(settings, "BACKUP_RECIPIENT", str(made.to_public()))
    return made


def opened(path: Path, identity: pyrage.x25519.Identity) -> dict[str, bytes]:
    """The files of an archive, as `age -d` and `tar x` would give them."""
    plain = io.BytesIO(pyrage.decrypt(path.read_bytes(), [identity]))
    with tarfile.open(fileobj=plain) as archive:
        found = {member.name: archive.extractfile(member) for member in archive}
        return {name: file.read() for name, file in found.items() if file}


def test_a_backup_is_whole_and_only_the_identity_opens_it(
    tmp_path: Path, identity: pyrage.x25519.Identity
) -> None:
    study = open_study(keep_media=True, media_retention_days=20)
    consenting(study)
    assert upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes()).status_code == 202
    run_analysis(Analysis.objects.get().pk)
    out = io.StringIO()
    folder = tmp_path / "copies"
    call_command("backup", str(folder), stdout=out)
    assert "(1 sealed files)" in out.getvalue()
    (key,) = (settings.KEYS_DIR / "epochs").glob("*.key")
    assert out.getvalue().splitlines()[-1].startswith(f"opened by {key}  (in no backup")

    (data,) = (folder / "data").iterdir()
    (keystore,) = (folder / "keystore").iterdir()
    for path in (data, keystore):
        assert path.read_bytes().startswith(b"age-encryption.org/v1\n")
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(pyrage.DecryptError):
            opened(path, pyrage.x25519.Identity.generate())
    found = opened(data, identity)
    manifest = json.loads(found["manifest.json"])
    assert manifest["sha256"] == hashlib.sha256(found["database"]).hexdigest()
    assert (manifest["format"], manifest["database"]) == ("consentry-backup/1", "default")
    assert {name for name in found if name.startswith("blobs/")} == {
        f"blobs/{path.relative_to(settings.BLOB_DIR)}" for path in sealed_files()
    }
    assert {found[n] for n in found if n.startswith("blobs/")} == {
        path.read_bytes() for path in sealed_files()
    }
    if is_sqlite():
        with sqlite3.connect(":memory:") as copy:
            copy.deserialize(found["database"])
            (results,) = copy.execute("SELECT count(*) FROM emotion_result").fetchone()
            assert results == Result.objects.count() > 0
            assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    else:
        assert found["database"].startswith(b"PGDMP")
    assert json.loads(opened(keystore, identity)["manifest.json"])["database"] == "keystore"
    secrets = [path.read_bytes() for path in (settings.KEYS_DIR / "epochs").iterdir()]
    held = b"".join(found.values()) + b"".join(opened(keystore, identity).values())
    assert secrets
    assert not any(secret in held for secret in secrets), "a root key is in no backup"

    assert LogEntry.objects.filter(action=Action.BACKUP_MAKE).count() == 1
    assert verify_export(Folder(folder / "log")).size == LogEntry.objects.count()
    assert list(Path(settings.VAR_DIR).glob("unfinished-*")) == [], "no snapshot is left behind"

    rotate()
    call_command("backup", str(folder), stdout=out)
    (after,) = (settings.KEYS_DIR / "epochs").glob("*.key")
    assert after != key
    assert out.getvalue().splitlines()[-1].startswith(f"opened by {after}  (in no backup")


def test_no_session_is_in_a_backup(tmp_path: Path, identity: pyrage.x25519.Identity) -> None:
    desk = open_study().administrator.sign_in()
    (row,) = Session.objects.all()
    database = opened(make_backup(tmp_path).data, identity)["database"]
    assert desk.get(reverse("operate_home")).status_code == 200, "it goes on here"
    for said in (row.session_key, row.session_data):
        assert said.encode() not in database
    if is_sqlite():
        with sqlite3.connect(":memory:") as copy:
            copy.deserialize(database)
            (left,) = copy.execute("SELECT count(*) FROM django_session").fetchone()
        assert left == 0
        return
    file = tmp_path / "database"
    file.write_bytes(database)
    listed = subprocess.run(
        ["pg_restore", "--list", str(file)], capture_output=True, text=True, check=True
    ).stdout
    assert "TABLE public django_session" in listed
    assert "TABLE DATA public django_session" not in listed
    assert "TABLE DATA public accounts_user" in listed


def test_keystore_backups_live_shortly_and_data_are_kept(
    tmp_path: Path, identity: pyrage.x25519.Identity
) -> None:
    made = []
    for number in range(4):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(backups, "timezone", Clock(number))
            made.append(make_backup(tmp_path))
    assert [path.exists() for path in (each.data for each in made)] == [True] * 4
    assert [each.keystore.exists() for each in made] == [False, False, True, True]


class Clock:
    """Another second for each backup."""

    def __init__(self, second: int) -> None:
        self.second = second

    def now(self) -> object:
        return timezone.now().replace(second=self.second)


def test_without_a_recipient_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="BACKUP_RECIPIENT is not set; expected a public key"):
        call_command("backup", str(tmp_path / "copies"))
    assert not (tmp_path / "copies").exists()


def test_a_backup_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, identity: pyrage.x25519.Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: object, target: object, recipients: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pyrage, "encrypt_io", full)
    with pytest.raises(CommandError, match="No space left"):
        call_command("backup", str(tmp_path))
    assert [path for path in tmp_path.rglob("*") if path.suffix == ".age"] == []
    assert list(tmp_path.rglob(".*.partial")) == []
    assert list(Path(settings.VAR_DIR).glob("unfinished-*")) == []
    assert not LogEntry.objects.filter(action=Action.BACKUP_MAKE).exists()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_stopped_backup_left_goes_with_the_next_at_the_latest(
    tmp_path: Path, identity: pyrage.x25519.Identity, sent: signal.Signals
) -> None:
    folder, reached = tmp_path / "copies", tmp_path / "reached"

    def left() -> list[Path]:
        return [*folder.rglob(".*"), *Path(settings.VAR_DIR).glob("unfinished-*")]

    def slow(_archive: tarfile.TarFile) -> int:
        reached.touch()
        time.sleep(60)
        return 0

    def begin() -> None:
        backups.add_blobs = slow
        call_command("backup", str(folder))

    child = fork(begin)
    wait_for(reached.exists)
    assert len(left()) == 2
    with pytest.raises(CommandError, match="another backup or restore is under way"):
        call_command("backup", str(folder))
    os.kill(child, sent)
    ended(child)
    assert len(left()) == (2 if sent == signal.SIGKILL else 0)
    call_command("backup", str(folder))
    assert left() == []
    assert len(list((folder / "data").iterdir())) == 1


def test_a_database_that_is_away_is_one_line(
    tmp_path: Path, identity: pyrage.x25519.Identity
) -> None:
    said = "the keystore database cannot be copied" if is_sqlite() else "_gone. does not exist"
    with gone("keystore"), pytest.raises(CommandError, match=said):
        call_command("backup", str(tmp_path))
    assert list(tmp_path.rglob("keystore/*")) == []
