"""A PostgreSQL installation as docs/operating.md sets it up: an owner, a login that migrates, and the
application's role. The roles are real, and so are the databases; both are dropped afterwards.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from psycopg import sql

from audit_log.database_roles import give_rights
from tests.databases import ALIASES, drop, maintenance, point


class TwoRoles:
    """The three roles, and a migrated pair of databases that copies are made of."""

    def __init__(self, folder: Path) -> None:
        self.stamp = f"consentry_test_{os.getpid()}_{secrets.token_hex(3)}"
        self.owner, self.migrator, self.application = (
            f"{self.stamp}_{name}" for name in ("owner", "migrator", "application")
        )
        self.names = {alias: f"{self.stamp}_{alias}" for alias in ALIASES}
        self.keys_dir = folder / "keys"
        password = connections["default"].settings_dict["PASSWORD"] or None
        self.superuser = str(connections["default"].settings_dict["USER"])
        with maintenance() as server:
            for statement in (
                "CREATE ROLE {owner} NOLOGIN",
                "CREATE ROLE {migrator} LOGIN PASSWORD {password} IN ROLE {owner}",
                "CREATE ROLE {application} LOGIN PASSWORD {password}",
                *(f"CREATE DATABASE {{{alias}}} OWNER {{owner}}" for alias in ALIASES),
            ):
                names = {"owner": self.owner, "migrator": self.migrator} | self.names
                names["application"] = self.application
                parts = {name: sql.Identifier(value) for name, value in names.items()}
                server.execute(sql.SQL(statement).format(password=sql.Literal(password), **parts))

    def fill(self) -> None:
        """Migrate as the owner, and make the first keys."""
        from audit_log.signing import ensure_key
        from vault.setup import ensure_root

        with self.databases(self.names, self.keys_dir), self.connected(self.migrator, self.owner):
            for alias in ALIASES:
                call_command("migrate", database=alias, verbosity=0)
            call_command("createcachetable", verbosity=0)
            ensure_root()
            ensure_key()

    @contextmanager
    def copy(self, folder: Path) -> Iterator[None]:
        """A fresh pair with keys of its own, connected as the application's role."""
        names = {alias: f"{name}_{secrets.token_hex(3)}" for alias, name in self.names.items()}
        with maintenance() as server:
            for alias, name in names.items():
                server.execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                        *map(sql.Identifier, (name, self.names[alias], self.owner))
                    )
                )
        shutil.copytree(self.keys_dir, folder / "keys")
        try:
            with self.databases(names, folder / "keys"):
                with self.connected(self.migrator, self.owner):
                    for alias in ALIASES:  # a copy has the tables' rights, not the database's own
                        give_rights(alias, self.application)
                with self.connected(self.application):
                    yield
        finally:
            shutil.rmtree(settings.BLOB_DIR, ignore_errors=True)
            for name in names.values():
                drop(name)

    @contextmanager
    def databases(self, names: dict[str, str], keys_dir: Path) -> Iterator[None]:
        """Point Django at these databases and these keys."""
        usual = {alias: connections[alias].settings_dict["NAME"] for alias in ALIASES}
        usual_keys, settings.KEYS_DIR = settings.KEYS_DIR, keys_dir
        for alias, name in names.items():
            point(alias, name)
        try:
            yield
        finally:
            settings.KEYS_DIR = usual_keys
            for alias, name in usual.items():
                point(alias, name)

    @contextmanager
    def connected(self, user: str, owner: str = "") -> Iterator[None]:
        """Connect to both databases as this role, and act as the owner."""
        usual = {alias: dict(connections[alias].settings_dict) for alias in ALIASES}
        for alias in ALIASES:
            connections[alias].close()
            connections[alias].settings_dict |= {
                "USER": user,
                "OPTIONS": {"assume_role": owner} if owner else {},
            }
        try:
            yield
        finally:
            for alias in ALIASES:
                connections[alias].close()
                connections[alias].settings_dict |= usual[alias]

    def remove(self) -> None:
        """Drop databases and roles."""
        for name in self.names.values():
            drop(name)
        with maintenance() as server:
            for role in (self.application, self.migrator, self.owner):
                server.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
