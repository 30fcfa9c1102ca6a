"""Verifying one block of the log in the database, apart from all others.

A block is a full subtree of entries, or the last, shorter one. Blocks need nothing of each other, so
several processes verify them at once; whoever puts them together needs a few hashes of each.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from audit_log import signing
from audit_log.checkpoint import InvalidNote
from audit_log.errors import InvalidEntry
from audit_log.key_history import KeyHistory
from audit_log.merkle import Frontier, stored_before
from audit_log.models import Checkpoint, LogEntry
from audit_log.row_check import SPELLINGS, Row, read_nodes_between, read_rows, sound_leaf
from audit_log.sequencer import columns

COLUMNS = [field.attname for field in LogEntry._meta.concrete_fields]  # as ``columns`` gives them


class Mismatch(Exception):
    """Something in the log does not fit; the message names the place."""


@dataclass(frozen=True)
class Promise:
    """A root that was signed for a size within a block, with the block's edge at that size."""

    what: str
    size: int
    root: bytes
    edge: list[bytes]


@dataclass(frozen=True)
class Block:
    """What a block contributes to the whole: its edge, and what was signed within it."""

    start: int
    count: int
    edge: list[bytes]
    promises: list[Promise]
    checkpoints: int
    problem: str = ""


def check_block(start: int, count: int) -> Block:
    """Verify the entries from ``start`` on, with columns, stored hashes and checkpoint notes.

    The first mismatch is the block's ``problem``; then ``count`` says how many entries came before it.
    """
    walk = BlockWalk(start)
    try:
        walk.run(count)
    except Mismatch as error:
        problem = str(error)
    else:
        problem = ""
    return Block(start, walk.edge.size, walk.edge.hashes, walk.promises, walk.checkpoints, problem)


class BlockWalk:
    """One pass over a block."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.edge = Frontier()
        self.promises: list[Promise] = []
        self.checkpoints = 0

    def run(self, count: int) -> None:
        """Verify it all. Raises Mismatch."""
        end = self.start + count
        nodes = read_nodes_between(stored_before(self.start), stored_before(end))
        signed = {
            row.size: row for row in Checkpoint.objects.filter(size__gt=self.start, size__lte=end)
        }
        remembered = signing.highest_checkpoint()
        history = signing.key_history() if signed else None
        spelled = SPELLINGS[connection.vendor]
        for row in read_rows(self.start, end):
            index = self.start + self.edge.size
            leaf = sound_leaf(row, index, spelled) or self.looked_at(row, index)
            for place, value in enumerate(self.edge.add(leaf), stored_before(index)):
                if nodes.get(place) != value:
                    raise Mismatch(f"entry {index}: stored hash {place} is wrong")
            size = index + 1
            if history and size in signed:
                self.promise(signed[size], history)
            if remembered and remembered[0].size == size:
                words = f"at {size} entries another root was signed"
                self.expect(words, size, remembered[0].root)
        require(self.edge.size == count, f"entry {self.start + self.edge.size} is missing")

    def looked_at(self, row: Row, index: int) -> bytes:
        """The leaf hash of a row that is not sound at first sight. Raises Mismatch with what is wrong."""
        require(row[0] == index, f"entry {index} is missing")
        stored = LogEntry.objects.filter(index=index).values_list(*COLUMNS).first()
        if stored is None:
            raise Mismatch(f"entry {index} has gone since it was read")
        leaf: bytes
        _index, entry_id, leaf, body, *_ = stored
        try:
            expected = columns(entry_id, leaf, body, index)
        except InvalidEntry as error:
            raise Mismatch(f"entry {index}: {error}") from error
        if stored != tuple(expected.values()):
            names = zip(expected, stored, expected.values(), strict=True)
            wrong = next(name for name, here, said in names if here != said)
            raise Mismatch(f"entry {index}: the column {wrong} is not what the entry says")
        return leaf

    def promise(self, row: Checkpoint, history: KeyHistory) -> None:
        """Verify a checkpoint's signatures; its root is compared when the blocks are put together."""
        try:
            tree = history.verify(row.note)
        except InvalidNote as error:
            raise Mismatch(f"checkpoint {row.size}: {error}") from error
        origin = history.at(row.size).key.name
        require(
            tree.origin == origin,
            f"checkpoint {row.size}: its origin is {tree.origin!r}; expected {origin!r}",
        )
        words = f"checkpoint {row.size}: it is of another tree than the entries make"
        require((tree.size, tree.root) == (row.size, row.root), words)
        self.expect(words, row.size, row.root)
        self.checkpoints += 1

    def expect(self, what: str, size: int, root: bytes) -> None:
        """Note a root that the whole tree must have at a size."""
        self.promises.append(Promise(what, size, root, list(self.edge.hashes)))


def require(fits: bool, problem: str) -> None:
    """Raise Mismatch unless it fits."""
    if not fits:
        raise Mismatch(problem)
