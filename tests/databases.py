"""Fresh databases for each test: copies of a migrated template, with real commits.

Tests need real commits (a log receipt exists only after one) and append-only triggers that hold, so
neither a wrapping transaction nor a flush will do. A copy takes milliseconds on SQLite (a file) and close
to a second on PostgreSQL (``CREATE DATABASE … TEMPLATE``), where it is used again (``tests.reusing``).
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from psycopg import sql

from audit_log import verdicts
from tests.reusing import AsMade, Server

ROOT = Path(__file__).resolve().parent.parent
ALIASES = ("default", "keystore")
SCHEMA = (
    "*/migrations/*.py", "*/models.py", "*/models/*.py", "*/apps.py",
    "audit_log/append_only.py", "audit_log/fields.py",
)  # fmt: skip
counter = itertools.count()
USES = 50
"""So often a database of PostgreSQL is used, as what is removed from it still takes up room."""


def is_sqlite() -> bool:
    return connections["default"].vendor == "sqlite"


def journal_of(alias: str) -> tuple[Path, Path]:
    """The file of a database and its write-ahead log, as SQLite has them."""
    if not is_sqlite():
        # PostgreSQL's log is its server's: no program of ours writes it back or empties it, and what it
        # holds of a dead key is searched by tests/vault/test_residue.py.
        pytest.skip("SQLite's write-ahead log")
    with connections[alias].cursor() as cursor:
        cursor.execute("PRAGMA database_list")
        file = Path(cursor.fetchone()[2])
    return file, file.with_name(f"{file.name}-wal")


def point(alias: str, name: str) -> None:
    """Make Django's connection ``alias`` talk to the database ``name``."""
    connections[alias].close()
    settings.DATABASES[alias]["NAME"] = name
    connections[alias].settings_dict["NAME"] = name


@contextmanager
def connected(name: str) -> Iterator[Server]:
    """A connection as the role that may make databases, whichever role the running test has taken on."""
    server = os.environ["TEST_DATABASE_URL"].rstrip("/")
    with psycopg.connect(f"{server}/{name}", autocommit=True) as connection:
        yield connection


def maintenance() -> AbstractContextManager[Server]:
    """The same, to a database that is none of the tests'."""
    return connected("postgres")


def create(name: str, template: str = "template1") -> None:
    with maintenance() as connection:
        made = sql.Identifier(name)
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(made, sql.Identifier(template))
        )
        # No test cuts the server's power, so a commit need not wait for its disk.
        connection.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(made))


def drop(name: str) -> None:
    with maintenance() as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def shared(name: str, target: Path, make: Callable[[], None]) -> None:
    """Fill a folder, or copy what another test process of this run has filled.

    ``TEST_SHARED`` names the folder in which the test processes of one run share what takes longer to
    make than most tests: compressed static files and migrated SQLite files.
    """
    given = os.environ.get("TEST_SHARED", "")
    kept = Path(given, name)
    if given and kept.exists():
        shutil.copytree(kept, target, dirs_exist_ok=True)
        return
    make()
    if given:
        mine = kept.with_name(f"{name}-{os.getpid()}")
        shutil.copytree(target, mine)
        try:
            mine.rename(kept)
        except OSError:  # another process was first
            shutil.rmtree(mine)


def collect_static() -> None:
    """Static files as an installation serves them."""
    call_command("collectstatic", interactive=False, verbosity=0)


def schema_digest() -> str:
    """Over everything that the migrations consist of, so that a changed schema is migrated anew."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in SCHEMA for path in ROOT.glob(pattern)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def migrate() -> None:
    """Make the tables of both databases, and leave no file of theirs half-written."""
    call_command("migrate", "--database=default", verbosity=0)
    call_command("migrate", "--database=keystore", verbosity=0)
    call_command("createcachetable", verbosity=0)
    close_all()


def close_all() -> None:
    """Close the pair, with nothing left in a SQLite file's WAL."""
    for alias in ALIASES:
        if is_sqlite():
            with connections[alias].cursor() as cursor:
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connections[alias].close()


class Templates:
    """The migrated pair that every test starts from.

    On PostgreSQL a used pair becomes the next test's, under new names: what a test left running finds
    nothing under the old ones.
    """

    def __init__(self) -> None:
        self.keys_dir = settings.KEYS_DIR
        self.names = {
            alias: str(settings.SQLITE_FILES.get(alias) or connections[alias].settings_dict["NAME"])
            for alias in ALIASES
        }
        if is_sqlite():
            made = Path(settings.SQLITE_FILES["default"]).parent / "migrated"
            made.mkdir()
            for alias in ALIASES:
                point(alias, str(made / alias))
            shared(f"migrated-{schema_digest()}", made, migrate)
            for alias, name in self.names.items():
                shutil.move(made / alias, name)
                point(alias, name)
        else:
            for name in self.names.values():
                create(name)
            migrate()
        shared("static", Path(settings.STATIC_ROOT), collect_static)
        self.used: dict[str, str] = {}
        self.uses = 0
        self.as_made: dict[str, AsMade] = {}
        self.ready: dict[str, str] = {}

    def close(self) -> None:
        """Freeze the templates: a template must have no open connection (PostgreSQL) or WAL (SQLite)."""
        close_all()

    def copies(self) -> dict[str, str]:
        """Make a pair of copies on the server; returns their names by alias."""
        names = self.new_names()
        for alias, name in names.items():
            create(name, self.names[alias])
            if alias not in self.as_made:
                with connected(name) as server:
                    self.as_made[alias] = AsMade.of(server)
        self.uses = 0
        return names

    def new_names(self) -> dict[str, str]:
        """Names that no database of this process has had."""
        return {
            alias: f"{template}_{os.getpid()}_{next(counter)}"
            for alias, template in self.names.items()
        }

    def like_new(self, used: dict[str, str]) -> dict[str, str]:
        """A used pair for the next test, under new names; empty when it is dropped instead."""
        names = self.new_names()
        # A test may have done away with its database, or left something that holds it: then a copy is made.
        with suppress(psycopg.Error):
            if self.uses < USES and self.restored(used):
                with maintenance() as server:
                    for alias, name in used.items():
                        old, new = sql.Identifier(name), sql.Identifier(names[alias])
                        server.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(old, new))
                return names
        for name in [*used.values(), *names.values()]:
            drop(name)
        return {}

    def restored(self, used: dict[str, str]) -> bool:
        """Make a used pair as it was made; returns whether both are."""
        for alias, name in used.items():
            with connected(name) as server:
                if not self.as_made[alias].restore(server):
                    return False
        return True

    def checkout(self, folder: Path) -> None:
        """Point Django at a fresh copy, with root keys of its own: a rotation destroys keys."""
        settings.KEYS_DIR = folder / "keys"
        shutil.copytree(self.keys_dir, settings.KEYS_DIR)
        if is_sqlite():
            for alias, template in self.names.items():
                copy = folder / f"{alias}.sqlite3"
                shutil.copyfile(template, copy)
                point(alias, str(copy))
            return
        self.used, self.ready = self.ready or self.copies(), {}
        self.uses += 1
        for alias, name in self.used.items():
            point(alias, name)

    def checkin(self) -> None:
        """Back to the templates; what was written to the copies, sent, and sealed beside them, goes."""
        shutil.rmtree(settings.BLOB_DIR, ignore_errors=True)
        shutil.rmtree(settings.BROKER_DIR, ignore_errors=True)
        verdicts.path().unlink(missing_ok=True)
        settings.KEYS_DIR = self.keys_dir
        for alias, template in self.names.items():
            point(alias, template)
        if self.used:
            self.ready, self.used = self.like_new(self.used), {}

    def remove(self) -> None:
        """Drop what a database server holds of this session."""
        if is_sqlite():
            return
        for name in [*self.ready.values(), *self.names.values()]:
            drop(name)
