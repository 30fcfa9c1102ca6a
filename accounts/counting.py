"""Counting what a client does in a stretch of time, over all web processes at once.

In Redis where there is one (``CACHE_URL``), whose increment is one step; else in a row of the main
database, changed by one statement. Either way two processes cannot take the same last one. Stretches
begin at whole multiples of their length, so that everybody can tell when the next one begins.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.backends.utils import CursorWrapper
from django.db.models import F

from accounts.models import Count


@dataclass(frozen=True)
class Limit:
    """At most ``quota`` of something in ``window`` seconds; ``name`` is what the headers call it."""

    name: str
    quota: int
    window: int


@dataclass(frozen=True)
class Counted:
    """How a limit stands after one more: ``used`` in this stretch, which ends in ``reset`` seconds."""

    limit: Limit
    used: int
    reset: int

    @property
    def within(self) -> bool:
        """Whether this one was still allowed."""
        return self.used <= self.limit.quota

    @property
    def left(self) -> int:
        """How many more are allowed before the next stretch."""
        return max(0, self.limit.quota - self.used)


_seen: ContextVar[list[Counted] | None] = ContextVar("counted", default=None)


@contextmanager
def noting() -> Iterator[list[Counted]]:
    """Note what is counted inside, for the headers of the answer."""
    seen: list[Counted] = []
    token = _seen.set(seen)
    try:
        yield seen
    finally:
        _seen.reset(token)


def count(limit: Limit, who: str, *, told: bool = True) -> Counted:
    """Count one more of ``who`` and say how the limit stands now; ``told``: the headers say it, too."""
    period, reset = stretch(limit)
    name = f"{limit.name}:{who}"
    used = count_in_redis(name, period, limit.window) if settings.CACHE_URL else add(name, period)
    counted = Counted(limit, used, reset)
    if told and (seen := _seen.get()) is not None:
        seen.append(counted)
    return counted


def take_back(limit: Limit, who: str) -> None:
    """One that was counted did not happen after all."""
    period, _reset = stretch(limit)
    name = f"{limit.name}:{who}"
    if settings.CACHE_URL:
        if cache.get(f"{name}:{period}"):
            cache.decr(f"{name}:{period}")
    else:
        Count.objects.filter(name=name, period=period, used__gt=0).update(used=F("used") - 1)


def standing(limit: Limit, who: str) -> Counted:
    """How a limit stands, without counting anything."""
    period, reset = stretch(limit)
    name = f"{limit.name}:{who}"
    if settings.CACHE_URL:
        used = cache.get(f"{name}:{period}", 0)
    else:
        used = Count.objects.filter(name=name, period=period).values_list("used", flat=True).first()
    return Counted(limit, used or 0, reset)


def stretch(limit: Limit) -> tuple[int, int]:
    """The number of the stretch that runs now, and in how many seconds it ends."""
    now = int(time.time())
    return now // limit.window, limit.window - now % limit.window


def count_in_redis(name: str, period: int, window: int) -> int:
    """One more in Redis; the key goes by itself when its stretch is over."""
    key = f"{name}:{period}"
    cache.add(key, 0, 2 * window)
    return int(cache.incr(key))


ADD = """INSERT INTO "accounts_count" (name, period, used) VALUES (%s, %s, 1)
    ON CONFLICT (name) DO UPDATE SET
        used = CASE
            WHEN accounts_count.period = excluded.period THEN accounts_count.used + 1 ELSE 1
        END,
        period = excluded.period
    RETURNING used
"""


def add(name: str, period: int) -> int:
    """One more in the row of this name, begun anew with each stretch; one statement, so one lock."""
    with connection.cursor() as cursor, not_waiting_for_the_disk(cursor):
        cursor.execute(ADD, [name, period])
        return int(cursor.fetchall()[0][0])  # all: the statement is done, and its lock is free


@contextmanager
def not_waiting_for_the_disk(cursor: CursorWrapper) -> Iterator[None]:
    """On SQLite a commit inside may be forgotten when the power fails, and takes no time.

    A few requests more in a minute do no harm. In a transaction, which holds more than a count, and on a
    server, where a pooler may hand the connection on, nothing changes.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    cursor.execute("PRAGMA synchronous=NORMAL")
    try:
        yield
    finally:
        try:
            cursor.execute("PRAGMA synchronous=FULL")
        except DatabaseError:
            connection.close()  # the log writes over it: rather a new one than one that forgets
            raise
