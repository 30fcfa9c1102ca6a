"""A database as one file, and back: SQLite's own online copy, or PostgreSQL's ``pg_dump``.

Both are consistent while the installation runs. Sessions stay out: they end when a database is put back.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, unquote

from django.contrib.sessions.models import Session
from django.db import connections

from emotion.errors import BackupFailed

SESSIONS = Session._meta.db_table


def is_sqlite(alias: str) -> bool:
    """Whether the database is a file."""
    return connections[alias].vendor == "sqlite"


def take_snapshot(alias: str, path: Path) -> None:
    """Write the database to ``path``, which must not exist. Raises BackupFailed."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.close(descriptor)
    if not is_sqlite(alias):
        plain = ["--format=custom", "--no-owner", "--no-privileges"]  # roles are the new server's
        plain.append(f"--exclude-table-data={SESSIONS}")
        run(["pg_dump", *plain, f"--file={path}", *where(alias)], alias)
        return
    source = f"file:{quote(str(database_file(alias)))}?mode=ro"
    try:
        with (
            closing(sqlite3.connect(source, uri=True, timeout=20)) as live,
            closing(sqlite3.connect(path)) as copy,
        ):
            live.backup(copy)
            leave_sessions_out(copy)
            # What is put back must not begin with a write-ahead log that was left elsewhere.
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise BackupFailed(f"the {alias} database cannot be copied: {error}") from None


def leave_sessions_out(copy: sqlite3.Connection) -> None:
    """Empty the table of sessions, if there is one, and overwrite where its rows stood."""
    copy.execute("PRAGMA secure_delete=ON")
    if copy.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [SESSIONS]).fetchone():
        copy.execute(f'DELETE FROM "{SESSIONS}"')  # noqa: S608  a table's name, from the model
        copy.commit()


def put_back(alias: str, path: Path) -> None:
    """Make the database what the snapshot holds. It must be empty. Raises BackupFailed."""
    connections[alias].close()
    if not is_sqlite(alias):
        plain = ["--no-owner", "--no-privileges", "--single-transaction"]
        run(["pg_restore", *plain, *where(alias), str(path)], alias)
        return
    target = database_file(alias)
    for leftover in ("-wal", "-shm"):
        target.with_name(target.name + leftover).unlink(missing_ok=True)
    fresh = target.with_name(f".{target.name}.restored")
    shutil.copyfile(path, fresh)
    fresh.chmod(0o600)
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(target)


def database_file(alias: str) -> Path:
    """The SQLite file that is connected now, from its plain name or its ``file:`` address."""
    name = str(connections[alias].settings_dict["NAME"])
    if not name.startswith("file:"):
        return Path(name)
    return Path(unquote(name.removeprefix("file:").partition("?")[0]))


def where(alias: str) -> list[str]:
    """The options by which PostgreSQL's programs find the database; the password is not among them."""
    given = connections[alias].settings_dict
    named = {
        "--host": given["HOST"],
        "--port": given["PORT"],
        "--username": given["USER"],
        "--role": given["OPTIONS"].get("assume_role", ""),
    }
    options = [f"{name}={value}" for name, value in named.items() if value]
    return [*options, f"--dbname={given['NAME']}", "--no-password"]


def run(command: list[str], alias: str) -> None:
    """Run one of PostgreSQL's programs. Raises BackupFailed with its last line."""
    password = str(connections[alias].settings_dict["PASSWORD"] or "")
    environment = os.environ | ({"PGPASSWORD": password} if password else {})
    try:
        done = subprocess.run(  # noqa: S603  pg_dump or pg_restore, no shell, options from the settings
            command, env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise BackupFailed(
            f"{command[0]} is not installed; expected PostgreSQL's client programs "
            "(apt install postgresql-client)"
        ) from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise BackupFailed(f"{command[0]} ended with {done.returncode}: {said}")
