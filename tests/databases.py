"""Fresh databases for each test: copies of a migrated template, with real commits.

Tests need real commits (a log receipt exists only after one), and the append-only triggers are never
switched off, so neither a wrapping transaction nor a flush will do. A copy takes milliseconds on
SQLite (a file) and some tens of milliseconds on PostgreSQL (``CREATE DATABASE … TEMPLATE``).
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from psycopg import sql

ALIASES = ("default", "keystore")
counter = itertools.count()


def is_sqlite() -> bool:
    return connections["default"].vendor == "sqlite"


def point(alias: str, name: str) -> None:
    """Make Django's connection ``alias`` talk to the database ``name``."""
    connections[alias].close()
    settings.DATABASES[alias]["NAME"] = name
    connections[alias].settings_dict["NAME"] = name


@contextmanager
def maintenance() -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    given = connections["default"].settings_dict
    parts = {
        "host": given["HOST"],
        "port": given["PORT"],
        "user": given["USER"],
        "password": given["PASSWORD"],
    }
    with psycopg.connect(
        dbname="postgres", autocommit=True, **{k: v for k, v in parts.items() if v}
    ) as connection:
        yield connection


def create(name: str, template: str = "template1") -> None:
    with maintenance() as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )


def drop(name: str) -> None:
    with maintenance() as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def collect_static() -> None:
    """Static files as an installation serves them.

    Compressing them takes longer than the migrations. ``TEST_STATIC`` names a folder in which the
    test processes of one run share them: the first one collects, the others copy.
    """
    root, shared = Path(settings.STATIC_ROOT), os.environ.get("TEST_STATIC", "")
    if shared and Path(shared).exists():
        shutil.copytree(shared, root, dirs_exist_ok=True)
        return
    call_command("collectstatic", interactive=False, verbosity=0)
    if shared:
        mine = Path(f"{shared}-{os.getpid()}")
        shutil.copytree(root, mine)
        try:
            mine.rename(shared)
        except OSError:  # another process was first
            shutil.rmtree(mine)


class Templates:
    """The migrated pair that every test starts from."""

    def __init__(self) -> None:
        self.keys_dir = settings.KEYS_DIR
        self.names = {
            alias: str(settings.SQLITE_FILES.get(alias) or connections[alias].settings_dict["NAME"])
            for alias in ALIASES
        }
        self.made: list[str] = []
        for alias, name in self.names.items():
            if is_sqlite():
                point(alias, name)
            else:
                create(name)
        call_command("migrate", "--database=default", verbosity=0)
        call_command("migrate", "--database=keystore", verbosity=0)
        call_command("createcachetable", verbosity=0)
        collect_static()

    def close(self) -> None:
        """Freeze the templates: a template must have no open connection (PostgreSQL) or WAL (SQLite)."""
        for alias in ALIASES:
            if is_sqlite():
                with connections[alias].cursor() as cursor:
                    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connections[alias].close()

    def checkout(self, folder: Path) -> None:
        """Point Django at a fresh copy, with root keys of its own: a rotation destroys keys."""
        settings.KEYS_DIR = folder / "keys"
        shutil.copytree(self.keys_dir, settings.KEYS_DIR)
        for alias, template in self.names.items():
            if is_sqlite():
                copy = folder / f"{alias}.sqlite3"
                shutil.copyfile(template, copy)
                point(alias, str(copy))
            else:
                copy_name = f"{template}_{os.getpid()}_{next(counter)}"
                create(copy_name, template)
                self.made.append(copy_name)
                point(alias, copy_name)

    def checkin(self) -> None:
        """Back to the templates; the copies and what was sealed beside them are dropped."""
        shutil.rmtree(settings.BLOB_DIR, ignore_errors=True)
        settings.KEYS_DIR = self.keys_dir
        for alias, template in self.names.items():
            point(alias, template)
        while self.made:
            drop(self.made.pop())

    def remove(self) -> None:
        if not is_sqlite():
            for name in self.names.values():
                drop(name)
