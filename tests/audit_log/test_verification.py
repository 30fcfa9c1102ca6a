"""Forging the log by going around the database's rules, and being found out."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from audit_log import merkle, sequencer, signing, verification
from audit_log.actions import Action
from audit_log.checkpoint import Checkpoint as SignedTree
from audit_log.checkpoint import SignerKey, sign
from audit_log.entries import Draft, Entry
from audit_log.log import append_durable
from audit_log.models import Checkpoint, LogEntry, TreeNode
from audit_log.sequencer import integrate_once
from audit_log.verification import verify_database

pytestmark = pytest.mark.usefixtures("fresh_db")
DRAFT = Draft(action=Action.RESULT_READ, actor="system:worker", subject_tag=b"s" * 32)
SIZE = 9


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "BLOCK", 4)  # so that a tree of nine takes several blocks
    for _ in range(SIZE):
        append_durable(DRAFT)
    while integrate_once(limit=4):
        pass


def disarm() -> None:
    """Remove the database's rules, as the owner of the database can."""
    with connection.cursor() as cursor:
        for table in ("logentry", "treenode", "checkpoint", "pendingentry"):
            if connection.vendor == "sqlite":
                cursor.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s",
                    [f"audit_log_{table}"],
                )
                for (name,) in cursor.fetchall():
                    cursor.execute(f'DROP TRIGGER "{name}"')
            else:
                cursor.execute(f"ALTER TABLE audit_log_{table} DISABLE TRIGGER ALL")


def found(text: str) -> None:
    verdict = verify_database()
    assert text in verdict.problem
    assert str(verdict).startswith("NOT VERIFIED: ")
    with pytest.raises(CommandError, match="NOT VERIFIED"):
        call_command("verify_log", stdout=StringIO())


def test_untouched_log_is_verified_in_one_line(log: None) -> None:
    append_durable(DRAFT)
    out = StringIO()
    call_command("verify_log", stdout=out)
    root = Checkpoint.objects.get(size=SIZE).root
    assert out.getvalue() == (
        f"verified: {SIZE} entries, 3 checkpoints, root {root.hex()}, 1 waiting, "
        "0 rows with their entries\n"
    )


def test_several_processes_find_the_same(log: None, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = verify_database()
    monkeypatch.setattr(verification, "ALONE", 0)
    monkeypatch.setattr(verification.os, "cpu_count", lambda: 3)
    assert verify_database() == alone
    disarm()
    TreeNode.objects.filter(position=14).delete()  # the root of all eight, above both blocks
    found("entry 7: stored hash 14")
    LogEntry.objects.filter(index=5).update(actor="system:keeper")
    found("entry 5: the column actor")


def test_progress_is_told_to_the_end(log: None) -> None:
    told: list[tuple[int, int]] = []
    verify_database(lambda done, total: told.append((done, total)))
    assert told == [(4, SIZE), (8, SIZE), (SIZE, SIZE)]


def test_empty_log_is_verified() -> None:
    assert verify_database().problem == ""
    assert verify_database().root == merkle.EMPTY_ROOT


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("actor", "system:keeper"),
        ("action", Action.RESULT_SAVE),
        ("outcome", "refused"),
        ("reason", "analysis"),
        ("subject_tag", b"t" * 32),
        ("object_tag", b"t" * 32),
        ("consent_tag", b"t" * 32),
        ("purpose_id", "11111111-2222-3333-4444-555555555555"),
        ("time", "2020-01-01T00:00:00Z"),
    ],
)
def test_changed_column_is_found(column: str, value: object, log: None) -> None:
    disarm()
    LogEntry.objects.filter(index=5).update(**{column: value})
    found(f"entry 5: the column {column}")


def forged() -> LogEntry:
    """Another entry with the id and time of entry 5, consistent in itself."""
    row = LogEntry.objects.get(index=5)
    honest = row.entry()
    draft = Draft(action=Action.RESULT_READ, actor="system:nobody", subject_tag=b"s" * 32)
    row.body = Entry(id=honest.id, time=honest.time, draft=draft).canonical()
    row.actor = draft.actor
    return row


def test_changed_body_is_found(log: None) -> None:
    disarm()
    forged().save()
    found("entry 5: This is not a valid log entry")


def test_changed_body_with_its_leaf_hash_is_found(log: None) -> None:
    disarm()
    row = forged()
    row.leaf_hash = merkle.leaf_hash(row.body)
    row.save()
    found("entry 5: stored hash")


def test_forged_entry_with_all_stored_hashes_made_anew_is_found(log: None) -> None:
    """The case that a reader of stored hashes would accept: entry, leaf and every node agree."""
    disarm()
    row = forged()
    row.leaf_hash = merkle.leaf_hash(row.body)
    row.save()
    frontier = merkle.Frontier()
    place = 0
    for leaf in LogEntry.objects.order_by("index").values_list("leaf_hash", flat=True):
        for value in frontier.add(leaf):
            TreeNode.objects.filter(position=place).update(hash=value)
            place += 1
    found("checkpoint 8: it is of another tree")
    # And the sequencer signs nothing on top of it.
    append_durable(DRAFT)
    with pytest.raises(sequencer.HistoryMismatch, match="another history"):
        integrate_once()


def test_removed_last_entries_are_found(log: None) -> None:
    disarm()
    LogEntry.objects.filter(index__gte=8).delete()
    found(f"a tree of {SIZE} entries was signed, but only 8")
    Checkpoint.objects.filter(size=SIZE).delete()
    found(f"a tree of {SIZE} entries was signed, but only 8")


def test_removed_entry_in_the_middle_is_found(log: None) -> None:
    disarm()
    LogEntry.objects.filter(index=5).delete()
    found("entry 5 is missing")


def test_removed_stored_hash_is_found(log: None) -> None:
    disarm()
    TreeNode.objects.filter(position=3).delete()
    found("stored hash 3")


def test_checkpoint_signed_by_another_key_is_found(log: None) -> None:
    disarm()
    row = Checkpoint.objects.get(size=SIZE)
    tree = SignedTree(signing.public_key().name, SIZE, row.root)
    row.note = sign(tree, SignerKey.generate(tree.origin))
    row.save()
    found(f"checkpoint {SIZE}: no signature by")


def test_checkpoint_row_that_differs_from_its_note_is_found(log: None) -> None:
    disarm()
    Checkpoint.objects.filter(size=SIZE).update(root=b"r" * 32)
    found(f"checkpoint {SIZE}: it is of another tree")


def test_other_root_in_the_memory_outside_the_database_is_found(log: None) -> None:
    key = signing.signer_key()
    signing.remember(sign(SignedTree(key.name, SIZE, b"r" * 32), key))
    found(f"at {SIZE} entries another root was signed")


def test_entries_integrated_but_not_signed_yet_are_no_problem(log: None) -> None:
    append_durable(DRAFT)
    sequencer.add_entries(1)
    verdict = verify_database()
    assert (verdict.problem, verdict.entries, verdict.checkpoints) == ("", SIZE + 1, 3)


def test_damaged_key_is_a_verdict_and_no_crash(log: None) -> None:
    (signing.folder() / "verifier_key").write_text("nonsense")
    found("signing key")


def test_other_id_is_found(log: None) -> None:
    disarm()
    LogEntry.objects.filter(index=0).update(entry_id="01890a5d-ac96-774b-bcce-b302099a8057")
    found("entry 0: This is not a valid log entry")
