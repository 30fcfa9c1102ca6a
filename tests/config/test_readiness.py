"""/readyz: a database that can be read and not written is not ready, and asking leaves nothing there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse

from tests.cast import open_study
from tests.databases import is_sqlite
from tests.faults.places import rows

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


def test_asking_leaves_nothing_behind() -> None:
    open_study()
    before = dict(rows())
    parts()
    assert dict(rows()) == before
