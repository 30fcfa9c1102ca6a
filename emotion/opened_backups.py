"""Opening an archive that ``emotion.backups`` wrote."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyrage

from emotion.backups import FORMAT, MANIFEST, SNAPSHOT
from emotion.errors import BackupFailed
from emotion.snapshots import is_sqlite
from emotion.unfinished import working_folder


def require_kind(manifest: dict[str, Any], alias: str) -> None:
    """Raise BackupFailed unless this is a backup of that database, from this kind of engine."""
    engine = "sqlite" if is_sqlite(alias) else "postgresql"
    expected = {"format": FORMAT, "database": alias, "engine": engine}
    for name, value in expected.items():
        if manifest.get(name) != value:
            raise BackupFailed(f"expected a backup with {name} {value}, got {manifest.get(name)!r}")


@contextmanager
def opened(
    path: Path, identities: list[pyrage.x25519.Identity], alias: str
) -> Iterator[tuple[tarfile.TarFile, dict[str, Any], Path]]:
    """A backup's archive after its first two members: the manifest, and the database as a file.

    The file is verified against the manifest. Raises BackupFailed for anything that is no backup of ours of
    the database ``alias``.
    """
    with working_folder() as folder:
        plain = folder / "archive.tar"
        decrypt(path, plain, identities)
        snapshot = folder / SNAPSHOT
        with archive_in(plain, path) as archive:
            try:
                manifest = json.loads(member(archive, MANIFEST).read())
                fits = copied(member(archive, SNAPSHOT), snapshot) == manifest["sha256"]
                str(manifest["made_at"])
            except (tarfile.TarError, KeyError, TypeError, ValueError) as error:
                raise BackupFailed(f"{path} is no backup of ours: {error}") from None
            if not fits:
                raise BackupFailed(f"{path} holds another database than its manifest says")
            require_kind(manifest, alias)
            yield archive, manifest, snapshot


def archive_in(plain: Path, path: Path) -> tarfile.TarFile:
    """The archive that was decrypted; raises BackupFailed when it is none."""
    try:
        return tarfile.open(plain)
    except tarfile.TarError as error:
        raise BackupFailed(f"{path} is no backup of ours: {error}") from None


def decrypt(path: Path, plain: Path, identities: list[pyrage.x25519.Identity]) -> None:
    """Decrypt a backup into a file of mode 0600. What lies in it is sealed or says nothing of people."""
    descriptor = os.open(plain, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        try:
            with path.open("rb") as source:
                pyrage.decrypt_io(source, target, identities)
        except pyrage.DecryptError as error:
            raise BackupFailed(f"{path} does not open with this identity: {error}") from None


def member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    """One file of the archive."""
    found = archive.extractfile(name)
    if found is None:
        raise KeyError(name)
    return found


def copied(source: IO[bytes], target: Path) -> str:
    """Write a member to a file; its SHA-256."""
    digest = hashlib.sha256()
    with target.open("xb") as file:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()
