"""Doing one thing with many rows, so that a row with which it fails stops none of the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from django.db import InterfaceError, OperationalError

from audit_log.errors import LogUnavailable
from vault.errors import KeystoreUnavailable, ProviderUnavailable

Row = TypeVar("Row")

OF_EVERY_ROW = (
    OperationalError,
    InterfaceError,
    LogUnavailable,
    KeystoreUnavailable,
    ProviderUnavailable,
)
"""What says nothing about a row: the next one would only wait for the same server."""


LONGEST_TURN = 10.0
"""Seconds."""

_before_each: list[Callable[[], object]] = []


def before_each_row(do: Callable[[], object]) -> None:
    """What this process does before each row: one that is watched shows that it gets on."""
    _before_each[:] = [do]


def for_a_turn(rows: Iterable[Row]) -> Iterator[Row]:
    """As many of them as can be begun before others have their turn; one in any case.

    Not a number of them: as many with which it fails would keep all the others waiting for ever.
    """
    end = time.monotonic() + LONGEST_TURN
    for row in rows:
        yield row
        if time.monotonic() > end:
            return


def do_each(rows: Iterable[Row], act: Callable[[Row], int | None]) -> int:
    """Do it with every row; the sum of what ``act`` says, where nothing said counts one.

    Raises an ExceptionGroup at the end, of all failures; at once only what is ``OF_EVERY_ROW``.
    """
    done, failures = 0, list[Exception]()
    for row in rows:
        for do in _before_each:
            do()
        try:
            said = act(row)
        except OF_EVERY_ROW:
            raise
        except Exception as failure:  # one row's trouble, told at the end
            failures.append(failure)
        else:
            done += 1 if said is None else said
    if failures:
        raise ExceptionGroup("rows with which it failed", failures)
    return done
