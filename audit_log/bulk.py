"""Adding many rows of the log with one statement.

``bulk_create`` compiles a statement with a place for each value, which took the sequencer more processor
time than everything else about an entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Model

from audit_log.log import server_binding_cursor

Row = tuple[Any, ...]
"""The values of a model's fields, in their order."""


def insert_all(model: type[Model], rows: Sequence[Row]) -> None:
    """Add rows, in their order, in a transaction of the caller's.

    Raises Django's database errors.
    """
    if not rows:
        return
    connection = transaction.get_connection()
    fields = model._meta.concrete_fields
    names = ", ".join(f'"{field.column}"' for field in fields)
    into = f'INSERT INTO "{model._meta.db_table}" ({names})'
    with (
        transaction.mark_for_rollback_on_error(connection.alias),
        server_binding_cursor(connection) as cursor,
    ):
        if connection.vendor == "postgresql":
            # A list for each column, in binary: the statement stays short, and nothing is escaped.
            lists = ", ".join(f"%b::{field.db_type(connection)}[]" for field in fields)
            values = [list(column) for column in zip(*rows, strict=True)]
            cursor.execute(f"{into} SELECT * FROM unnest({lists}) ORDER BY 1", values)  # noqa: S608  table, columns and types of a model of ours; the values are parameters
        else:
            places = ", ".join(["%s"] * len(fields))
            prepared = [
                [
                    field.get_db_prep_save(value, connection)
                    for field, value in zip(fields, row, strict=True)
                ]
                for row in rows
            ]
            cursor.executemany(f"{into} VALUES ({places})", prepared)
