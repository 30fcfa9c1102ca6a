import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable

import pytest
from django.conf import settings
from django.db import IntegrityError, connections, transaction

from audit_log import sequencer, signing
from audit_log.actions import Action
from audit_log.checkpoint import Checkpoint as SignedTree
from audit_log.checkpoint import sign, verify
from audit_log.entries import Draft
from audit_log.errors import HistoryMismatch
from audit_log.log import append, append_durable
from audit_log.merkle import root_of
from audit_log.models import Checkpoint, LogEntry, PendingEntry, TreeNode
from audit_log.sequencer import integrate_once, lag
from tests.processes import environment, wait_for

pytestmark = pytest.mark.usefixtures("fresh_db")
DRAFT = Draft(action=Action.RESULT_READ, actor="system:worker", subject_tag=b"s" * 32)


def leaves() -> list[bytes]:
    return list(LogEntry.objects.order_by("index").values_list("leaf_hash", flat=True))


def test_nothing_pending_does_nothing() -> None:
    assert integrate_once() == 0
    assert lag() == 0.0
    assert not Checkpoint.objects.exists()


def test_pending_entries_move_into_the_tree_and_are_signed() -> None:
    receipts = [append_durable(DRAFT) for _ in range(5)]
    assert lag() > 0
    assert integrate_once() == 5
    assert lag() == 0.0
    assert not PendingEntry.objects.exists()
    assert leaves() == [receipt.leaf_hash for receipt in receipts]
    published = Checkpoint.objects.get()
    tree = verify(published.note, signing.public_key())
    assert (tree.size, tree.root) == (5, root_of(leaves())) == (published.size, published.root)
    assert signing.highest_checkpoint() == (tree, published.note)


def test_tree_grows_by_batches_and_every_root_is_the_tree_of_its_size() -> None:
    for _ in range(23):
        append_durable(DRAFT)
    while integrate_once(limit=4):
        pass
    hashes = leaves()
    assert len(hashes) == 23
    assert [(c.size, c.root) for c in Checkpoint.objects.order_by("size")] == [
        (size, root_of(hashes[:size])) for size in (4, 8, 12, 16, 20, 23)
    ]


def write_fifty() -> None:
    """Half with a change, half alone."""
    for number in range(50):
        if number % 2:
            append_durable(DRAFT)
        else:
            with transaction.atomic():
                append(DRAFT)


def in_thread(work: Callable[[], None], errors: list[BaseException]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_threads_make_contiguous_entries_without_loss() -> None:
    stop = threading.Event()
    errors: list[BaseException] = []

    def integrate() -> None:
        while not stop.is_set():
            integrate_once(limit=17)

    writers = [in_thread(write_fifty, errors) for _ in range(8)]
    sequencers = [in_thread(integrate, errors) for _ in range(2)]
    for thread in writers:
        thread.join()
    stop.set()
    for thread in sequencers:
        thread.join()
    while integrate_once():
        pass
    assert errors == []
    indices = LogEntry.objects.order_by("index").values_list("index", flat=True)
    assert list(indices) == list(range(400))
    assert not PendingEntry.objects.exists()
    hashes = leaves()
    assert all(c.root == root_of(hashes[: c.size]) for c in Checkpoint.objects.all())
    assert Checkpoint.objects.order_by("-size")[0].size == 400


def test_only_one_sequencer_at_a_time() -> None:
    append_durable(DRAFT)
    found = []

    def second() -> None:
        found.append(integrate_once())
        connections.close_all()

    with sequencer.exclusive() as mine:
        assert mine
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert found == [0]
    assert integrate_once() == 1


@pytest.mark.parametrize("damage", ["body", "hash", "id"])
def test_damaged_pending_row_waits_and_does_not_stop_the_log(damage: str) -> None:
    good = append_durable(DRAFT)
    with transaction.atomic():
        row = PendingEntry.objects.get()
        row.entry_id = uuid.uuid4()
        if damage == "body":
            row.body = b"{}"
        elif damage == "hash":
            row.entry_id, row.leaf_hash = row.entry_id, b"x" * 32
        row.save(force_insert=True)
    assert integrate_once() == 1
    assert LogEntry.objects.get().entry_id == good.entry_id
    assert PendingEntry.objects.get().entry_id == row.entry_id
    assert lag() > 0
    assert integrate_once() == 0


def test_kill_after_signing_adopts_the_very_note() -> None:
    for _ in range(3):
        append_durable(DRAFT)
    sequencer.add_entries(3)
    key = signing.signer_key()
    note = sign(SignedTree(key.name, 3, root_of(leaves())), key)
    signing.remember(note)  # killed here: signed, but its row was never committed
    append_durable(DRAFT)
    assert integrate_once() == 1
    assert Checkpoint.objects.get(size=3).note == note
    assert Checkpoint.objects.get(size=4).root == root_of(leaves())


def test_kill_after_signing_with_nothing_new_adopts_the_note() -> None:
    append_durable(DRAFT)
    sequencer.add_entries(1)
    key = signing.signer_key()
    note = sign(SignedTree(key.name, 1, root_of(leaves())), key)
    signing.remember(note)
    assert integrate_once() == 0
    assert Checkpoint.objects.get().note == note


def test_database_that_is_behind_is_not_signed() -> None:
    key = signing.signer_key()
    signing.remember(sign(SignedTree(key.name, 2, b"r" * 32), key))
    append_durable(DRAFT)
    with pytest.raises(HistoryMismatch, match="behind"):
        integrate_once()
    assert not LogEntry.objects.exists()
    assert not Checkpoint.objects.exists()


def test_database_with_another_history_is_not_signed() -> None:
    append_durable(DRAFT)
    integrate_once()
    key = signing.signer_key()
    signing.remember(sign(SignedTree(key.name, 1, b"r" * 32), key))
    append_durable(DRAFT)
    with pytest.raises(HistoryMismatch, match="another history"):
        integrate_once()
    assert Checkpoint.objects.count() == 1


def test_damaged_memory_of_the_highest_checkpoint_stops_signing() -> None:
    append_durable(DRAFT)
    (signing.folder() / "highest_checkpoint").write_text("nonsense")
    with pytest.raises(HistoryMismatch):
        integrate_once()
    assert not Checkpoint.objects.exists()


def test_checkpoint_row_of_a_size_exists_once_and_sizes_only_grow() -> None:
    for _ in range(2):
        append_durable(DRAFT)
    integrate_once()
    for size in (1, 2):
        with pytest.raises(IntegrityError):
            sequencer.record(SignedTree("o", size, b"r" * 32), "another")
    assert Checkpoint.objects.count() == 1


def test_missing_node_is_noticed() -> None:
    with pytest.raises(HistoryMismatch, match="no hash"):
        sequencer.root_at(1)
    assert not TreeNode.objects.exists()


KILLED = """
import os, signal, sys
import django
django.setup()
from django.conf import settings
from django.db import connections
from audit_log import sequencer, signing
step = sys.argv[1]
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
if step == "before-entries":
    honest = sequencer.insert_all
    sequencer.insert_all = lambda model, rows: (die if model is sequencer.LogEntry else honest)(model, rows)
elif step == "before-signing":
    sequencer.sign = die
elif step == "before-memory":
    signing.write_durably = die
elif step == "before-row":
    sequencer.record = die
sequencer.integrate_once()
"""


@pytest.mark.parametrize(
    "step", ["before-entries", "before-signing", "before-memory", "before-row"]
)
def test_sequencer_killed_at_a_step_loses_and_doubles_nothing(step: str) -> None:
    """The steps are cut by replacing a function with SIGKILL in the process that dies."""
    first = [append_durable(DRAFT) for _ in range(3)]
    process = subprocess.run(
        [sys.executable, "-c", KILLED, step],
        env=environment() | {"CONSENTRY_KEYS": str(settings.KEYS_DIR)},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    signed_before = signing.highest_checkpoint()
    second = append_durable(DRAFT)
    # Again and again, as the keeper does: PostgreSQL may take a moment to see that the other is dead.
    assert wait_for(integrate_once, what="the dead one's lock") in (1, 4)
    assert set(LogEntry.objects.values_list("entry_id", flat=True)) == {
        *(receipt.entry_id for receipt in first),
        second.entry_id,
    }
    hashes = leaves()
    checkpoints = {c.size: c for c in Checkpoint.objects.all()}
    assert all(c.root == root_of(hashes[:size]) for size, c in checkpoints.items())
    assert 4 in checkpoints
    if step == "before-row":
        assert signed_before is not None
        assert checkpoints[3].note == signed_before[1]
