"""Whether the databases have the tables of this version. ``manage.py setup`` brings them up to date."""

from __future__ import annotations

from functools import cache

from django.db import DatabaseError, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

DATABASES = ("default", "keystore")


@cache
def known_migrations() -> frozenset[tuple[str, str]]:
    """Every migration of the program as it lies on disk: (app, name)."""
    return frozenset(MigrationLoader(None).disk_migrations)


def unapplied(alias: str) -> int:
    """How many migrations a database lacks; one query. Raises DatabaseError when it is away."""
    recorded = MigrationRecorder(connections[alias]).applied_migrations()
    return len(known_migrations() - recorded.keys())


def upgrade_needed() -> str:
    """One line about the database that lacks migrations; empty when none does, or none can be asked.

    A database that is away is no reason not to start: what needs it answers so until it is back.
    """
    for alias in DATABASES:
        try:
            missing = unapplied(alias)
        except DatabaseError:
            continue
        if missing:
            return (
                f"The database {alias!r} is of another version (migrations missing: {missing}). "
                "Run `manage.py setup` first; nothing was started."
            )
    return ""
