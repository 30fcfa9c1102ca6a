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

CHANGE = re.compile(r'^\s*(INSERT INTO|UPDATE|DELETE FROM) "?(\w+)"?', re.I)


@dataclass
class Touches:
    """What was seen: tables of people that changed, whether a data key was fetched, and entries."""

    changed: set[str] = field(default_factory=set)
    opened: bool = False
    entries: int = 0

    @property
    def unwritten(self) -> set[str]:
        """What was touched without any entry."""
        if self.entries:
            return set()
        return self.changed | ({"a data key"} if self.opened else set())

    def see(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        """An execute wrapper of Django's."""
        done = execute(sql, params, many, context)
        found = CHANGE.match(sql)
        table = found[2] if found else ""
        if table == PendingEntry._meta.db_table and sql.lstrip().upper().startswith("INSERT"):
            self.entries += 1
        elif table in tables_of_people() and context["cursor"].rowcount != 0:
            self.changed.add(table)
        self.opened |= (
            not found and f'FROM "{DataKey._meta.db_table}"' in sql and '"wrapped"' in sql
        )
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
