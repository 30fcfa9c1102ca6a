import base64
import json
import threading
import time
import uuid

import pytest
from django.db import connections

from audit_log import merkle, proofs, sequencer, signing
from audit_log.actions import Action
from audit_log.checkpoint import verify
from audit_log.entries import Draft, parse
from audit_log.errors import EntryNotIntegrated, EntryUnknown, UnknownTreeSize
from audit_log.log import append_durable
from audit_log.models import Checkpoint, LogEntry, PendingEntry
from audit_log.proofs import consistency_proof, inclusion_proof, tlog_proof_text
from audit_log.receipts import receipt_document, wait_integrated
from audit_log.sequencer import integrate_once

pytestmark = pytest.mark.usefixtures("fresh_db")


def draft(subject: bytes = b"", other: bytes = b"") -> Draft:
    return Draft(
        action=Action.RESULT_READ,
        actor="system:worker",
        subject_tag=subject,
        object_tag=other,
        consent_tag=other,
        purpose_id=uuid.UUID(int=7) if subject else None,
    )


@pytest.fixture
def entry_ids() -> list[uuid.UUID]:
    ids = [append_durable(draft()).entry_id for _ in range(11)]
    while integrate_once(limit=3):
        pass
    return ids


def test_every_entry_is_proven_under_the_latest_checkpoint(entry_ids: list[uuid.UUID]) -> None:
    for index, entry_id in enumerate(entry_ids):
        proof = inclusion_proof(entry_id)
        assert (proof.index, proof.size, proof.entry_id) == (index, 11, entry_id)
        assert proof.leaf_hash == merkle.leaf_hash(proof.body)
        assert parse(proof.body).id == entry_id
        merkle.verify_inclusion(proof.leaf_hash, index, 11, proof.hashes, proof.root)
        assert verify(proof.note, signing.public_key()).root == proof.root


def test_tlog_proof_text_has_the_published_form(entry_ids: list[uuid.UUID]) -> None:
    proof = inclusion_proof(entry_ids[4])
    assert tlog_proof_text(entry_ids[4]) == "\n".join(
        [
            "c2sp.org/tlog-proof@v1",
            "index 4",
            *(base64.b64encode(value).decode() for value in proof.hashes),
            "",
            proof.note,
        ]
    )


def test_tree_of_one_needs_no_hash() -> None:
    entry_id = append_durable(draft()).entry_id
    integrate_once()
    assert tlog_proof_text(entry_id).startswith("c2sp.org/tlog-proof@v1\nindex 0\n\n")


def test_consistency_between_all_checkpoints(entry_ids: list[uuid.UUID]) -> None:
    roots = dict(Checkpoint.objects.values_list("size", "root"))
    assert list(roots) == [3, 6, 9, 11]
    for old in roots:
        for new in roots:
            if old <= new:
                merkle.verify_consistency(
                    old, new, consistency_proof(old, new), roots[old], roots[new]
                )


@pytest.mark.parametrize(("old", "new"), [(0, 3), (3, 12), (4, 3), (-1, 3)])
def test_consistency_of_sizes_that_are_not_there(
    old: int, new: int, entry_ids: list[uuid.UUID]
) -> None:
    with pytest.raises(UnknownTreeSize):
        consistency_proof(old, new)


def test_entry_that_waits_is_not_proven() -> None:
    pending = append_durable(draft()).entry_id
    with pytest.raises(EntryNotIntegrated):
        inclusion_proof(pending)
    sequencer.add_entries(1)  # it has a place, but nothing is signed yet
    with pytest.raises(EntryNotIntegrated):
        inclusion_proof(pending)
    assert not LogEntry.objects.provable().exists()
    integrate_once()
    later = append_durable(draft()).entry_id
    sequencer.add_entries(1)
    with pytest.raises(EntryNotIntegrated):
        inclusion_proof(later)
    assert [entry.entry_id for entry in LogEntry.objects.provable()] == [pending]


def test_entry_that_was_never_written_is_unknown() -> None:
    with pytest.raises(EntryUnknown):
        inclusion_proof(uuid.uuid4())


def test_entry_integrated_between_the_two_questions_is_not_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sequencer really runs at the worst moment: between the look-ups in the two tables."""
    entry_id = append_durable(draft()).entry_id

    class Interrupted:
        @staticmethod
        def filter(**wanted: object) -> object:
            integrate_once()
            return PendingEntry.objects.filter(**wanted)

    class Table:
        objects = Interrupted

    monkeypatch.setattr(proofs, "PendingEntry", Table)
    with pytest.raises(EntryNotIntegrated):
        inclusion_proof(entry_id)
    assert inclusion_proof(entry_id).index == 0


def test_receipt_holds_the_entries_in_the_order_asked_for(entry_ids: list[uuid.UUID]) -> None:
    wanted = [entry_ids[7], entry_ids[2]]
    document = json.loads(json.dumps(receipt_document(wanted)))
    assert document["format"] == "consentry-receipt/1"
    assert document["verifier_key"] == signing.verifier_key()
    bodies = [base64.b64decode(item["entry"]) for item in document["entries"]]
    assert [parse(body).id for body in bodies] == wanted
    assert [item["proof"] for item in document["entries"]] == [tlog_proof_text(i) for i in wanted]


def test_receipt_of_nothing_is_empty() -> None:
    assert receipt_document([])["entries"] == []


def test_waiting_ends_when_a_checkpoint_covers_the_entries() -> None:
    ids = [append_durable(draft()).entry_id for _ in range(2)]
    assert not wait_integrated(ids, timeout=0.1)

    def later() -> None:
        time.sleep(0.1)
        integrate_once()
        connections.close_all()

    thread = threading.Thread(target=later)
    thread.start()
    assert wait_integrated([*ids, ids[0]], timeout=20)
    thread.join()
    receipt_document(ids)


def test_entries_are_found_by_what_they_are_about() -> None:
    tags = [bytes([number]) * 32 for number in range(1, 4)]
    append_durable(draft())
    for tag in tags:
        append_durable(draft(tag, tag[::-1]))
    integrate_once()
    log = LogEntry.objects
    assert [e.index for e in log.newest_first()] == [3, 2, 1, 0]
    assert [e.index for e in log.about_subject(tags[:2]).newest_first()] == [2, 1]
    assert [e.index for e in log.about_object([tags[2]])] == [3]
    assert log.of_purpose(uuid.UUID(int=7)).count() == 3
    # An empty tag is no tag: it must not match every entry that has none.
    assert not log.about_subject([b""]).exists()
    entry = log.get(index=1)
    assert entry.entry().draft.subject_tag == tags[0] == entry.subject_tag
    assert str(entry) == "1: result:read ok"


def test_rows_say_what_they_are(entry_ids: list[uuid.UUID]) -> None:
    append_durable(draft())
    pending = PendingEntry.objects.get()
    assert str(pending) == str(pending.entry_id)
    assert str(Checkpoint.objects.get(size=11)) == "checkpoint of 11 entries"
    assert str(sequencer.TreeNode.objects.get(position=5)) == "5"
