"""Triggers that make a table append-only, for use in migrations, on SQLite and on PostgreSQL.

They refuse UPDATE, DELETE and TRUNCATE, and inserts that take an existing key or leave a gap in a
sequence. On SQLite the insert trigger is what stops ``INSERT OR REPLACE``: REPLACE deletes the old
row without firing delete triggers, so a key (or hidden rowid) that exists must be refused before.
On PostgreSQL the triggers fire under ``session_replication_role = replica`` too (ENABLE ALWAYS).

A later migration that alters such a table on SQLite makes it anew, without its triggers: it must end
with ``append_only`` again. Such rules prevent accidents. Whoever owns the database can drop them;
the Merkle tree tells. ``audit_log.guards`` looks whether a database still has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations import RunPython
from django.db.migrations.state import StateApps

APPEND_RIGHTS = ("SELECT", "INSERT")


@dataclass(frozen=True, kw_only=True)
class Growing:
    """A column that must grow among the rows that share ``within``.

    By one, starting at ``first``; or, with ``first=None``, to any value above the highest.
    """

    column: str
    within: Sequence[str] = ()
    first: int | None = 0


@dataclass(frozen=True, kw_only=True)
class AppendOnly:
    """One table's rules. Names are column names of the table, written into SQL as they stand.

    ``keys``: each set of columns that is unique. ``insertable``: an SQL condition on ``NEW`` that a
    new row must meet. ``deletable``: one on ``OLD`` under which a row may go; None means never.
    """

    table: str
    keys: Sequence[Sequence[str]]
    growing: Growing | None = None
    insertable: str | None = None
    deletable: str | None = None


Statements = Mapping[str, Sequence[str]]


class Guard(RunPython):
    """A migration operation that executes the statements for the database it runs on.

    ``{schema}`` in a statement becomes the quoted name of the schema that the tables are in. What the
    statements make can be looked up later, and so can ``rights``: what the application's role may do
    with a table on PostgreSQL, when that is less than usual.
    """

    def __init__(
        self,
        forwards: Statements,
        backwards: Statements,
        rights: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(executor(forwards), executor(backwards))
        self.statements = forwards
        self.rights = dict(rights or {})


def append_only(rules: AppendOnly) -> Guard:
    """A migration operation that makes the table append-only; reversing it drops the triggers."""
    return Guard(
        {"sqlite": sqlite_create(rules), "postgresql": postgresql_create(rules)},
        {"sqlite": sqlite_drop(rules), "postgresql": postgresql_drop(rules)},
        rights={rules.table: APPEND_RIGHTS},
    )


def executor(statements: Statements) -> Callable[[StateApps, BaseDatabaseSchemaEditor], None]:
    """A RunPython function for the statements; KeyError on a database nobody wrote rules for."""

    def execute(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
        connection = editor.connection
        schema = ""
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT current_schema()")
                schema = connection.ops.quote_name(cursor.fetchone()[0])
        for statement in statements[connection.vendor]:
            editor.execute(statement.replace("{schema}", schema), params=None)

    return execute


def matches(columns: Sequence[str]) -> str:
    """SQL: the row at hand has the same values as the new one in these columns."""
    return " AND ".join(f'"{column}" = NEW."{column}"' for column in columns) or "1 = 1"


def gap(rules: AppendOnly, growing: Growing) -> str:
    """SQL condition: the new row does not continue the sequence."""
    highest = (
        f'(SELECT max("{growing.column}") FROM "{rules.table}" '  # noqa: S608 - names from a migration
        f"WHERE {matches(growing.within)})"
    )
    if growing.first is None:
        return f'NEW."{growing.column}" <= {highest}'
    return f'NEW."{growing.column}" <> COALESCE({highest} + 1, {growing.first})'


def refusals(rules: AppendOnly) -> list[tuple[str, str]]:
    """(SQL condition on NEW, what to say) for each insert that is refused."""
    found = []
    if rules.growing:
        found.append((gap(rules, rules.growing), f"{rules.growing.column} must continue"))
    if rules.insertable:
        found.append((f"NOT ({rules.insertable})", "the row has no origin"))
    return found


def sqlite_create(rules: AppendOnly) -> list[str]:
    """The triggers for SQLite."""
    table = rules.table
    taken = " OR ".join(
        f'EXISTS (SELECT 1 FROM "{table}" WHERE {condition})'  # noqa: S608 - names from a migration
        for condition in ["rowid = NEW.rowid", *(matches(key) for key in rules.keys)]
    )
    inserts = [(taken, "the key is taken"), *refusals(rules)]
    return [
        trigger(table, "update", "UPDATE", "1 = 1", "rows are not changed"),
        trigger(table, "delete", "DELETE", f"NOT ({rules.deletable or '1 = 0'})", "rows stay"),
        *(
            trigger(table, f"insert_{number}", "INSERT", condition, words)
            for number, (condition, words) in enumerate(inserts)
        ),
    ]


def trigger(table: str, name: str, event: str, condition: str, words: str) -> str:
    """One SQLite trigger that refuses the event under the condition, as an integrity error."""
    return (
        f'CREATE TRIGGER "{table}_{name}" BEFORE {event} ON "{table}" WHEN {condition} '
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: {words}'); END"
    )


def sqlite_drop(rules: AppendOnly) -> list[str]:
    """Remove the triggers for SQLite."""
    inserts = [f"insert_{number}" for number in range(1 + len(refusals(rules)))]
    return [f'DROP TRIGGER "{rules.table}_{name}"' for name in ["update", "delete", *inserts]]


def postgresql_create(rules: AppendOnly) -> list[str]:
    """The function and triggers for PostgreSQL; unique keys are its own business, without REPLACE."""
    table = rules.table
    refused = refusals(rules)
    inserts = "".join(
        f"IF {condition} THEN {exception(table, words)} END IF; " for condition, words in refused
    )
    # A function that lets every insert pass would cost each append a tenth of the server's time.
    events = "INSERT OR UPDATE OR DELETE" if refused else "UPDATE OR DELETE"
    deletes = f"IF {rules.deletable} THEN RETURN OLD; END IF; " if rules.deletable else ""
    rows, truncate = f'"{table}_rows"', f'"{table}_truncate"'
    return [
        # A fixed search path: a temporary table of the same name must not be asked instead.
        f'CREATE FUNCTION "{table}_append_only"() RETURNS trigger LANGUAGE plpgsql '
        "SET search_path = {schema}, pg_temp AS $$ BEGIN "
        f"IF TG_OP = 'INSERT' THEN {inserts}RETURN NEW; END IF; "
        f"IF TG_OP = 'DELETE' THEN {deletes}END IF; ".replace("THEN END IF", "THEN NULL; END IF")
        + exception(table, "rows are only added")
        + " END $$",
        f'CREATE TRIGGER {rows} BEFORE {events} ON "{table}" '
        f'FOR EACH ROW EXECUTE FUNCTION "{table}_append_only"()',
        f'CREATE TRIGGER {truncate} BEFORE TRUNCATE ON "{table}" '
        f'FOR EACH STATEMENT EXECUTE FUNCTION "{table}_append_only"()',
        f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER {rows}',
        f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER {truncate}',
    ]


def exception(table: str, words: str) -> str:
    """A PL/pgSQL statement that raises an integrity error."""
    return (
        f"RAISE EXCEPTION '{table} is append-only: {words}' USING ERRCODE = 'restrict_violation';"
    )


def postgresql_drop(rules: AppendOnly) -> list[str]:
    """Remove the function and triggers for PostgreSQL."""
    return [f'DROP FUNCTION "{rules.table}_append_only"() CASCADE']
