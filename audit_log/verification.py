"""Verification of the whole log as it lies in the database.

The root is recomputed from the entries' bytes; stored hashes and columns are compared, never
trusted. Tile readers that skip a hash have accepted forged logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from django.utils import timezone

from audit_log import signing
from audit_log.actions import Action
from audit_log.checkpoint import InvalidNote
from audit_log.errors import AuditLogError, InvalidEntry
from audit_log.key_history import KeyHistory, KeyRecord
from audit_log.merkle import Frontier, stored_before
from audit_log.models import Checkpoint, LogEntry, PendingEntry, TreeNode
from audit_log.origins import note_tag
from audit_log.promises import overdue
from audit_log.rotation import key_tag
from audit_log.sequencer import integrated, waiting

BATCH = 1000


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found; ``problem`` is empty when everything fits."""

    entries: int
    checkpoints: int
    root: bytes
    waiting: int
    problem: str = ""

    def __str__(self) -> str:
        if self.problem:
            return f"NOT VERIFIED: {self.problem}"
        return (
            f"verified: {self.entries} entries, {self.checkpoints} checkpoints, "
            f"root {self.root.hex()}, {self.waiting} waiting"
        )


class Mismatch(Exception):
    """Something in the log does not fit; the message names the place."""


def verify_database() -> Verdict:
    """Recompute the tree from the entries and compare everything that was derived from them.

    It stops at the first mismatch. Entries that are integrated meanwhile are left for the next time.
    """
    walk = Walk()
    try:
        walk.run()
    except (Mismatch, AuditLogError) as error:
        problem = str(error)
    else:
        problem = ""
    return Verdict(
        entries=walk.frontier.size,
        checkpoints=walk.checkpoints,
        root=walk.frontier.root(),
        waiting=waiting().count(),
        problem=problem,
    )


class Walk:
    """One pass over the log, from the first entry to the last."""

    def __init__(self) -> None:
        self.frontier = Frontier()
        self.checkpoints = 0

    def run(self) -> None:
        """Verify entries, tree nodes, checkpoints and the memory outside the database."""
        history = signing.key_history()
        remembered = signing.highest_checkpoint()
        # Read first: what is signed while we walk is not expected yet.
        newest = Checkpoint.objects.order_by("-size").first()
        promised = max(newest.size if newest else 0, remembered[0].size if remembered else 0)
        for batch in entries():
            size = self.frontier.size
            signed = {
                row.size: row
                for row in Checkpoint.objects.filter(size__gt=size, size__lte=size + len(batch))
            }
            nodes = stored_nodes(size, len(batch))
            for row in batch:
                self.add(row, nodes)
                if self.frontier.size in signed:
                    self.compare(signed[self.frontier.size], history)
                if remembered and remembered[0].size == self.frontier.size:
                    require(
                        remembered[0].root == self.frontier.root(),
                        f"at {self.frontier.size} entries another root was signed",
                    )
        require(
            self.frontier.size >= promised,
            f"a tree of {promised} entries was signed, but only {self.frontier.size} are there",
        )
        verify_keys(history)
        late = overdue(timezone.now())
        require(late == 0, f"{late} entries wait longer than was promised")

    def add(self, row: LogEntry, nodes: dict[int, bytes]) -> None:
        """Verify one entry against its own body and the stored nodes, and add it to the tree."""
        index = self.frontier.size
        require(row.index == index, f"entry {index} is missing")
        pending = PendingEntry(entry_id=row.entry_id, leaf_hash=row.leaf_hash, body=row.body)
        try:
            expected = integrated(pending, index)
        except InvalidEntry as error:
            raise Mismatch(f"entry {index}: {error}") from error
        for field in LogEntry._meta.concrete_fields:
            require(
                getattr(row, field.attname) == getattr(expected, field.attname),
                f"entry {index}: the column {field.attname} is not what the entry says",
            )
        for place, value in enumerate(self.frontier.add(row.leaf_hash), stored_before(index)):
            require(nodes.get(place) == value, f"entry {index}: stored hash {place} is wrong")

    def compare(self, row: Checkpoint, history: KeyHistory) -> None:
        """Verify a checkpoint's signatures and that it is of the tree as it is here."""
        try:
            tree = history.verify(row.note)
        except InvalidNote as error:
            raise Mismatch(f"checkpoint {row.size}: {error}") from error
        origin = history.at(row.size).key.name
        require(
            tree.origin == origin,
            f"checkpoint {row.size}: its origin is {tree.origin!r}; expected {origin!r}",
        )
        here = (self.frontier.size, self.frontier.root())
        require(
            (tree.size, tree.root) == (row.size, row.root) == here,
            f"checkpoint {row.size}: it is of another tree than the entries make",
        )
        self.checkpoints += 1


def verify_keys(history: KeyHistory) -> None:
    """Verify that each change of the key is an entry, before the key signed; and each ended origin's note.

    Entries of an ended origin that are lost were lost with it.
    """
    number = len(history.ended_origins())
    for newer, older in pairwise(history.records):
        moved = newer.key.name != older.key.name
        if moved:
            tag = verify_ended(history, number, older)
            number -= 1
        elif history.at(newer.start) is not newer:
            continue
        else:
            tag = key_tag(newer.key)
        action = Action.LOG_NEW_ORIGIN if moved else Action.LOG_KEY_ROTATE
        rows = LogEntry.objects.about_object([tag]).filter(action=action)
        places = {"index": newer.start - 1} if moved else {"index__lt": newer.start}
        require(
            rows.filter(**places).exists(),
            f"no entry {action} names the key that signs from {newer.start} entries on",
        )


def verify_ended(history: KeyHistory, number: int, last: KeyRecord) -> bytes:
    """Verify the last checkpoint of an ended origin; how the entry that follows it names it."""
    note = signing.ended_note(number)
    require(note is not None, f"{signing.ended_path(number)} is missing")
    try:
        tree = history.verify(note or "")
    except InvalidNote as error:
        raise Mismatch(f"{signing.ended_path(number)}: {error}") from error
    require(
        (tree.origin, tree.size) == (last.key.name, last.to),
        f"{signing.ended_path(number)} is not the last checkpoint of {last.key.name}",
    )
    return note_tag(note or "")


def require(fits: bool, problem: str) -> None:
    """Raise Mismatch unless it fits."""
    if not fits:
        raise Mismatch(problem)


def entries() -> Iterator[list[LogEntry]]:
    """All entries in the order of the tree, by the thousand."""
    last = -1
    while batch := list(LogEntry.objects.filter(index__gt=last).order_by("index")[:BATCH]):
        yield batch
        last = batch[-1].index


def stored_nodes(size: int, count: int) -> dict[int, bytes]:
    """The stored hashes that ``count`` entries added to a tree of ``size``, by position."""
    low, high = stored_before(size), stored_before(size + count)
    nodes = TreeNode.objects.filter(position__gte=low, position__lt=high)
    return dict(nodes.values_list("position", "hash"))
