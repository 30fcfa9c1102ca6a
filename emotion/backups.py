"""Backups: the main database with the sealed blobs in one file, the keystore apart, the log beside both.

Everything is encrypted to an age recipient (https://age-encryption.org/v1), whose identity stays
elsewhere: whoever takes this machine reads no older backup. Root keys are in no backup. The keystore's
backups live shortly, because they hold keys of people who withdraw tomorrow; until the epoch that
wraps them ends, they are what an erasure waits for.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import pyrage
from django.conf import settings
from django.utils import timezone

from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.export import export_log
from audit_log.log import append_durable
from audit_log.sequencer import integrate_once
from audit_log.storage import Folder
from emotion.errors import BackupFailed
from emotion.snapshots import is_sqlite, take_snapshot
from emotion.unfinished import alone, hold, remove_partial, working_folder
from vault.epochs import places

FORMAT = "consentry-backup/1"
ACTOR = "system:backup"
KEYSTORES_KEPT = 2
DATA, KEYSTORE, LOG = "data", "keystore", "log"  # folders of a backup
SNAPSHOT, MANIFEST = "database", "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a backup wrote: two files, and how many log entries the folder beside them has now.

    keys: where the epochs' keys lie without which nothing in it opens; they are in no backup.
    """

    data: Path
    keystore: Path
    blobs: int
    entries: int
    keys: list[str]


def recipient() -> pyrage.x25519.Recipient:
    """Whom backups are encrypted to. Raises BackupFailed when it is not set or is none."""
    given = settings.BACKUP_RECIPIENT
    if not given:
        raise BackupFailed(
            "BACKUP_RECIPIENT is not set; expected a public key of age, age1… (age-keygen makes one; "
            "keep its identity on another machine)"
        )
    try:
        return pyrage.x25519.Recipient.from_str(given)
    except pyrage.RecipientError:
        raise BackupFailed("BACKUP_RECIPIENT is no public key of age; expected age1…") from None


@alone()
def make_backup(folder: Path) -> Made:
    """Write a backup of now into a folder. Raises BackupFailed, LogUnavailable, VaultError or OSError.

    A file has its name only when it is complete; what was begun is removed, at the latest by the next one.
    """
    to, stamp = recipient(), f"{timezone.now():%Y%m%dT%H%M%S.%fZ}"
    for name in (DATA, KEYSTORE):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        remove_partial(folder / name)
    data = folder / DATA / f"{stamp}.tar.age"
    keystore = folder / KEYSTORE / f"{stamp}.tar.age"
    with sealed_archive(data, to) as archive, snapshot("default") as path:
        add_snapshot(archive, path, "default", stamp)
        blobs = add_blobs(archive)
    # The keystore last: every key that the data name is in it, or has died.
    with sealed_archive(keystore, to) as archive, snapshot("keystore") as path:
        opened_by = places()
        add_snapshot(archive, path, "keystore", stamp)
    note_made(data)
    for old in sorted((folder / KEYSTORE).glob("*.tar.age"))[:-KEYSTORES_KEPT]:
        old.unlink()
    integrate_once()
    exported = export_log(Folder(folder / LOG))
    return Made(data=data, keystore=keystore, blobs=blobs, entries=exported.size, keys=opened_by)


def note_made(data: Path) -> None:
    """Write down that a copy of everybody's sealed data exists, where the log can be asked."""
    detail = json.dumps({"backup": data.name}, separators=(",", ":")).encode()
    append_durable(Draft(action=Action.BACKUP_MAKE, actor=ACTOR, detail=detail))


@contextmanager
def snapshot(alias: str) -> Iterator[Path]:
    """A database as a file that is gone afterwards."""
    with working_folder() as folder:
        path = folder / SNAPSHOT
        take_snapshot(alias, path)
        yield path


def add_snapshot(archive: tarfile.TarFile, path: Path, alias: str, stamp: str) -> None:
    """The manifest, then the database."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "database": alias,
        "engine": "sqlite" if is_sqlite(alias) else "postgresql",
        "made_at": stamp,
        "bytes": path.stat().st_size,
        "sha256": digest,
    }
    body = json.dumps(manifest, indent=1, sort_keys=True).encode()
    member = tarfile.TarInfo(MANIFEST)
    member.size, member.mode = len(body), 0o600
    archive.addfile(member, BytesIO(body))
    archive.add(path, SNAPSHOT, filter=anonymous)


def add_blobs(archive: tarfile.TarFile) -> int:
    """The sealed files. One that is erased meanwhile is left out: its key is dead."""
    number = 0
    root = Path(settings.BLOB_DIR)
    for path in sorted(root.glob("*/*.sealed")):
        try:
            archive.add(path, f"blobs/{path.relative_to(root)}", filter=anonymous)
        except FileNotFoundError:
            continue
        number += 1
    return number


def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the names of this machine's users."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


@contextmanager
def sealed_archive(path: Path, to: pyrage.x25519.Recipient) -> Iterator[tarfile.TarFile]:
    """A tar archive that is encrypted while it is written; ``path`` exists when all of it is on disk."""
    beside = path.with_name(f".{path.name}.partial")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    hold(descriptor)  # so that the backup of another machine lets it be
    read, write = os.pipe()
    failed: list[BaseException] = []

    def encrypt(source: IO[bytes], target: IO[bytes]) -> None:
        try:
            with source:
                pyrage.encrypt_io(source, target, [to])
        except BaseException as error:
            failed.append(error)

    try:
        with os.fdopen(descriptor, "wb") as target:
            worker = threading.Thread(target=encrypt, args=(os.fdopen(read, "rb"), target))
            worker.start()
            try:
                with os.fdopen(write, "wb") as pipe, tarfile.open(fileobj=pipe, mode="w|") as tar:
                    yield tar
            except BrokenPipeError:
                pass  # the other end says why
            finally:
                worker.join()
            if failed:
                raise BackupFailed(f"the backup cannot be written: {failed[0]}")
            target.flush()
            os.fsync(target.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
