"""The stored Merkle tree: reading node hashes and roots of any size from the database."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Max

from audit_log.errors import HistoryMismatch
from audit_log.merkle import Frontier, Node, complete_nodes, fold, position
from audit_log.models import LogEntry, TreeNode


def tree_size() -> int:
    """The number of entries that have a place in the tree."""
    highest: int | None = LogEntry.objects.aggregate(highest=Max("index"))["highest"]
    return 0 if highest is None else highest + 1


def read_nodes(nodes: Sequence[Node]) -> list[bytes]:
    """The hashes of stored nodes, in one query. Raises HistoryMismatch when one is missing."""
    positions = [position(level, index) for level, index in nodes]
    found = dict(TreeNode.objects.filter(position__in=positions).values_list("position", "hash"))
    missing = [place for place in positions if place not in found]
    if missing:
        raise HistoryMismatch(f"The stored tree has no hash at position {missing[0]}.")
    return [found[place] for place in positions]


def root_at(size: int) -> bytes:
    """The root hash that the tree had at a size."""
    return fold(read_nodes(complete_nodes(0, size)))


def frontier_at(size: int) -> Frontier:
    """The right edge of the tree at a size, to add entries to."""
    return Frontier(size, read_nodes(complete_nodes(0, size)))
