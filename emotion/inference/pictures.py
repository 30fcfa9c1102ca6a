"""A picture as those who read it ask for it: a part of it, turned or reduced, in RGB; or its luma.

Photographs come as RGB. Pictures of films stay as their decoder leaves them, brightness in one plane and
colour in two of half the size, because to convert all of a picture takes longer than to look at the face
in it: only what is asked for becomes RGB.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from emotion.inference.arrays import Array, Pixels
from emotion.inference.film_formats import SLOT_BYTES

GREY = 128
"""The value of both planes of colour where there is none."""
MATRICES = ((0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593))
"""Shares of red and blue in the luma: ITU-R BT.601, BT.709 and BT.2020, as ITU-T H.273 lists them."""


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


@cache
def to_rgb(colours: Colours) -> Array:
    """The affine map (3, 4) from luma and both colours, 0 to 255, to RGB (ITU-T H.273, 8.3)."""
    red, blue = MATRICES[colours.matrix]
    green = 1 - red - blue
    luma, chroma = (1.0, 1.0) if colours.full else (255 / 219, 255 / 224)
    of_red, of_blue = 2 * (1 - red) * chroma, 2 * (1 - blue) * chroma
    turn = np.array(
        [
            [luma, 0, of_red],
            [luma, -of_blue * blue / green, -of_red * red / green],
            [luma, of_blue, 0],
        ]
    )
    shift = -turn @ [colours.black, GREY, GREY]
    return np.concatenate([turn, shift[:, None]], axis=1).astype(np.float32)


@cache
def stretch(colours: Colours) -> Pixels:
    """The luma from 0 to 255 of every value (256,) that a plane can hold."""
    values = np.arange(256) if colours.full else (np.arange(256) - 16) * 255 / 219
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Planes:
    """One picture of a film: luma (H, W), blue and red (half of H, half of W, rounded up)."""

    luma: Pixels
    blue: Pixels
    red: Pixels
    colours: Colours

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, 3), as of the same picture in RGB."""
        return (*self.luma.shape, 3)

    def joined(self, luma: Pixels, blue: Pixels, red: Pixels) -> Pixels:
        """Three planes of one size as RGB."""
        return pixels_of(cv2.transform(cv2.merge([luma, blue, red]), to_rgb(self.colours)))


Picture = Pixels | Planes


def pixels_of(made: object) -> Pixels:
    """What OpenCV made of pixels is pixels again; its annotations do not say so."""
    return np.asarray(made, np.uint8)


def sides_of(rows: int, columns: int) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """The sides of the three planes of a picture."""
    half = (-(-rows // 2), -(-columns // 2))
    return (rows, columns), half, half


def planes_in(
    memory: mmap.mmap, slot: int, rows: int, columns: int
) -> tuple[Pixels, Pixels, Pixels]:
    """The three planes that lie in a slot of the memory that the decoding child shares."""
    sides, half, _half = sides_of(rows, columns)
    large, small, start = sides[0] * sides[1], half[0] * half[1], slot * SLOT_BYTES
    return (
        np.frombuffer(memory, np.uint8, large, start).reshape(sides),
        np.frombuffer(memory, np.uint8, small, start + large).reshape(half),
        np.frombuffer(memory, np.uint8, small, start + large + small).reshape(half),
    )


def in_rgb(picture: Picture) -> Pixels:
    """All of a picture in RGB (H, W, 3)."""
    return scaled(picture, (picture.shape[1], picture.shape[0]))


def scaled(picture: Picture, size: tuple[int, int]) -> Pixels:
    """All of a picture in RGB at so many (columns, rows)."""
    if isinstance(picture, Planes):
        planes = (picture.luma, picture.blue, picture.red)
        return picture.joined(*(resampled(plane, size) for plane in planes))
    return resampled(picture, size)


def resampled(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Pixels at so many (columns, rows): averaged where that is fewer, else between their neighbours."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    fewer = size[0] <= pixels.shape[1] and size[1] <= pixels.shape[0]
    method = cv2.INTER_AREA if fewer else cv2.INTER_LINEAR
    return pixels_of(cv2.resize(pixels, size, interpolation=method))


def warped(
    picture: Picture, matrix: Array, side: int, *, border: int = cv2.BORDER_CONSTANT
) -> Pixels:
    """A square of a picture in RGB (side, side, 3).

    matrix: (2, 3), from the picture's pixels to those of the square. border: how OpenCV fills what lies
    outside of the picture; black by default.
    """
    size = (side, side)
    if not isinstance(picture, Planes):
        return pixels_of(cv2.warpAffine(picture, matrix, size, borderMode=border))
    # A pixel of colour lies between four of brightness, in the square as in the picture.
    coarse = matrix.copy()
    coarse[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5
    coarse[:, 2] /= 2
    fill = picture.colours.black
    luma = cv2.warpAffine(picture.luma, matrix, size, borderMode=border, borderValue=fill)
    half, colour = (-(-side // 2),) * 2, []
    for plane in (picture.blue, picture.red):
        small = cv2.warpAffine(plane, coarse, half, borderMode=border, borderValue=GREY)
        colour.append(resampled(pixels_of(small), size))
    return picture.joined(pixels_of(luma), *colour)


def luma_of(picture: Picture, rows: slice, columns: slice) -> Pixels:
    """The luma of a part of a picture, from 0 to 255: BT.601's of RGB, a film's own of its planes."""
    if not isinstance(picture, Planes):
        return pixels_of(cv2.cvtColor(picture[rows, columns], cv2.COLOR_RGB2GRAY))
    return pixels_of(cv2.LUT(picture.luma[rows, columns], stretch(picture.colours)))
