"""What the database refuses on the log's tables, asked in SQL, as a mistaken person would."""

from collections.abc import Iterator

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.migrations.state import ProjectState
from django.db.models import F

from audit_log.actions import Action
from audit_log.append_only import AppendOnly, Growing, append_only
from audit_log.entries import Draft
from audit_log.log import append_durable
from audit_log.models import Checkpoint, LogEntry, PendingEntry, TreeNode
from audit_log.sequencer import integrate_once

pytestmark = pytest.mark.usefixtures("fresh_db")
DRAFT = Draft(action=Action.RESULT_READ, actor="system:worker")
TABLES = {
    "audit_log_logentry": LogEntry,
    "audit_log_treenode": TreeNode,
    "audit_log_checkpoint": Checkpoint,
    "audit_log_pendingentry": PendingEntry,
}


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def refused(sql: str) -> None:
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        execute(sql)


@pytest.fixture
def log() -> Iterator[None]:
    """Three integrated entries and one pending; nothing of it changes in any of these tests."""
    for _ in range(3):
        append_durable(DRAFT)
    integrate_once()
    append_durable(DRAFT)
    before = {name: list(model.objects.order_by("pk").values()) for name, model in TABLES.items()}
    assert [len(rows) for rows in before.values()] == [3, 4, 1, 1]
    yield
    for name, model in TABLES.items():
        assert list(model.objects.order_by("pk").values()) == before[name]


@pytest.mark.parametrize("table", TABLES)
def test_update_and_delete_are_refused(table: str, log: None) -> None:
    key = TABLES[table]._meta.pk.column
    refused(f'UPDATE {table} SET "{key}" = "{key}"')
    refused(f"DELETE FROM {table}")


@pytest.mark.parametrize("table", TABLES)
def test_update_and_delete_through_the_models_are_refused(table: str, log: None) -> None:
    model = TABLES[table]
    for change in (
        lambda: model.objects.all().delete(),
        lambda: model.objects.update(**{model._meta.pk.name: F("pk")}),
        lambda: model.objects.order_by("pk")[0].save(force_update=True),
    ):
        with pytest.raises(DatabaseError):
            change()


def columns(table: str) -> str:
    return ", ".join(f'"{field.column}"' for field in TABLES[table]._meta.concrete_fields)


@pytest.mark.parametrize("table", TABLES)
def test_replace_is_refused(table: str, log: None) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("REPLACE is SQLite's")
    names = columns(table)
    for verb in ("INSERT OR REPLACE", "REPLACE"):
        refused(f"{verb} INTO {table} ({names}) SELECT {names} FROM {table} ORDER BY 1 LIMIT 1")
    refused(f"UPDATE OR REPLACE {table} SET rowid = 1")


def test_replace_through_the_hidden_rowid_is_refused(log: None) -> None:
    """A new key that is in order, but the rowid of another row: REPLACE would delete that row."""
    if connection.vendor != "sqlite":
        pytest.skip("rowids are SQLite's")
    refused(
        "INSERT OR REPLACE INTO audit_log_treenode (rowid, position, hash) VALUES (1, 4, x'00')"
    )
    refused(
        "INSERT OR REPLACE INTO audit_log_checkpoint (rowid, size, root, note, signed_at) "
        "VALUES (1, 9, x'00', 'n', '2026-01-01')"
    )


@pytest.mark.parametrize("table", TABLES)
def test_truncate_is_refused(table: str, log: None) -> None:
    if connection.vendor == "sqlite":
        refused(f"DELETE FROM {table} WHERE 1 = 1")
    else:
        refused(f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize("table", TABLES)
def test_replication_role_does_not_switch_the_rules_off(table: str, log: None) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("replication roles are PostgreSQL's")
    execute("SET session_replication_role = replica")
    try:
        refused(f"DELETE FROM {table}")
        refused(f"TRUNCATE {table} CASCADE")
    finally:
        execute("SET session_replication_role = origin")


def test_upsert_is_refused(log: None) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        execute(
            "INSERT INTO audit_log_checkpoint (size, root, note, signed_at) "
            "SELECT size, root, 'other', signed_at FROM audit_log_checkpoint WHERE 1 = 1 "
            "ON CONFLICT (size) DO UPDATE SET note = 'other'"
        )


@pytest.mark.parametrize("index", [0, 2, 4, -1])
def test_entry_at_a_place_that_is_not_the_next_is_refused(index: int, log: None) -> None:
    source = "FROM audit_log_pendingentry"
    refused(
        'INSERT INTO audit_log_logentry ("index", entry_id, leaf_hash, body, time, actor, action, '
        "outcome, reason, subject_tag, object_tag, consent_tag) SELECT "
        f"{index}, entry_id, leaf_hash, body, created, 'a', 'a', 'ok', '', body, body, body {source}"
    )


def test_entry_that_was_never_pending_is_refused(log: None) -> None:
    row = LogEntry.objects.get(index=2)
    row.index, row.entry_id = 3, PendingEntry.objects.get().entry_id
    with pytest.raises(IntegrityError, match="origin"):
        row.save(force_insert=True)


def test_gap_in_the_stored_hashes_is_refused(log: None) -> None:
    for position in (5, 3, -1):
        with pytest.raises(IntegrityError, match="append-only"):
            TreeNode(position=position, hash=b"h" * 32).save(force_insert=True)


def test_a_temporary_table_of_the_same_name_does_not_deceive_the_rules(log: None) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite's triggers name their own schema")
    with transaction.atomic():
        execute("CREATE TEMPORARY TABLE audit_log_logentry (entry_id uuid) ON COMMIT DROP")
        execute("INSERT INTO audit_log_logentry SELECT entry_id FROM audit_log_pendingentry")
        refused("DELETE FROM public.audit_log_pendingentry")


# --- the helper, on a table of another shape -----------------------------------------------------

RULES = AppendOnly(
    table="test_event",
    keys=[["id"], ["person", "sequence"]],
    growing=Growing(column="sequence", within=["person"], first=1),
)


@pytest.fixture
def events() -> Iterator[None]:
    execute("CREATE TABLE test_event (id integer PRIMARY KEY, person integer, sequence integer)")
    apply(forwards=True)
    execute("INSERT INTO test_event VALUES (10, 1, 1), (11, 1, 2), (12, 2, 1)")
    yield
    execute("DROP TABLE test_event")


def apply(*, forwards: bool) -> None:
    operation, state = append_only(RULES), ProjectState()
    with connection.schema_editor() as editor:
        move = operation.database_forwards if forwards else operation.database_backwards
        move("audit_log", editor, state, state)


def test_sequence_within_other_columns_must_continue(events: None) -> None:
    for values in ("(20, 1, 4)", "(20, 1, 2)", "(20, 2, 3)", "(20, 3, 2)", "(20, 3, 0)"):
        refused(f"INSERT INTO test_event VALUES {values}")
    execute("INSERT INTO test_event VALUES (20, 1, 3), (21, 3, 1)")


def test_helper_refuses_changes_on_any_table(events: None) -> None:
    refused("UPDATE test_event SET person = 7 WHERE id = 10")
    refused("DELETE FROM test_event WHERE id = 10")
    with pytest.raises(IntegrityError), transaction.atomic():
        execute("INSERT INTO test_event VALUES (10, 1, 3)")


def test_reversing_the_operation_removes_the_rules(events: None) -> None:
    apply(forwards=False)
    execute("UPDATE test_event SET person = 7")
    execute("DELETE FROM test_event")
    execute("INSERT INTO test_event VALUES (1, 1, 9)")
    apply(forwards=True)
    refused("DELETE FROM test_event")


@pytest.mark.parametrize("size", [3, 2])
def test_checkpoint_that_is_not_higher_is_refused(size: int, log: None) -> None:
    refused(
        "INSERT INTO audit_log_checkpoint (size, root, note, signed_at) "
        f"SELECT {size}, root, note, signed_at FROM audit_log_checkpoint"
    )
