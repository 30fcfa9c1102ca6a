"""Small files that must survive a crash: written beside, flushed to disk, then moved into place."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import IO


def write_durably(path: Path, content: str | bytes, *, replace: bool) -> bool:
    """Write a file of mode 0600 and flush it and its folder to disk.

    With ``replace=False`` an existing file stays as it is and False is returned, also when another
    process makes it at the same moment. Raises OSError when the disk refuses.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            beside.replace(path)
        else:
            try:
                path.hardlink_to(beside)
            except FileExistsError:
                return False
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def half_written(path: Path) -> list[Path]:
    """What kills have left beside a file: everything that would have taken its place."""
    return sorted(path.parent.glob(f".{path.name}.*"))


def destroy_half_written(path: Path) -> None:
    """Overwrite and remove what kills have left beside a file. Nobody may be writing it meanwhile."""
    for left in half_written(path):
        with left.open("r+b") as file:
            overwrite(file)
        left.unlink()
        sync_folder(path.parent)


def overwrite(file: IO[bytes]) -> None:
    """Overwrite a file where it lies.

    Worth something on plain disks only; copy-on-write file systems and SSDs may keep the old block until
    they reuse it.
    """
    file.write(os.urandom(os.fstat(file.fileno()).st_size))
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make a folder's list of names durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
