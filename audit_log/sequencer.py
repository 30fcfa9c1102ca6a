"""The sequencer: gives pending entries their place in the tree and signs checkpoints.

One runs at a time: a file lock on SQLite, a transaction-scoped advisory lock on PostgreSQL (session
locks break behind a connection pooler). The order of steps makes a kill at any point harmless:

1. entries and tree nodes are committed together, so the root at each size is fixed for good;
2. the checkpoint of a committed size is signed and written, flushed, outside the database;
3. its row is committed, and only from then on it is published.

A kill between 2 and 3 leaves a signed note without a row; the next run adopts that very note. What
the database holds must continue the highest checkpoint ever signed, else nothing is added or signed.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, Min, OuterRef, QuerySet
from django.utils import timezone

from audit_log import signing
from audit_log.bulk import Row, insert_all
from audit_log.checkpoint import Checkpoint as SignedTree
from audit_log.checkpoint import sign
from audit_log.entries import parse
from audit_log.errors import HistoryMismatch, InvalidEntry
from audit_log.merkle import Frontier, leaf_hash, stored_before
from audit_log.models import Checkpoint, LogEntry, PendingEntry, TreeNode
from audit_log.tree import frontier_at, root_at, tree_size

logger = logging.getLogger(__name__)

BATCH = 1000
AT_ONCE = 250  # in one transaction: during a longer one SQLite's other writers wait noticeably
# The advisory lock's number: "consentry log" in no particular alphabet, fixed for ever.
ADVISORY_LOCK = 0x636F6E73_6C6F6721


def integrate_once(limit: int = BATCH) -> int:
    """Integrate up to ``limit`` pending entries and sign a checkpoint over them; returns how many.

    Returns 0 when there is nothing to do or another sequencer is at it. Raises HistoryMismatch when
    the database does not continue what was signed, SigningKeyMissing without a key.
    """
    added = 0
    with exclusive() as mine:
        if mine:
            added = add_entries(limit)
    with exclusive() as mine:
        if mine:
            publish()
    return added


def lag() -> float:
    """The age in seconds of the oldest entry that waits for its place; 0.0 when none waits."""
    oldest = waiting().aggregate(oldest=Min("created"))["oldest"]
    return max(0.0, (timezone.now() - oldest).total_seconds()) if oldest else 0.0


def waiting() -> QuerySet[PendingEntry]:
    """Pending rows without an entry: an anti-join, because ids do not commit in their order."""
    return PendingEntry.objects.filter(
        ~Exists(LogEntry.objects.filter(entry_id=OuterRef("entry_id")))
    )


@contextmanager
def exclusive() -> Iterator[bool]:
    """Be the only sequencer, if no other is: gives False at once, without waiting, when one is."""
    if connection.vendor == "postgresql":
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [ADVISORY_LOCK])
                mine = bool(cursor.fetchone()[0])
            yield mine
        return
    path = Path(settings.VAR_DIR) / "sequencer.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        # A lock on an open file ends with it, also when the process is killed.
        yield True


def add_entries(limit: int) -> int:
    """Give waiting entries the next places, in order of time (their ids follow it)."""
    rows = list(waiting().order_by("entry_id")[:limit])
    if not rows:
        return 0
    require_history(tree_size())
    return sum(give_places(rows[start : start + AT_ONCE]) for start in range(0, len(rows), AT_ONCE))


def give_places(rows: list[PendingEntry]) -> int:
    """Give these rows the next places, in one transaction; returns how many were sound."""
    entries, nodes = placed(rows, frontier_at(tree_size()))
    with transaction.atomic():
        insert_all(TreeNode, nodes)
        insert_all(LogEntry, entries)
    return len(entries)


def placed(rows: list[PendingEntry], frontier: Frontier) -> tuple[list[Row], list[Row]]:
    """The rows of entries at their places from the frontier on, and of the hashes that they add."""
    entries: list[Row] = []
    nodes: list[Row] = []
    for row in rows:
        try:
            entry = integrated(row, frontier.size)
        except InvalidEntry as error:
            # It stays, and lag() shows it: one bad row must not stop the log.
            logger.error("pending entry %s is damaged and waits: %s", row.entry_id, error)
            continue
        place = stored_before(frontier.size)
        nodes += enumerate(frontier.add(row.leaf_hash), place)
        entries.append(entry)
    return entries, nodes


def integrated(row: PendingEntry, index: int) -> Row:
    """The values of a pending row's entry. Raises InvalidEntry when its bytes are not what was written."""
    return tuple(columns(row.entry_id, row.leaf_hash, row.body, index).values())


def columns(entry_id: UUID, leaf: bytes, body: bytes, index: int) -> dict[str, Any]:
    """What the columns of an entry are, by its body, in their order.

    Raises InvalidEntry when its id or hash is not its own.
    """
    entry = parse(body)
    if entry.id != entry_id or leaf_hash(body) != leaf:
        raise InvalidEntry("Its id or hash does not belong to its body.")
    draft = entry.draft
    return {
        "index": index,
        "entry_id": entry.id,
        "leaf_hash": leaf,
        "body": body,
        "time": entry.time,
        "actor": draft.actor,
        "action": draft.action.value,
        "outcome": draft.outcome.value,
        "reason": draft.reason.value if draft.reason else "",
        "purpose_id": draft.purpose_id,
        "subject_tag": draft.subject_tag,
        "object_tag": draft.object_tag,
        "consent_tag": draft.consent_tag,
    }


def publish() -> None:
    """Sign the committed tree, unless its checkpoint is published already."""
    size = tree_size()
    newest = Checkpoint.objects.order_by("-size").first()
    if size == 0 or (newest and newest.size == size):
        return
    require_history(size)
    remembered = signing.highest_checkpoint()
    if remembered and (newest is None or remembered[0].size > newest.size):
        # Signed, but killed before its row was committed: the same note, never a second one.
        record(*remembered)
        if remembered[0].size == size:
            return
    keys = signing.signer_keys()
    tree = SignedTree(keys[0].name, size, root_at(size))
    note = sign(tree, *keys)
    signing.remember(note)
    record(tree, note)


def record(tree: SignedTree, note: str) -> None:
    """Commit a checkpoint's row; from then on it counts as published."""
    row = Checkpoint(size=tree.size, root=tree.root, note=note, signed_at=timezone.now())
    row.save(force_insert=True)


def require_history(size: int) -> None:
    """Raise HistoryMismatch unless the tree continues every checkpoint that was signed."""
    remembered = signing.highest_checkpoint()
    if remembered:
        require_tree(remembered[0], size)
    elif not signing.highest_path().exists() and Checkpoint.objects.exists():
        raise HistoryMismatch(
            f"{signing.highest_path()} is gone: restore it, or run `manage.py replay_log` with the newest "
            "export. Without it a tree could be signed that contradicts an earlier one."
        )
    require_signed(size)


def require_signed(size: int) -> None:
    """Raise HistoryMismatch unless the tree continues the checkpoint rows of its own database."""
    newest = Checkpoint.objects.order_by("-size").first()
    if newest:
        require_tree(SignedTree("", newest.size, newest.root), size)


def require_tree(tree: SignedTree, size: int) -> None:
    """Raise HistoryMismatch unless the stored tree of this size continues the signed one."""
    if tree.size > size:
        raise HistoryMismatch(
            f"The database is behind: a tree of {tree.size} entries was signed, it has {size}. "
            "Replay the missing entries, or start a log with a new origin."
        )
    if root_at(tree.size) != tree.root:
        raise HistoryMismatch(
            f"The database has another history: at {tree.size} entries its root is not the one "
            "that was signed."
        )
