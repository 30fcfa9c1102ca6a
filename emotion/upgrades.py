"""Whether the databases have the tables of this version. ``manage.py setup`` brings them up to date."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

DATABASES = ("default", "keystore")
UNFINISHED = (
    "A restore was begun and not finished: what people ended since the backup would live again. "
    "Run `manage.py restore` once more; nothing was started."
)


@cache
def known_migrations() -> frozenset[tuple[str, str]]:
    """Every migration of the program as it lies on disk: (app, name)."""
    return frozenset(MigrationLoader(None).disk_migrations)


def restoring_mark() -> Path:
    """The file that says that a restore was begun and not finished: people's endings are missing."""
    return Path(settings.VAR_DIR) / "restoring"


def keystore_mark() -> Path:
    """The same of a keystore that was put back alone: keys live in it that are dead."""
    return Path(settings.VAR_DIR) / "restoring-keystore"


def is_unfinished() -> bool:
    """Whether a restore of either was begun and not finished."""
    return restoring_mark().exists() or keystore_mark().exists()


def unapplied(alias: str) -> int:
    """How many migrations a database lacks; one query. Raises DatabaseError when it is away."""
    recorded = MigrationRecorder(connections[alias]).applied_migrations()
    return len(known_migrations() - recorded.keys())


def upgrade_needed() -> str:
    """One line about an unfinished restore or a database that lacks migrations; empty without either.

    A database that is away is no reason not to start: what needs it answers so until it is back.
    """
    if is_unfinished():
        return UNFINISHED
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
