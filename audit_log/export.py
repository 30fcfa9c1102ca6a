"""The log as a folder of tiles, for auditors, for mirrors, and to replay from after a restore.

Incremental: a full tile is written once, and the checkpoint last, so that a folder is at every moment a
valid log of some size. Entries name nobody; whoever reads them still learns times, actions and how often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from audit_log import signing
from audit_log.checkpoint import Checkpoint as SignedTree
from audit_log.checkpoint import InvalidNote
from audit_log.durable_files import write_durably
from audit_log.errors import ExportInvalid
from audit_log.merkle import leaf_hash
from audit_log.models import Checkpoint, LogEntry
from audit_log.tile_check import Reader, bundled_entries, verify_tiles
from audit_log.tiles import LEVEL_BITS, Tile, bundle, tiles_between
from audit_log.tree import read_nodes, root_at

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Exported:
    """What an export did: the tree's size before and now, and how many files were written."""

    before: int
    size: int
    files: int


def export_log(folder: Path, progress: Progress = lambda done, total: None) -> Exported:
    """Bring a folder up to the newest published checkpoint.

    Raises ExportInvalid when the folder holds another log, or one that is ahead of this database.
    """
    newest = Checkpoint.objects.order_by("-size").first()
    held = exported_checkpoint(folder)
    before, size = (held.size if held else 0), (newest.size if newest else 0)
    if held and (held.size > size or root_at(held.size) != held.root):
        raise ExportInvalid(
            f"{folder} holds a log of {held.size} entries that this database does not continue; "
            "keep it, and export to another folder"
        )
    if newest is None or before == size:
        remove_partial(folder)  # what a kill after the checkpoint has left
        return Exported(before, size, 0)
    wanted = list(tiles_between(before, size))
    for done, tile in enumerate(wanted, 1):
        write_durably(folder / tile.path, tile_bytes(tile), replace=True)
        if done % 100 == 0 or done == len(wanted):
            progress(done, len(wanted))
    write_durably(folder / "checkpoint", newest.cosigned_note().encode(), replace=True)
    remove_partial(folder)
    return Exported(before, size, len(wanted))


def exported_checkpoint(folder: Path) -> SignedTree | None:
    """The checkpoint of a folder, verified with this log's keys; None for a folder without one."""
    try:
        note = (folder / "checkpoint").read_bytes().decode()
        return signing.key_history().verify(note)
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, InvalidNote) as error:
        raise ExportInvalid(f"{folder / 'checkpoint'}: {error}") from None


def tile_bytes(tile: Tile) -> bytes:
    """A tile's bytes, from the stored tree or the entries. Raises HistoryMismatch for a gap."""
    if tile.level is None:
        rows = LogEntry.objects.filter(index__gte=tile.first, index__lt=tile.first + tile.width)
        return bundle(
            [bytes(body) for body in rows.order_by("index").values_list("body", flat=True)]
        )
    level = tile.level * LEVEL_BITS
    return b"".join(read_nodes([(level, tile.first + i) for i in range(tile.width)]))


def remove_partial(folder: Path) -> None:
    """Remove the partial tiles of full ones. Not before the checkpoint: the one before may name them."""
    for partial in folder.glob("tile/**/*.p"):
        if partial.with_suffix("").is_file():
            rmtree(partial)


def exported_entries(folder: Path, start: int, size: int) -> Iterator[bytes]:
    """The entries of a folder from index ``start`` up to its ``size``, in order.

    Raises ExportInvalid when a bundle is missing or damaged. Nothing is verified here.
    """
    return bundled_entries(reader(folder), start, size)


def verify_export(folder: Path, progress: Progress = lambda done, total: None) -> SignedTree:
    """Recompute the tree from a folder's entries; compare each hash of each tile, and the checkpoint.

    Raises ExportInvalid at the first thing that does not fit.
    """
    tree = exported_checkpoint(folder)
    if tree is None:
        raise ExportInvalid(f"{folder} holds no checkpoint")
    read = reader(folder)
    leaves = (leaf_hash(body) for body in bundled_entries(read, 0, tree.size))
    verify_tiles(read, tree, leaves, progress)
    return tree


def reader(folder: Path) -> Reader:
    """Reads files of an exported folder. Raises ExportInvalid for one that cannot be read."""

    def read(path: str) -> bytes:
        try:
            return (folder / path).read_bytes()
        except OSError as error:
            raise ExportInvalid(f"{folder / path}: {type(error).__name__}") from None

    return read
