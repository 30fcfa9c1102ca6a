"""Tiles: how the log is laid out for others to fetch, after C2SP ``tlog-tiles``. Pure.

Source: https://c2sp.org/tlog-tiles. A hash tile holds up to 256 hashes of one level, where level ``L`` has
one hash for each 256^L entries; an entry bundle holds up to 256 entries, each after its length in 2 bytes,
big-endian. A full one never changes; the last one of a level is partial, and has its width in its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WIDTH = 256
LEVEL_BITS = 8
ENTRIES = "entries"
MOST_LEVEL = 7  # 256^8 entries fill all numbers of 64 bits
PATH = re.compile(r"((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


class InvalidBundle(Exception):
    """An entry bundle's bytes do not add up."""


@dataclass(frozen=True)
class Tile:
    """One tile. ``level`` is None for an entry bundle; ``width`` is from 1 to 256."""

    level: int | None
    number: int
    width: int

    @property
    def path(self) -> str:
        """Where it lies below the log's address, ``tile/0/x001/234.p/17``."""
        level = ENTRIES if self.level is None else str(self.level)
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{number_path(self.number)}{partial}"

    @property
    def first(self) -> int:
        """The index of its first hash or entry in its level."""
        return self.number * WIDTH


def number_path(number: int) -> str:
    """Three digits for each element, all but the last after an x: 1234067 is ``x001/x234/067``."""
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    return "/".join([f"x{part}" for part in parts[:-1]] + parts[-1:])


def read_path(level: int | None, path: str) -> Tile | None:
    """The hash tile at ``tile/<level>/<path>``, or bundle for no level; None for a path that none has."""
    found = PATH.fullmatch(path)
    if found is None or (level or 0) > MOST_LEVEL:
        return None
    number = int(found[1].replace("x", "").replace("/", ""))
    tile = Tile(level, number, int(found[2] or WIDTH))
    folder = ENTRIES if level is None else level
    return tile if tile.path == f"tile/{folder}/{path}" else None


def tiles_of(size: int, level: int | None, number: int) -> set[Tile]:
    """What a log of this size has at one place: the full tile, or every partial one that it ever had."""
    has = min(WIDTH, (size >> LEVEL_BITS * (level or 0)) - number * WIDTH)
    return {Tile(level, number, width) for width in range(1, has + 1)}


def tiles_between(old: int, new: int) -> Iterator[Tile]:
    """Every tile that a log of ``new`` entries has and one of ``old`` had not, hash tiles first.

    For a log that did not grow there is none; from 0 it is all of them.
    """
    for level in [*range(MOST_LEVEL + 1), None]:
        shift = LEVEL_BITS * (level or 0)
        had, has = old >> shift, new >> shift
        if has == 0:
            continue
        for number in range(had // WIDTH, -(-has // WIDTH)):
            width = min(WIDTH, has - number * WIDTH)
            if had < number * WIDTH + width:
                yield Tile(level, number, width)


def bundle(entries: Sequence[bytes]) -> bytes:
    """The bytes of an entry bundle. Entries have at most 65,535 bytes, which ``entries`` holds."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def read_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle. Raises InvalidBundle when the lengths do not end with the bytes."""
    found, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            raise InvalidBundle(f"an entry is cut off at byte {at} of {len(data)}")
        found.append(data[at + 2 : end])
        at = end
    return found
