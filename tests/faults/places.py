"""Where bytes may lie: files, rows, the broker, temporary folders, and what a process shows of itself."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings
from django.db import connections

from tests.broker import waiting_messages

LARGEST = 4_000_000  # bytes of a loose file that is still read


def everywhere(folder: Path) -> Iterator[tuple[str, bytes]]:
    """All of it: ``folder`` is where the test's databases, logs and temporary files lie."""
    keys, var = Path(settings.KEYS_DIR), Path(settings.VAR_DIR)
    yield from files_below(folder, var, keys, without=[settings.STATIC_ROOT])
    yield from loose_files()
    yield from rows()
    yield from (("a waiting message", message) for message in waiting_messages())
    yield from processes()


def files_below(*folders: Path, without: Iterable[Path] = ()) -> Iterator[tuple[str, bytes]]:
    """Every file below these folders, WAL and temporary files included."""
    left_out = [path.resolve() for path in without]
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if any(path.resolve().is_relative_to(each) for each in left_out):
                continue
            try:
                if path.is_file():
                    yield str(path), path.read_bytes()
            except FileNotFoundError:  # a message or a WAL that was just taken
                continue


def loose_files() -> Iterator[tuple[str, bytes]]:
    """Our files that lie loose in the machine's temporary folders and shared memory."""
    for folder in {Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")}:
        for path in folder.glob("*"):
            try:
                status = path.stat()
                if path.is_file() and status.st_uid == os.getuid() and status.st_size < LARGEST:
                    yield str(path), path.read_bytes()
            except OSError:  # it is gone, or is no plain file
                continue


def rows() -> Iterator[tuple[str, bytes]]:
    """Every value of every table of both databases, sessions and cache among them.

    A long value lies on several pages of a database's file, so the file alone would not show it.
    """
    for alias in ("default", "keystore"):
        names = connections[alias].introspection.table_names()
        for name in names:
            with connections[alias].cursor() as cursor:
                cursor.execute(f"SELECT * FROM {connections[alias].ops.quote_name(name)}")
                values = [as_bytes(value) for row in cursor.fetchall() for value in row]
            yield f"the table {name}", b"\n".join(values)


def as_bytes(value: object) -> bytes:
    """A value of a column as bytes."""
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()


def processes() -> Iterator[tuple[str, bytes]]:
    """The command line and the environment of every process that may be looked at."""
    for name in ("cmdline", "environ"):
        for path in Path("/proc").glob(f"[0-9]*/{name}"):
            try:
                yield str(path), path.read_bytes()
            except OSError:  # it has just ended, or is somebody else's
                continue
