"""A used database of PostgreSQL made like new again, for the next test.

A copy of the template costs its server close to a second, nearly all of it for 300 new files; so a test's
rows are removed instead and the template's put back. While a test runs nothing is switched off: it has
real commits, and its append-only tables are. Only between tests the superuser lifts their triggers, in
one transaction that ends with all of them in place. Whatever else a test has changed (a trigger, a table,
a right) is seen, and its database is dropped.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

Server = psycopg.Connection[tuple[Any, ...]]

SHAPE = """
WITH tables AS (
  SELECT * FROM pg_class WHERE relnamespace = 'public'::regnamespace
), lines AS (
  SELECT concat_ws(' ', 'relation', relname, relkind, relowner, relacl, reloptions) AS line FROM tables
  UNION ALL SELECT concat_ws(' ', 'column', relname, attname, atttypid, attnotnull, atthasdef, attacl)
    FROM pg_attribute JOIN tables ON tables.oid = attrelid
  UNION ALL SELECT concat_ws(' ', 'constraint', conname, contype, convalidated, conbin)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws(' ', 'trigger', relname, tgname, tgenabled, tgisinternal)
    FROM pg_trigger JOIN tables ON tables.oid = tgrelid WHERE NOT tgisinternal OR tgenabled <> 'O'
  UNION ALL SELECT concat_ws(' ', 'function', proname, proacl, prosrc, proconfig)
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws(' ', 'schema', nspname, nspowner, nspacl)
    FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'
  UNION ALL SELECT concat_ws(' ', 'database', datdba, datacl, datconnlimit, setrole, setconfig)
    FROM pg_database LEFT JOIN pg_db_role_setting ON setdatabase = pg_database.oid
    WHERE datname = current_database()
)
SELECT md5(string_agg(line, E'\\n' ORDER BY line)) FROM lines
"""
TABLES = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
)
LIFTED = """
SELECT relname, tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE tgenabled = 'A' AND relname = ANY(%s)
"""
SEQUENCES = (
    "SELECT sequencename, start_value, last_value FROM pg_sequences WHERE schemaname = 'public'"
)
OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True)
class AsMade:
    """A database as a test finds it: a digest of its shape, its rows by table, its sequences."""

    shape: str
    rows: dict[str, bytes]
    sequences: dict[str, tuple[int, int | None]]

    @classmethod
    def of(cls, server: Server) -> AsMade:
        """As it is now."""
        rows = {table: dumped(server, table) for table in filled(server)}
        return cls(shape_of(server), rows, sequences_of(server))

    def restore(self, server: Server) -> bool:
        """Make a used database like this again; returns whether it is, which it is not in another shape."""
        server.execute("SET lock_timeout = '10s'")
        server.execute(OTHERS)
        if shape_of(server) != self.shape:
            return False
        with server.transaction():
            # No foreign key is looked at in between; only triggers that are always on still fire.
            server.execute("SET LOCAL session_replication_role = replica")
            changed = [
                table
                for table in filled(server) | self.rows.keys()
                if table not in self.rows or dumped(server, table) != self.rows[table]
            ]
            triggers = defaultdict(list)
            for table, trigger in server.execute(LIFTED, [changed]):
                triggers[table].append(trigger)
            for table in changed:
                switch(server, table, triggers[table], "DISABLE")
                server.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
                if table in self.rows:
                    fill(server, table, self.rows[table])
                switch(server, table, triggers[table], "ENABLE ALWAYS")
            for name, (start, last) in self.sequences.items() - sequences_of(server).items():
                server.execute(
                    "SELECT setval(%s::regclass, %s, %s)",
                    [f'"{name}"', start if last is None else last, last is not None],
                )
        return shape_of(server) == self.shape


def shape_of(server: Server) -> str:
    """A digest of everything about a database but its rows."""
    return str(server.execute(SHAPE).fetchall()[0][0])


def filled(server: Server) -> set[str]:
    """The tables that have rows."""
    asked = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(
            sql.Literal(table), sql.Identifier(table)
        )
        for (table,) in server.execute(TABLES)
    )
    return {str(table) for (table,) in server.execute(asked)}


def sequences_of(server: Server) -> dict[str, tuple[int, int | None]]:
    """Where each sequence begins, and its last value, or None before its first."""
    return {name: (start, last) for name, start, last in server.execute(SEQUENCES)}


def dumped(server: Server, table: str) -> bytes:
    """All rows of a table."""
    with server.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copy:
        return b"".join(bytes(block) for block in copy)


def fill(server: Server, table: str, rows: bytes) -> None:
    """Put rows that were dumped back."""
    with server.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy:
        copy.write(rows)


def switch(server: Server, table: str, triggers: list[str], how: str) -> None:
    """Switch triggers of a table off or on."""
    for trigger in triggers:
        server.execute(
            sql.SQL("ALTER TABLE {} {} TRIGGER {}").format(
                sql.Identifier(table), sql.SQL(how), sql.Identifier(trigger)
            )
        )
