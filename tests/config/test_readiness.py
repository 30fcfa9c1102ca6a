"""/readyz: a database that can be read and not written is not ready, and asking leaves nothing there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from django.conf import settings
from django.db import connections
from django.test import Client
from django.urls import reverse

from audit_log.clock import Watch
from audit_log.daily_verification import DailyVerification
from consent import row_by_row
from consent.row_by_row import before_each_row, do_each
from emotion.management.commands import keeper
from emotion.management.commands.keeper import Chore, chores, show_life
from emotion.marks import KEEPER, touch
from tests.cast import consenting, open_study
from tests.databases import is_sqlite
from tests.faults.places import rows
from vault import epochs

pytestmark = pytest.mark.usefixtures("fresh_db")


def parts() -> dict[str, str]:
    found: dict[str, str] = Client().get(reverse("readyz")).json()["parts"]
    return found


@contextmanager
def read_only(alias: str) -> Iterator[None]:
    """The database answers and takes nothing: as from a write-protected disk, or on a standby."""
    connection = connections[alias]
    if is_sqlite():
        name = connection.settings_dict["NAME"]
        changed = {"NAME": f"file:{name}?mode=ro"}
        kept = {"NAME": name}
    else:
        options = connection.settings_dict["OPTIONS"]
        changed = {"OPTIONS": options | {"options": "-c default_transaction_read_only=on"}}
        kept = {"OPTIONS": options}
    connection.close()
    connection.settings_dict.update(changed)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(kept)


@pytest.mark.parametrize(("alias", "part"), [("default", "database"), ("keystore", "keystore")])
def test_a_database_that_takes_nothing_is_not_ready(alias: str, part: str) -> None:
    assert parts()[part] == "ok"
    with read_only(alias):
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM django_migrations")
            assert cursor.fetchone()[0], "it can be read"
        answer = Client().get(reverse("readyz"))
        assert answer.status_code == 503
        found = answer.json()["parts"]
        assert found[part].startswith("cannot be written: "), found
    assert parts()[part] == "ok"


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Nothing is heard of the keeper for longer than it may be."""
    monkeypatch.setattr(row_by_row, "_before_each", [])
    touch(KEEPER)

    def silence() -> None:
        assert parts()["keeper"] != "silent"
        os.utime(settings.VAR_DIR / "run" / KEEPER, (0, 0))
        assert parts()["keeper"] == "silent"

    return silence


def test_a_keeper_with_much_to_do_is_heard_of(silent: Callable[[], None]) -> None:
    before_each_row(show_life)
    chore = Chore("much", 1, partial(do_each, [1, 2, 3], lambda _row: silent()))
    chore.run(1)
    assert not chore.said


def test_a_keeper_that_moves_many_keys_is_heard_of(
    silent: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    consenting(open_study())
    monkeypatch.setattr(epochs, "BATCH", 1)
    monkeypatch.setattr(epochs, "is_due", lambda: True)
    moved = []

    def watched(*progress: int) -> None:
        show_life(*progress)
        moved.append(silent())

    monkeypatch.setattr(keeper, "show_life", watched)
    (chore,) = (c for c in chores(Watch(), DailyVerification()) if c.name == "key epochs rotated")
    chore.run(1)
    assert len(moved) > 2
    assert not chore.said


def test_asking_leaves_nothing_behind() -> None:
    open_study()
    before = dict(rows())
    parts()
    assert dict(rows()) == before
