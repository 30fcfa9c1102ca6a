"""The log as tiles in a folder or a bucket, for auditors, for mirrors, and to replay from after a restore.

Incremental: a full tile is written once, and the checkpoint last, so that there is at every moment a valid
log of some size. What is long is written in steps, each up to a checkpoint that was signed then, so that an
export which is killed goes on where it was. Entries name nobody; whoever reads them still learns times,
actions and how often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from audit_log import signing
from audit_log.checkpoint import Checkpoint as SignedTree
from audit_log.checkpoint import InvalidNote
from audit_log.errors import ExportInvalid
from audit_log.exported_keys import key_files, verify_key_files
from audit_log.merkle import leaf_hash
from audit_log.models import Checkpoint, LogEntry
from audit_log.storage import Storage
from audit_log.tile_check import Reader, bundled_entries, verify_tiles
from audit_log.tiles import LEVEL_BITS, WIDTH, Tile, bundle, tiles_between
from audit_log.tree import read_nodes, root_at

STEP = 100 * WIDTH  # entries
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Exported:
    """What an export did: the tree's size before and now, and how many tiles were written."""

    before: int
    size: int
    files: int


def export_log(storage: Storage, progress: Progress = lambda done, total: None) -> Exported:
    """Bring it up to the newest checkpoint; ``progress`` hears of entries.

    Raises ExportInvalid when it holds another log, or one that is ahead of this database.
    """
    newest = Checkpoint.objects.order_by("-size").first()
    held = exported_checkpoint(storage)
    before, size = (held.size if held else 0), (newest.size if newest else 0)
    if held and (held.size > size or root_at(held.size) != held.root):
        raise ExportInvalid(
            f"{storage} holds a log of {held.size} entries that this database does not continue; "
            "keep it, and export to another folder or prefix"
        )
    if newest is None:
        return Exported(before, size, 0)
    for path, data in key_files().items():  # before the checkpoints that need them
        if storage.read(path) != data:
            storage.write(path, data)
    at, files = before, 0
    while at < size:
        row = (
            Checkpoint.objects.filter(size__gte=at + STEP, size__lte=size).order_by("size").first()
        )
        step = row or newest
        files += export_step(storage, at, step)
        at = step.size
        progress(at - before, size - before)
    if before == size:
        storage.remove_partial([])  # what a kill after the checkpoint has left
    return Exported(before, size, files)


def export_step(storage: Storage, before: int, signed: Checkpoint) -> int:
    """Write what a log of this checkpoint has and one of ``before`` entries had not; how many tiles."""
    wanted = list(tiles_between(before, signed.size))
    written = sum(1 for _ in storage.write_all((tile.path, tile_bytes(tile)) for tile in wanted))
    storage.write("checkpoint", signed.cosigned_note().encode())
    # Not before the checkpoint: the one before may name them.
    storage.remove_partial(tile for tile in wanted if tile.width == WIDTH)
    return written


def exported_checkpoint(storage: Storage) -> SignedTree | None:
    """The checkpoint of an export, verified with this log's keys; None where there is none."""
    note = storage.read("checkpoint")
    try:
        return None if note is None else signing.key_history().verify(note.decode())
    except (UnicodeDecodeError, InvalidNote) as error:
        raise ExportInvalid(f"{storage}: checkpoint: {error}") from None


def tile_bytes(tile: Tile) -> bytes:
    """A tile's bytes, from the stored tree or the entries. Raises HistoryMismatch for a gap."""
    if tile.level is None:
        rows = LogEntry.objects.filter(index__gte=tile.first, index__lt=tile.first + tile.width)
        return bundle(
            [bytes(body) for body in rows.order_by("index").values_list("body", flat=True)]
        )
    level = tile.level * LEVEL_BITS
    return b"".join(read_nodes([(level, tile.first + i) for i in range(tile.width)]))


def exported_entries(storage: Storage, start: int, size: int) -> Iterator[bytes]:
    """The entries of an export from index ``start`` up to its ``size``, in order.

    Raises ExportInvalid when a bundle is missing or damaged. Nothing is verified here.
    """
    return bundled_entries(reader(storage), start, size)


def verify_export(storage: Storage, progress: Progress = lambda done, total: None) -> SignedTree:
    """Recompute the tree from an export's entries; compare every hash of every tile, checkpoint and keys.

    Raises ExportInvalid at the first thing that does not fit.
    """
    tree = exported_checkpoint(storage)
    if tree is None:
        raise ExportInvalid(f"{storage} holds no checkpoint")
    verify_key_files(storage.read)
    read = reader(storage)
    leaves = (leaf_hash(body) for body in bundled_entries(read, 0, tree.size))
    verify_tiles(read, tree, leaves, progress)
    return tree


def reader(storage: Storage) -> Reader:
    """Reads what an export must have. Raises ExportInvalid for what it lacks."""

    def read(path: str) -> bytes:
        found = storage.read(path)
        if found is None:
            raise ExportInvalid(f"{storage} has no {path}")
        return found

    return read
