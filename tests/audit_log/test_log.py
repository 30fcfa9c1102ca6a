import copy
import pickle
import threading
import uuid

import pytest
from django.db import IntegrityError, connection, transaction

from audit_log.actions import Action
from audit_log.entries import Draft, parse
from audit_log.errors import (
    AppendInsideTransaction,
    AppendOutsideTransaction,
    LogUnavailable,
    ReceiptAlreadyUsed,
    ReceiptNotCommitted,
)
from audit_log.log import DurableReceipt, append, append_durable
from audit_log.merkle import leaf_hash
from audit_log.models import PendingEntry

pytestmark = pytest.mark.usefixtures("fresh_db")
DRAFT = Draft(action=Action.RESULT_READ, actor=f"operator:{uuid.uuid4()}", subject_tag=b"s" * 32)


def test_durable_entry_is_stored_with_its_canonical_bytes() -> None:
    receipt = append_durable(DRAFT)
    row = PendingEntry.objects.get()
    assert row.entry_id == receipt.entry_id
    assert parse(row.body).draft == DRAFT == receipt.draft
    assert row.leaf_hash == leaf_hash(row.body) == receipt.leaf_hash


def test_durable_append_refuses_inside_a_transaction() -> None:
    with transaction.atomic(), pytest.raises(AppendInsideTransaction):
        append_durable(DRAFT)
    assert not PendingEntry.objects.exists()


def test_durable_append_refuses_without_autocommit() -> None:
    transaction.set_autocommit(False)
    try:
        with pytest.raises(AppendInsideTransaction):
            append_durable(DRAFT)
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)
    assert not PendingEntry.objects.exists()


def test_append_refuses_outside_a_transaction() -> None:
    with pytest.raises(AppendOutsideTransaction):
        append(DRAFT)
    assert not PendingEntry.objects.exists()


def test_append_gives_its_receipt_only_on_commit() -> None:
    with transaction.atomic():
        appended = append(DRAFT)
        with pytest.raises(ReceiptNotCommitted):
            _ = appended.receipt
    assert appended.receipt.entry_id == appended.entry_id == PendingEntry.objects.get().entry_id
    assert appended.receipt.leaf_hash == PendingEntry.objects.get().leaf_hash


def test_rollback_leaves_no_entry_and_no_receipt() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        appended = append(DRAFT)
        raise ZeroDivisionError
    assert not PendingEntry.objects.exists()
    with pytest.raises(ReceiptNotCommitted):
        _ = appended.receipt


def test_rollback_of_an_inner_block_leaves_no_entry_and_no_receipt() -> None:
    with transaction.atomic():
        kept = append(DRAFT)
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            lost = append(DRAFT)
            raise ZeroDivisionError
    assert [row.entry_id for row in PendingEntry.objects.all()] == [kept.receipt.entry_id]
    with pytest.raises(ReceiptNotCommitted):
        _ = lost.receipt


def refuse_inserts() -> None:
    """Make every insert into the pending table fail, as a full disk would."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "CREATE TRIGGER full_disk BEFORE INSERT ON audit_log_pendingentry "
                "BEGIN SELECT RAISE(ABORT, 'full'); END"
            )
        else:
            cursor.execute(
                "ALTER TABLE audit_log_pendingentry ADD CONSTRAINT full_disk CHECK (false) NOT VALID"
            )


def accept_inserts() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER full_disk")
        else:
            cursor.execute("ALTER TABLE audit_log_pendingentry DROP CONSTRAINT full_disk")


def test_failed_durable_append_is_log_unavailable_and_recovers() -> None:
    refuse_inserts()
    with pytest.raises(LogUnavailable):
        append_durable(DRAFT)
    accept_inserts()
    append_durable(DRAFT)
    assert PendingEntry.objects.count() == 1


def test_change_whose_entry_failed_cannot_commit_even_if_the_error_is_swallowed() -> None:
    with transaction.atomic():
        first = append(DRAFT)
    refuse_inserts()
    with transaction.atomic():
        with pytest.raises(LogUnavailable):
            append(DRAFT)
        with pytest.raises(transaction.TransactionManagementError):
            PendingEntry.objects.count()
    accept_inserts()
    assert [row.entry_id for row in PendingEntry.objects.all()] == [first.entry_id]


def test_dead_connection_is_log_unavailable_and_the_next_attempt_works() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no connection that a server could close")
    append_durable(DRAFT)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    killer = connection.copy()
    with killer.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    killer.close()
    with pytest.raises(LogUnavailable):
        append_durable(DRAFT)
    append_durable(DRAFT)
    assert PendingEntry.objects.count() == 2


def test_receipt_is_used_once() -> None:
    receipt = append_durable(DRAFT)
    receipt.consume()
    with pytest.raises(ReceiptAlreadyUsed):
        receipt.consume()


def test_receipt_is_used_once_among_threads() -> None:
    receipt = append_durable(DRAFT)
    barrier, used, refused = threading.Barrier(8), [], []

    def race() -> None:
        barrier.wait()
        try:
            receipt.consume()
            used.append(1)
        except ReceiptAlreadyUsed:
            refused.append(1)

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(used), len(refused)) == (1, 7)


def test_receipt_cannot_be_built_copied_stored_changed_or_extended() -> None:
    receipt = append_durable(DRAFT)
    with pytest.raises(TypeError):
        DurableReceipt(b"guess", None, b"")  # type: ignore[arg-type]
    for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            duplicate(receipt)
    with pytest.raises(AttributeError):
        receipt.draft = DRAFT  # type: ignore[misc]
    with pytest.raises(TypeError):
        type("Forged", (DurableReceipt,), {})


def test_pending_row_cannot_go_before_it_is_integrated() -> None:
    append_durable(DRAFT)
    for change in (
        "DELETE FROM audit_log_pendingentry",
        "UPDATE audit_log_pendingentry SET body=''",
    ):
        with pytest.raises(IntegrityError), connection.cursor() as cursor:
            cursor.execute(change)
    assert PendingEntry.objects.count() == 1
