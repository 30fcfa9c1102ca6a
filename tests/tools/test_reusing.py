"""A database that is used again is what the first test found, or it is not used again."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connections
from psycopg import sql

from tests.cast import consenting, open_study
from tests.databases import ALIASES, Templates, connected, is_sqlite
from tests.reusing import AsMade, shape_of

SHAPES = {
    "a column": "ALTER TABLE vault_datakey ADD COLUMN more integer",
    "a trigger": "ALTER TABLE vault_datakey DISABLE TRIGGER USER",
    "a function": "CREATE FUNCTION more() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "a right": "GRANT SELECT ON vault_datakey TO PUBLIC",
    "a constraint": "ALTER TABLE vault_datakey ADD CHECK (1 = 1)",
    "a table": "CREATE TABLE more (what integer)",
}


@pytest.fixture
def used(templates: Templates, fresh_db: None) -> Templates:
    """The pair of databases, in which somebody has consented."""
    if is_sqlite():
        # Each test has files of its own there, and nothing to make like new; the same `make test` runs
        # this on PostgreSQL, where the tests that follow rely on it.
        pytest.skip("only PostgreSQL's databases are used again")
    consenting(open_study())
    for alias in ALIASES:
        connections[alias].close()
    return templates


@pytest.mark.parametrize(
    ("alias", "guarded", "words"),
    [
        ("default", "audit_log_pendingentry", "rows are only added"),
        ("keystore", "vault_datakey", "never deleted"),
    ],
)
def test_rows_go_and_triggers_stay(used: Templates, alias: str, guarded: str, words: str) -> None:
    made = used.as_made[alias]
    with connected(used.used[alias]) as server:
        assert AsMade.of(server) != made
        assert made.restore(server)
        assert AsMade.of(server) == made
        with pytest.raises(psycopg.IntegrityError, match=words):
            server.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.Identifier(guarded)))


@pytest.mark.parametrize("what", SHAPES)
def test_whoever_changed_more_than_rows_is_found_out(used: Templates, what: str) -> None:
    made = used.as_made["keystore"]
    with connected(used.used["keystore"]) as server:
        server.execute(SHAPES[what])
        assert shape_of(server) != made.shape
        assert not made.restore(server)
        rows = server.execute("SELECT count(*) FROM vault_datakey").fetchone()
        assert rows is not None
        assert rows[0] > 0
