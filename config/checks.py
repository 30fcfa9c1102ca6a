"""System checks of an installation, with stable ids; ``docs/operating.md`` explains each.

Those marked ``deploy`` run with ``manage.py check --deploy``, those of the databases also with every
``manage.py setup``, the others with every command. ``vault.checks`` looks at the epoch keys.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError, connections
from django.http.request import validate_host

from audit_log.database_roles import faults
from audit_log.errors import WitnessError
from audit_log.guards import not_in_force
from audit_log.witnessed import policy
from emotion.help_lines import HelpLinesInvalid, read

LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}  # 2 is FULL


@register(Tags.security)
def no_debug(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """consentry.E001: error pages with local variables would show what is sealed."""
    if settings.DEBUG:
        return [Error("DEBUG is on.", id="consentry.E001")]
    return []


@register(Tags.security)
def kind_is_kept(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """consentry.E002: demo people, whose codes anybody on the machine can print, stay in demos."""
    mark = Path(settings.VAR_DIR) / "installation"
    made_as = mark.read_text().strip() if mark.exists() else ""
    wanted = "demo" if settings.DEMO else "real"
    if made_as and made_as != wanted:
        return [
            Error(
                f"This installation was made as a {made_as} one and is started as a {wanted} one.",
                hint=f"Set CONSENTRY_DEMO={int(made_as == 'demo')}, or name another CONSENTRY_VAR.",
                id="consentry.E002",
            )
        ]
    return []


@register(Tags.security, deploy=True)
def demo_stays_home(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """consentry.E003: a demo has its own SQLite databases and answers on this machine only."""
    if not settings.DEMO:
        return []
    outside = [
        what
        for what, found in {
            "an https SITE_URL": settings.SECURE,
            "a database server": any("sqlite3" not in d["ENGINE"] for d in databases().values()),
            "hosts other than this machine": not LOOPBACK.issuperset(settings.ALLOWED_HOSTS),
        }.items()
        if found
    ]
    return [
        Error(f"CONSENTRY_DEMO is set together with {what}.", id="consentry.E003")
        for what in outside
    ]


@register(Tags.security)
def two_databases(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """consentry.E004: the keystore's backups must not carry the data that its keys open."""
    places = {
        tuple(str(d.get(k, "")) for k in ("HOST", "PORT", "NAME")) for d in databases().values()
    }
    if len(places) < len(databases()):
        return [
            Error(
                "The keystore is the same database as the main one.",
                hint="Give KEYSTORE_URL a database of its own.",
                id="consentry.E004",
            )
        ]
    return []


@register(Tags.security)
def no_atomic_requests(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """consentry.E005: permits and log receipts depend on when exactly a commit happens."""
    return [
        Error(f"ATOMIC_REQUESTS is on for the database {name!r}.", id="consentry.E005")
        for name, database in databases().items()
        if database.get("ATOMIC_REQUESTS")
    ]


@register(Tags.database)
def sqlite_options(
    app_configs: Sequence[Any] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """consentry.E006: what makes SQLite's commits durable, serialised and erasures final."""
    found: list[CheckMessage] = []
    for name in databases or []:
        if connections[name].vendor == "sqlite":
            found += [
                Error(f"Database {name!r}: {what}.", id="consentry.E006")
                for what in wrong_options(name)
            ]
    return found


def wrong_options(name: str) -> list[str]:
    """What is not as it should be in a SQLite connection, asked of SQLite itself."""
    connection = connections[name]
    wrong = []
    if connection.settings_dict["OPTIONS"].get("transaction_mode") != "IMMEDIATE":
        wrong.append("transaction_mode is not IMMEDIATE")
    try:
        with connection.cursor() as cursor:
            for pragma, wanted in PRAGMAS.items():
                cursor.execute(f"PRAGMA {pragma}")
                (value,) = cursor.fetchone()
                if value != wanted:
                    wrong.append(f"{pragma} is {value!r}, expected {wanted!r}")
    except DatabaseError as error:
        wrong.append(f"it cannot be asked ({error})")
    return wrong


@register(Tags.database, deploy=True)
def rules_in_force(
    app_configs: Sequence[Any] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """consentry.E011: the triggers that refuse changes of the log and of what else only grows."""
    return [
        Error(f"Database {name!r}: {what}.", id="consentry.E011")
        for name in databases or []
        for what in asked(not_in_force, name)
    ]


@register(Tags.database, deploy=True)
def two_roles(
    app_configs: Sequence[Any] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """consentry.E012: on PostgreSQL, a role that cannot take those triggers away."""
    return [
        Error(
            f"Database {name!r}: {what}.",
            hint="Give the application a role of its own: manage.py database_roles.",
            id="consentry.E012",
        )
        for name in databases or []
        if connections[name].vendor == "postgresql"
        for what in asked(faults, name)
    ]


def asked(look: Callable[[str], list[str]], name: str) -> list[str]:
    """What a look at a database finds; or that it cannot be looked at."""
    try:
        return look(name)
    except DatabaseError as error:
        return [f"it cannot be asked ({type(error).__name__})"]


@register(Tags.security, deploy=True)
def private_folders(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """consentry.E007: data and keys are for the user alone who runs Consentry."""
    found: list[CheckMessage] = []
    for name, folder in {
        "CONSENTRY_VAR": settings.VAR_DIR,
        "CONSENTRY_KEYS": settings.KEYS_DIR,
    }.items():
        if not Path(folder).is_dir():
            found.append(
                Error(
                    f"{name}: {folder} does not exist.", hint="manage.py setup", id="consentry.E007"
                )
            )
        elif (mode := Path(folder).stat().st_mode & 0o777) & 0o077:
            found.append(
                Error(
                    f"{name}: {folder} has mode {mode:04o}; expected 0700.",
                    hint=f"chmod 700 {folder}",
                    id="consentry.E007",
                )
            )
    return found


@register(Tags.security, deploy=True)
def secret_outside_var(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """consentry.E008: what is copied with the data must not sign its sessions."""
    file = os.environ.get("SECRET_KEY_FILE")
    if file and Path(file).resolve().is_relative_to(Path(settings.VAR_DIR).resolve()):
        return [Error("SECRET_KEY_FILE lies inside CONSENTRY_VAR.", id="consentry.E008")]
    return []


@register(Tags.security, deploy=True)
def address_is_allowed(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """consentry.E009: links in invitations must lead to a host that is answered."""
    host = urlsplit(settings.SITE_URL).hostname or ""
    if not validate_host(host, settings.ALLOWED_HOSTS):
        return [
            Error(
                f"The host of SITE_URL, {host!r}, is not among ALLOWED_HOSTS.", id="consentry.E009"
            )
        ]
    return []


def databases() -> dict[str, dict[str, Any]]:
    """The databases as the settings describe them."""
    return dict(settings.DATABASES)


@register(Tags.security)
def help_lines_are_there(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """consentry.E010: people are shown numbers to call; a broken list must not be found out by them."""
    try:
        read(settings.HELP_LINES_FILE)
    except (HelpLinesInvalid, OSError) as error:
        return [Error(f"HELP_LINES_FILE: {error}", id="consentry.E010")]
    return []


@register(Tags.security)
def witness_policy_is_there(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """consentry.E013: who believes to be witnessed and is not would find out too late."""
    try:
        policy()
    except WitnessError as error:
        return [Error(f"LOG_WITNESS_POLICY: {error.detail}", id="consentry.E013")]
    return []
