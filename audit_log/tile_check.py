"""Verifying tiles wherever they lie: in a folder, or at somebody's address.

The root is recomputed from all leaves, and every hash of every tile is compared with what they make.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from audit_log.checkpoint import Checkpoint
from audit_log.errors import ExportInvalid
from audit_log.merkle import HASH_LENGTH, Frontier
from audit_log.tiles import LEVEL_BITS, WIDTH, InvalidBundle, Tile, read_bundle

Reader = Callable[[str], bytes]
"""Gives what lies at a path below the log, or raises ExportInvalid."""
Progress = Callable[[int, int], None]


def tiles_to(size: int, level: int | None, start: int = 0) -> Iterator[Tile]:
    """The tiles of one level of a log of this size, from the one with index ``start`` on."""
    has = size >> LEVEL_BITS * (level or 0)
    for number in range(start // WIDTH, -(-has // WIDTH)):
        yield Tile(level, number, min(WIDTH, has - number * WIDTH))


def bundled_entries(read: Reader, start: int, size: int) -> Iterator[bytes]:
    """The entries from index ``start`` up to ``size``, in order. Nothing is verified here.

    Raises ExportInvalid when a bundle is missing or damaged.
    """
    for tile in tiles_to(size, None, start):
        try:
            found = read_bundle(read(tile.path))
        except InvalidBundle as error:
            raise ExportInvalid(f"{tile.path}: {error}") from None
        if len(found) != tile.width:
            raise ExportInvalid(f"{tile.path} holds {len(found)} entries; expected {tile.width}")
        yield from found[max(0, start - tile.first) :]


def leaf_hashes(read: Reader, size: int) -> Iterator[bytes]:
    """The leaf hashes that the lowest tiles state, for whoever may not see entries."""
    for tile in tiles_to(size, 0):
        data = read(tile.path)
        if len(data) != tile.width * HASH_LENGTH:
            raise ExportInvalid(f"{tile.path} has {len(data)} bytes; expected {tile.width} hashes")
        yield from (data[at : at + HASH_LENGTH] for at in range(0, len(data), HASH_LENGTH))


def verify_tiles(
    read: Reader, tree: Checkpoint, leaves: Iterable[bytes], progress: Progress
) -> None:
    """Compare every hash of every tile, and the signed root, with the tree that the leaves make.

    Raises ExportInvalid at the first thing that does not fit.
    """
    frontier = Frontier()
    levels: dict[int, list[bytes]] = {}
    for leaf in leaves:
        made = frontier.add(leaf)
        for level, value in enumerate(made[::LEVEL_BITS]):
            held = levels.setdefault(level, [])
            held.append(value)
            if len(held) == WIDTH:
                number = (frontier.size >> LEVEL_BITS * (level + 1)) - 1
                compare(read, Tile(level, number, WIDTH), held)
                held.clear()
        if frontier.size % 100_000 == 0:
            progress(frontier.size, tree.size)
    for level, held in levels.items():
        if held:
            number = (tree.size >> LEVEL_BITS * level) // WIDTH
            compare(read, Tile(level, number, len(held)), held)
    if frontier.root() != tree.root:
        raise ExportInvalid(f"the entries do not make the root that was signed for {tree.size}")


def compare(read: Reader, tile: Tile, hashes: list[bytes]) -> None:
    """Raise ExportInvalid unless the tile has exactly these hashes."""
    if read(tile.path) != b"".join(hashes):
        raise ExportInvalid(f"{tile.path} has other hashes than the entries make")
