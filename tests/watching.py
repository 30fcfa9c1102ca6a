"""Watching what a request, a chore or a command does to people's data, and whether it is written down.

Touching means: fetching a data key, by which something sealed is opened, or changing a row that belongs
to a person. Each must come with an entry in the same piece of work.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.apps import apps
from django.db import connections
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
CHANGE = re.compile(r'\s*(INSERT INTO|UPDATE|DELETE FROM) "(\w+)"(?: SET "(\w+)")?')


@dataclass
class Touches:
    """What was seen: tables of people that changed, data keys that were fetched, and entries."""

    changed: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    entries: int = 0

    @property
    def unwritten(self) -> set[str]:
        """What was touched without any entry."""
        return set() if self.entries else self.changed | self.keys

    def see(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        """An execute wrapper of Django's."""
        done = execute(sql, params, many, context)
        found = CHANGE.match(sql)
        table = found[2] if found else ""
        if found and found[1] == "INSERT INTO" and table == PendingEntry._meta.db_table:
            self.entries += 1
        elif (
            found and table in tables_of_people() and (table, found[3]) not in UNWRITTEN_ON_PURPOSE
        ):
            self.changed |= {table} if context["cursor"].rowcount else set()
        elif not found and f'FROM "{DataKey._meta.db_table}"' in sql and '"wrapped"' in sql:
            self.keys.add("a data key")
        return done


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
def watched() -> Iterator[Touches]:
    """Watch what this block does on both databases."""
    seen = Touches()
    with ExitStack() as stack:
        for alias in ("default", "keystore"):
            stack.enter_context(connections[alias].execute_wrapper(seen.see))
        yield seen
