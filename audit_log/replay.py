"""Bringing a database that was restored from a backup up to what was signed after it.

Entries are taken from an exported folder, byte by byte as they were written, into the places that they
had. Nothing is signed here: the checkpoint of the folder was, before the backup was restored.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from django.db import transaction

from audit_log import signing
from audit_log.bulk import Row, insert_all
from audit_log.checkpoint import Checkpoint as SignedTree
from audit_log.entries import parse
from audit_log.errors import ExportInvalid, HistoryMismatch, InvalidEntry
from audit_log.export import exported_checkpoint, exported_entries
from audit_log.merkle import Frontier, leaf_hash, stored_before
from audit_log.models import LogEntry, PendingEntry, TreeNode
from audit_log.sequencer import exclusive, integrated
from audit_log.storage import Folder, Storage
from audit_log.tree import frontier_at, root_at, tree_size

BATCH = 1000


def missing_entries() -> int:
    """How many entries were signed that this database does not have."""
    remembered = signing.highest_checkpoint()
    return max(0, remembered[0].size - tree_size()) if remembered else 0


def replay(folder: Path, *, to_the_end: bool = True) -> int:
    """Append what the folder has and the database lacks; returns how many entries.

    The whole is verified first: the database must be the beginning of the folder's log, and the folder
    must reach the highest checkpoint that was ever signed, unless ``to_the_end`` is False because the
    rest is lost. Raises ExportInvalid or HistoryMismatch, and then nothing was added. Where the memory of
    what was signed is gone, it is the folder's checkpoint from then on.
    """
    storage = Folder(folder)
    tree = exported_checkpoint(storage)
    if tree is None:
        raise ExportInvalid(f"{folder} holds no checkpoint")
    with exclusive() as mine:
        if not mine:
            raise HistoryMismatch("The keeper is running: stop it, then replay.")
        start = tree_size()
        if tree.size <= start:
            if root_at(tree.size) != tree.root:
                raise HistoryMismatch(f"At {tree.size} entries the export has another root.")
        else:
            require_continuation(storage, tree, start, to_the_end)
            bodies = exported_entries(storage, start, tree.size)
            with transaction.atomic():
                frontier = frontier_at(start)
                while batch := list(islice(bodies, BATCH)):
                    add(batch, frontier)
        if to_the_end and not signing.highest_path().exists():
            signing.remember(own_note(storage, tree))
    return max(0, tree.size - start)


def own_note(storage: Storage, tree: SignedTree) -> str:
    """The folder's checkpoint as the log signed it, without the lines of witnesses."""
    lines = (storage.read("checkpoint") or b"").decode().splitlines(keepends=True)
    own = f"— {tree.origin} "
    return "".join(line for line in lines if line.startswith(own) or not line.startswith("— "))


def require_continuation(storage: Storage, tree: SignedTree, start: int, to_the_end: bool) -> None:
    """Raise unless the database's entries followed by the folder's make what was signed."""
    remembered = signing.highest_checkpoint()
    signed = {remembered[0].size: remembered[0].root} if remembered else {}
    if to_the_end and (most := max(signed, default=0)) > tree.size:
        raise HistoryMismatch(f"{storage} ends at {tree.size} entries, but {most} were signed.")
    frontier = frontier_at(start)
    for body in exported_entries(storage, start, tree.size):
        frontier.add(leaf_hash(body))
        if frontier.size in signed and frontier.root() != signed[frontier.size]:
            raise HistoryMismatch(f"At {frontier.size} entries another root was signed.")
    if frontier.root() != tree.root:
        raise HistoryMismatch(
            "The database is not the beginning of the exported log: together they make another root."
        )


def add(bodies: list[bytes], frontier: Frontier) -> None:
    """Give entries their old places, through pending rows as every entry."""
    rows: list[PendingEntry] = []
    entries: list[Row] = []
    nodes: list[Row] = []
    for body in bodies:
        try:
            entry = parse(body)
        except InvalidEntry as error:
            raise ExportInvalid(f"entry {frontier.size}: {error}") from None
        leaf = leaf_hash(body)
        row = PendingEntry(entry_id=entry.id, created=entry.time, leaf_hash=leaf, body=body)
        rows.append(row)
        entries.append(integrated(row, frontier.size))
        place = stored_before(frontier.size)
        nodes += enumerate(frontier.add(leaf), place)
    ids = [row.entry_id for row in rows]
    # Some were waiting already when the backup was made.
    waiting = set(PendingEntry.objects.filter(entry_id__in=ids).values_list("entry_id", flat=True))
    PendingEntry.objects.bulk_create([row for row in rows if row.entry_id not in waiting])
    insert_all(TreeNode, nodes)
    insert_all(LogEntry, entries)
