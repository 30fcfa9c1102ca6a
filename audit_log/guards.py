"""Whether the triggers that the migrations made are in a database, as they were made.

The migrations are the only place that describes them; ``manage.py check --deploy`` asks here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from django.db import connections, router
from django.db.migrations.loader import MigrationLoader

from audit_log.append_only import Guard

# pg_trigger.tgtype is a sum of these.
BITS = {"ROW": 1, "BEFORE": 2, "INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}
TRIGGER = re.compile(
    r'CREATE TRIGGER "?(?P<name>\w+)"? (?P<when>BEFORE|AFTER) (?P<events>[A-Z ]+) ON "?(?P<table>\w+)"?'
    r'(?P<each>.*) EXECUTE FUNCTION "?(?P<function>\w+)"?'
)
CONDITION = re.compile(r" WHEN \((?P<condition>.*)\) EXECUTE FUNCTION ")
SPELLING = re.compile(r'::[a-z ]+|[()"\s]')
TRIGGERS = """
    SELECT t.tgname, c.relname, t.tgtype, t.tgenabled, p.prosrc, pg_get_triggerdef(t.oid)
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace
"""


@cache
def guards(alias: str) -> tuple[Guard, ...]:
    """Every operation in the migrations of this database that makes triggers."""
    migrations = sorted(MigrationLoader(None).disk_migrations.items())
    return tuple(
        operation
        for (app, _name), migration in migrations
        if router.allow_migrate(alias, app)
        for operation in migration.operations
        if isinstance(operation, Guard)
    )


def rights(alias: str) -> dict[str, Sequence[str]]:
    """The tables of which the application's role may not change or remove rows, and what it may do."""
    return {table: what for guard in guards(alias) for table, what in guard.rights.items()}


def not_in_force(alias: str) -> list[str]:
    """A line for each trigger that is missing or is not what the migrations made."""
    look = {"sqlite": missing_on_sqlite, "postgresql": missing_on_postgresql}
    vendor = connections[alias].vendor
    made = [statement for guard in guards(alias) for statement in guard.statements[vendor]]
    return look[vendor](alias, made)


def missing_on_sqlite(alias: str, made: list[str]) -> list[str]:
    """SQLite keeps the text of a trigger as it was given."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'")
        there = {sql for (sql,) in cursor.fetchall()}
    return [
        f"the trigger {statement.split()[2]} is missing or was changed"
        for statement in made
        if statement.startswith("CREATE TRIGGER") and statement not in there
    ]


def missing_on_postgresql(alias: str, made: list[str]) -> list[str]:
    """Name, table, moment, condition, function body; and that it fires whatever the session says."""
    with connections[alias].cursor() as cursor:
        cursor.execute(TRIGGERS)
        there = {(name, table): rest for name, table, *rest in cursor.fetchall()}
    found = []
    for trigger in filter(None, map(TRIGGER.match, made)):
        name, table = trigger["name"], trigger["table"]
        if (name, table) not in there:
            found.append(f"the trigger {name} is missing")
            continue
        kind, enabled, body, text = there[name, table]
        words = {trigger["when"], *trigger["events"].split(" OR "), trigger["each"].split()[2]}
        if kind != sum(BITS.get(word, 0) for word in words):
            found.append(f"the trigger {name} fires at another moment than it was made for")
        if condition_in(text) != condition_in(trigger.string):
            found.append(f"the trigger {name} fires under another condition than it was made for")
        if enabled != "A":
            found.append(
                f"the trigger {name} is not ENABLE ALWAYS (pg_trigger.tgenabled {enabled})"
            )
        if not any(f"$${body}$$" in statement for statement in made):
            found.append(f"the function of the trigger {name} was changed")
    return found


def condition_in(statement: str) -> str:
    """When a trigger fires, without what PostgreSQL spells in its own way: casts, brackets, spaces."""
    found = CONDITION.search(statement)
    return SPELLING.sub("", found["condition"].lower()) if found else ""
