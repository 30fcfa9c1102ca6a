"""Watching what a request, a chore or a command does to people's data, and whether it is written down.

Touching means: fetching a data key, by which something sealed is opened, or changing a row that belongs
to a person. Each must come with an entry in the same piece of work.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any
from unittest.mock import patch

from django.apps import apps
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import ForeignKey, Model, OneToOneField

from audit_log.models import PendingEntry
from consent.models import DataSubject
from vault.models import DataKey

UNWRITTEN_ON_PURPOSE = {
    # Only the person can take their receipt, and that they did is what lets the log's tags die.
    ("consent_erasurerequest", "receipt_taken_at"),
    # When to tell a recipient again; what it was told of an erasure, and when, is an entry.
    ("consent_telling", "next_attempt_at"),
    ("consent_telling", "attempts"),
    ("consent_telling", "last_status"),
}
CHANGE = re.compile(r'\s*(INSERT INTO|UPDATE|DELETE FROM) "(\w+)"')
KEYS, ENTRIES = DataKey._meta.db_table, PendingEntry._meta.db_table
SET = re.compile(r'[ ,(]"(\w+)" = ')


@dataclass
class Touches:
    """What was seen: tables of people that changed, data keys that were fetched, and entries.

    What a transaction changed and wrote counts once it is committed; a key that was fetched, at once, but
    for one that was made here: it can open nothing that was there before.
    """

    changed: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    entries: int = 0
    made: set[str] = field(default_factory=set)
    begun: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def unwritten(self) -> set[str]:
        """What was touched without any entry."""
        return set() if self.entries else self.changed | self.keys

    def see(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        """An execute wrapper of Django's."""
        done = execute(sql, params, many, context)
        connection = context["connection"]
        found = CHANGE.match(sql)
        what, table = found.groups() if found else ("", "")
        if found is None:
            if (
                f'FROM "{KEYS}"' in sql
                and '"wrapped"' in sql
                and not self.made & set(map(str, params))
            ):
                self.keys.add("a data key")
            return done
        if (what, table) == ("INSERT INTO", KEYS):
            self.made.add(str(params[0]))  # its id, the first column
        entry = (what, table) == ("INSERT INTO", ENTRIES)
        person = table in tables_of_people() and not on_purpose(table, sql)
        if (entry or person) and context["cursor"].rowcount:
            self.begun[connection.alias].append(table)
            if not connection.in_atomic_block:
                self.committed(connection.alias)
        return done

    def committed(self, alias: str) -> None:
        """What was begun on this connection is so from now on."""
        for table in self.begun.pop(alias, []):
            if table == ENTRIES:
                self.entries += 1
            else:
                self.changed.add(table)


def on_purpose(table: str, sql: str) -> bool:
    """Whether a change is one that is written down nowhere, as all the columns that it sets are."""
    columns = SET.findall(sql.partition(" WHERE ")[0])
    return bool(columns) and {(table, each) for each in columns} <= UNWRITTEN_ON_PURPOSE


@cache
def tables_of_people() -> frozenset[str]:
    """The tables whose rows belong to a data subject, over however many others."""
    people: set[type[Model]] = {DataSubject}
    while True:
        more = {
            model
            for model in apps.get_models(include_auto_created=True)
            for each in model._meta.get_fields()
            if isinstance(each, ForeignKey | OneToOneField) and each.related_model in people
        }
        if more <= people:
            return frozenset(model._meta.db_table for model in people)
        people |= more


@contextmanager
def watched(seen: Touches | None = None) -> Iterator[Touches]:
    """Watch what this block does on both databases; ``seen``: what an earlier part of it did."""
    seen = Touches() if seen is None else seen
    with ExitStack() as stack:
        for alias in ("default", "keystore"):
            connection = connections[alias]
            stack.enter_context(connection.execute_wrapper(seen.see))
            stack.enter_context(told(connection, "_commit", partial(seen.committed, alias)))
            stack.enter_context(told(connection, "_rollback", partial(seen.begun.pop, alias, None)))
        yield seen


@contextmanager
def told(connection: BaseDatabaseWrapper, step: str, then: Callable[[], object]) -> Iterator[None]:
    """Do ``then`` after each time that this step of the connection is done."""
    usual = getattr(connection, step)

    def done() -> None:
        usual()
        then()

    with patch.object(connection, step, done):
        yield


def watched_stream(content: Iterator[bytes], seen: Touches) -> Iterator[bytes]:
    """The pieces of an answer; what sending them touches is seen too."""
    while True:
        with watched(seen):
            piece = next(content, None)
        if piece is None:
            return
        yield piece
