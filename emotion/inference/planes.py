"""How a picture of a film lies in memory, how its colours are meant and how it is turned.

Both sides of the wall around the decoder go by this. The child loads it: the standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from emotion.inference.film_formats import FILM_SIDE

GREY = 128
"""The value of both planes of colour where there is none."""
MATRICES = ((0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593))
"""Shares of red and blue in the luma: ITU-R BT.601, BT.709 and BT.2020, as ITU-T H.273 lists them."""
SLOT_BYTES = FILM_SIDE * FILM_SIDE * 3 // 2
"""For one picture: brightness, and two planes of colour of half the sides."""


@dataclass(frozen=True)
class Colours:
    """matrix: which of MATRICES. full: luma from 0 to 255, where it is from 16 to 235 otherwise."""

    matrix: int
    full: bool

    @property
    def code(self) -> int:
        """As the decoding child tells it: below ``CODES``."""
        return 2 * self.matrix + self.full

    @classmethod
    def of(cls, code: int) -> Colours:
        """The inverse of ``code``."""
        return cls(code // 2, bool(code % 2))

    @property
    def black(self) -> int:
        """The luma of black."""
        return 0 if self.full else 16


CODES = 2 * len(MATRICES)


@dataclass(frozen=True)
class Turn:
    """How stored rows and columns become shown ones: first swapped, then mirrored."""

    swap: bool = False
    mirror_columns: bool = False
    mirror_rows: bool = False

    @property
    def code(self) -> int:
        """As the decoding child tells it: the place in TURNS."""
        return TURNS.index(self)

    def sides(self, rows: int, columns: int) -> tuple[int, int]:
        """(Rows, columns) after it of what has so many before, and the other way round."""
        return (columns, rows) if self.swap else (rows, columns)


UPRIGHT = Turn()
TURNS = tuple(Turn(*each) for each in product((False, True), repeat=3))


def sides_of(rows: int, columns: int) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """The sides of the three planes of a picture."""
    half = (-(-rows // 2), -(-columns // 2))
    return (rows, columns), half, half


def starts_of(rows: int, columns: int) -> tuple[int, int, int]:
    """Where in a slot the three planes begin, each without gaps."""
    (height, width), (half, narrow), _ = sides_of(rows, columns)
    return 0, height * width, height * width + half * narrow
