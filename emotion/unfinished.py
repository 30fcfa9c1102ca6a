"""What a backup or a restore that was killed has left, whole databases among it: the next one removes it.

One at a time on a machine, so that nobody's files are taken for left ones.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

from emotion.errors import BackupFailed

FOLDER = "unfinished-"
"""With what the name of a folder begins in which a backup or a restore works."""
LOCK = "backup.lock"


@contextmanager
def alone() -> Iterator[None]:
    """Nobody else backs up or restores on this machine, and what the last one left in ``var`` is gone.

    Raises BackupFailed while another one is under way.
    """
    var = Path(settings.VAR_DIR)
    var.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (var / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupFailed("another backup or restore is under way on this machine") from None
        for left in var.glob(f"{FOLDER}*"):
            shutil.rmtree(left)
        yield


@contextmanager
def working_folder() -> Iterator[Path]:
    """A folder among the data, where what lies in it was anyway; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=FOLDER, dir=settings.VAR_DIR) as folder:
        yield Path(folder)


def hold(descriptor: int) -> bool:
    """Hold an open file for as long as it is open; False where somebody does, or nobody can."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held, or on a file system without locks
        return False
    return True


def remove_partial(folder: Path) -> None:
    """Remove the archives in a folder that nobody writes on any more, on whichever machine."""
    for left in folder.glob(".*.partial"):
        with suppress(FileNotFoundError):
            descriptor = os.open(left, os.O_WRONLY)
            if hold(descriptor):
                left.unlink()
            os.close(descriptor)


@contextmanager
def ending_in_order() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as an error does, and not the process in the middle of it."""
    asked = (signal.SIGTERM, signal.SIGHUP)
    before = {
        number: signal.signal(number, lambda n, _frame: sys.exit(128 + n)) for number in asked
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
