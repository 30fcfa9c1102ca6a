"""SQLite's journal is written back beside the requests, and stays short (emotion/journal.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from accounts.counting import Limit, count
from emotion.journal import write_back
from emotion.management.commands.keeper import chores_apart
from tests.databases import journal_of

pytestmark = pytest.mark.usefixtures("fresh_db")
LIMIT = Limit("requests", 1_000_000, 3600)
PAGE = 4096


@pytest.fixture
def journal() -> Path:
    """The journal of the main database, empty."""
    _file, journal = journal_of("default")
    ask("default", "wal_checkpoint(TRUNCATE)")
    return journal


def ask(alias: str, pragma: str) -> tuple[Any, ...]:
    with connections[alias].cursor() as cursor:
        cursor.execute(f"PRAGMA {pragma}")
        found: tuple[Any, ...] = cursor.fetchone()
        return found


def grown(journal: Path, counts: int) -> float:
    """How many pages longer it is after so many counts; each writes one."""
    before = journal.stat().st_size
    for _number in range(counts):
        count(LIMIT, "one")
    return (journal.stat().st_size - before) / PAGE


def test_no_count_writes_back_and_the_keeper_does(journal: Path) -> None:
    main, _journal = journal_of("default")
    written = main.stat().st_mtime_ns
    assert grown(journal, 1500) > 1499
    assert main.stat().st_mtime_ns == written
    write_back()
    assert main.stat().st_mtime_ns > written
    assert grown(journal, 1400) == 0, "what was written back is written over"
    assert write_back in [chore.do for chore, _pause in chores_apart()]


def test_without_a_keeper_it_ends_at_its_bound(journal: Path) -> None:
    assert grown(journal, settings.JOURNAL_PAGES + 100) < settings.JOURNAL_PAGES * 1.01
    assert grown(journal, 500) == 0


def test_the_keystores_is_as_short_as_ever(journal: Path) -> None:
    assert ask("default", "wal_autocheckpoint") == (settings.JOURNAL_PAGES,)
    assert ask("keystore", "wal_autocheckpoint") == (1000,)
