"""Verification of the whole log as it lies in the database.

The root is recomputed from the entries' bytes; stored hashes and columns are compared, never
trusted. Tile readers that skip a hash have accepted forged logs.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass

from django.db import connections
from django.utils import timezone

from audit_log import signing
from audit_log.blocks import Block, Mismatch, check_block, require
from audit_log.checkpoint import InvalidNote
from audit_log.cosignature import WitnessKey, cosignatures
from audit_log.errors import AuditLogError
from audit_log.key_changes import verify_keys
from audit_log.merkle import Frontier, fold, stored_before
from audit_log.models import Checkpoint, Cosignature, TreeNode
from audit_log.promises import overdue
from audit_log.sequencer import waiting
from audit_log.tree import tree_size

BLOCK = 4096  # entries; a power of two
ALONE = 20_000  # entries up to which another process is not worth its start
Progress = Callable[[int, int], None]


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


def verify_database(progress: Progress = lambda done, total: None) -> Verdict:
    """Recompute the tree from the entries and compare everything that was derived from them.

    It stops at the first mismatch. Entries that are integrated meanwhile are left for the next time.
    """
    walk = Walk(progress)
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
    """The blocks of the log put together, from the first entry to the last."""

    def __init__(self, progress: Progress) -> None:
        self.frontier = Frontier()
        self.checkpoints = 0
        self.progress = progress

    def run(self) -> None:
        """Verify entries, tree nodes, checkpoints, keys and the memory outside the database."""
        history = signing.key_history()
        remembered = signing.highest_checkpoint()
        # Read first: what is signed while we walk is not expected yet.
        newest = Checkpoint.objects.order_by("-size").first()
        promised = max(newest.size if newest else 0, remembered[0].size if remembered else 0)
        total = tree_size()
        with closing(checked_blocks(total)) as blocks:
            for block in blocks:
                self.join(block)
                self.progress(self.frontier.size, total)
        require(
            total >= promised,
            f"a tree of {promised} entries was signed, but only {total} are there",
        )
        verify_keys(history)
        verify_cosignatures()
        late = overdue(timezone.now())
        require(late == 0, f"{late} entries wait longer than was promised")

    def join(self, block: Block) -> None:
        """Put a verified block to the right of what there is."""
        for promise in block.promises:
            # Both edges are complete subtrees of falling sizes.
            root = fold([*self.frontier.hashes, *promise.edge])
            require(root == promise.root, promise.what)
        self.checkpoints += block.checkpoints
        require(not block.problem, block.problem)
        if block.count == BLOCK:
            self.add_full(block)
        else:
            hashes = [*self.frontier.hashes, *block.edge]
            self.frontier = Frontier(self.frontier.size + block.count, hashes)

    def add_full(self, block: Block) -> None:
        """Add a full block, and verify the stored hashes that its last entry completes above it."""
        level = BLOCK.bit_length() - 1
        above = Frontier(self.frontier.size // BLOCK, self.frontier.hashes)
        made = above.add(block.edge[0])
        end = block.start + block.count
        places = range(stored_before(end) - len(made) + 1, stored_before(end))
        stored = dict(TreeNode.objects.filter(position__in=places).values_list("position", "hash"))
        for place, value in zip(places, made[1:], strict=True):
            require(stored.get(place) == value, f"entry {end - 1}: stored hash {place} is wrong")
        self.frontier = Frontier(above.size << level, above.hashes)


def verify_cosignatures() -> None:
    """Verify that each cosignature which is kept is one, under the checkpoint that it is kept with."""
    for row in Cosignature.objects.select_related("checkpoint").order_by("pk").iterator():
        try:
            found = cosignatures(row.checkpoint.note + row.line, [WitnessKey.parse(row.witness)])
        except InvalidNote as error:
            raise Mismatch(f"{row}: {error}") from None
        require(bool(found), f"{row}: it is by another key")


def checked_blocks(total: int) -> Generator[Block]:
    """Every block in order, verified by as many processes as there are processors."""
    todo = [(start, min(BLOCK, total - start)) for start in range(0, total, BLOCK)]
    workers = min(os.cpu_count() or 1, 8)
    if total <= ALONE or workers == 1:
        yield from (check_block(*each) for each in todo)
        return
    # A connection must not be shared by two processes: each child opens its own.
    connections.close_all()
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        yield from pool.imap(check_one, todo)


def check_one(block: tuple[int, int]) -> Block:
    """``check_block`` for a pool, which gives one argument."""
    return check_block(*block)
