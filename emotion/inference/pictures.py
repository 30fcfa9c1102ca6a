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
from emotion.inference.planes import (
    GREY,
    MATRICES,
    SLOT_BYTES,
    UPRIGHT,
    Colours,
    Turn,
    sides_of,
    starts_of,
)


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


EVERY_LEVEL = np.arange(256, dtype=np.uint8)


@dataclass(frozen=True)
class Planes:
    """One picture of a film as it is stored: luma (H, W), blue and red (half of H, half of W, rounded up).

    turn: how it is shown. Nothing is turned but what is asked for, which is less.
    """

    luma: Pixels
    blue: Pixels
    red: Pixels
    colours: Colours
    turn: Turn = UPRIGHT

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, 3) as shown, as of the same picture in RGB."""
        return (*self.turn.sides(*self.luma.shape), 3)

    def joined(self, luma: Pixels, blue: Pixels, red: Pixels) -> Pixels:
        """Three planes of one size as RGB, not yet turned."""
        return pixels_of(cv2.transform(cv2.merge([luma, blue, red]), to_rgb(self.colours)))

    def shown(self, pixels: Pixels) -> Pixels:
        """What was made of all of it, turned."""
        turn = self.turn
        if turn.swap:
            pixels = pixels_of(cv2.transpose(pixels))
        if turn.mirror_columns or turn.mirror_rows:
            code = -1 if turn.mirror_columns and turn.mirror_rows else int(turn.mirror_columns)
            pixels = pixels_of(cv2.flip(pixels, code))
        return pixels

    def to_shown(self) -> Array:
        """The affine map (3, 3) from stored pixels to shown ones."""
        rows, columns, _ = self.shape
        swapped = np.eye(3, dtype=np.float32)[[1, 0, 2] if self.turn.swap else [0, 1, 2]]
        mirrored = np.eye(3, dtype=np.float32)
        if self.turn.mirror_columns:
            mirrored[0] = -1, 0, columns - 1
        if self.turn.mirror_rows:
            mirrored[1] = 0, -1, rows - 1
        return np.asarray(mirrored @ swapped, np.float32)

    def stored(self, rows: slice, columns: slice) -> tuple[slice, slice]:
        """Where the shown rows and columns are stored."""
        height, width, _ = self.shape
        if self.turn.mirror_rows:
            rows = slice(height - rows.stop, height - rows.start)
        if self.turn.mirror_columns:
            columns = slice(width - columns.stop, width - columns.start)
        return (columns, rows) if self.turn.swap else (rows, columns)


Picture = Pixels | Planes


def pixels_of(made: object) -> Pixels:
    """What OpenCV made of pixels is pixels again; its annotations do not say so."""
    return np.asarray(made, np.uint8)


def planes_in(
    memory: mmap.mmap, slot: int, rows: int, columns: int
) -> tuple[Pixels, Pixels, Pixels]:
    """The three planes that lie in a slot of the memory that the decoding child shares."""
    luma, blue, red = (
        np.frombuffer(memory, np.uint8, sides[0] * sides[1], slot * SLOT_BYTES + start).reshape(
            sides
        )
        for sides, start in zip(sides_of(rows, columns), starts_of(rows, columns), strict=True)
    )
    return luma, blue, red


def in_rgb(picture: Picture) -> Pixels:
    """All of a picture in RGB (H, W, 3)."""
    return scaled(picture, (picture.shape[1], picture.shape[0]))


def scaled(picture: Picture, size: tuple[int, int]) -> Pixels:
    """All of a picture in RGB at so many (columns, rows)."""
    if not isinstance(picture, Planes):
        return resampled(picture, size)
    rows, columns = picture.turn.sides(size[1], size[0])
    planes = (
        resampled(each, (columns, rows)) for each in (picture.luma, picture.blue, picture.red)
    )
    return picture.shown(picture.joined(*planes))


def halved(picture: Picture, times: int) -> Pixels:
    """All of a picture in RGB, both sides halved so often; they must go evenly into two each time."""
    if times == 0:
        return in_rgb(picture)
    planes = [picture.luma, picture.blue, picture.red] if isinstance(picture, Planes) else [picture]
    rows, columns = planes[0].shape[:2]
    for halvings in range(1, times + 1):
        planes = [resampled(plane, (columns >> halvings, rows >> halvings)) for plane in planes]
    return picture.shown(picture.joined(*planes)) if isinstance(picture, Planes) else planes[0]


def resampled(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Pixels at so many (columns, rows): averaged where that is fewer, else between their neighbours."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    fewer = size[0] <= pixels.shape[1] and size[1] <= pixels.shape[0]
    method = cv2.INTER_AREA if fewer else cv2.INTER_LINEAR
    return pixels_of(cv2.resize(pixels, size, interpolation=method))


def warped(
    picture: Picture,
    matrix: Array,
    side: int,
    *,
    border: int = cv2.BORDER_CONSTANT,
    finer: int = 1,
) -> Pixels:
    """A square of a picture in RGB (side, side, 3).

    matrix: (2, 3), from the picture's pixels to those of the square. border: how OpenCV fills what lies
    outside of the picture; black by default. finer: each pixel is the mean of so many times so many, each
    taken from between its neighbours; at 1 whatever lies between two of them is left out.
    """
    if not isinstance(picture, Planes):
        return square_of(picture, matrix, side, finer, border)
    if picture.turn != UPRIGHT:
        matrix = matrix @ picture.to_shown()
    # A pixel of colour lies between four of brightness, in the square as in the picture.
    coarse = matrix.copy()
    coarse[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5
    coarse[:, 2] /= 2
    luma = square_of(picture.luma, matrix, side, finer, border, picture.colours.black)
    colour = [
        resampled(square_of(plane, coarse, -(-side // 2), finer, border, GREY), (side, side))
        for plane in (picture.blue, picture.red)
    ]
    return picture.joined(luma, *colour)


def square_of(
    pixels: Pixels, matrix: Array, side: int, finer: int, border: int, fill: int = 0
) -> Pixels:
    """A square of pixels or of one plane, as of ``warped``; fill: what lies outside, if not repeated."""
    if finer > 1:  # the first of so many pixels lies before the middle of the one that they become
        matrix = matrix * np.float32(finer)
        matrix[:, 2] += (finer - 1) / 2
    size = (side * finer, side * finer)
    made = cv2.warpAffine(pixels, matrix, size, borderMode=border, borderValue=(fill,) * 3)
    return resampled(pixels_of(made), (side, side))


def luma_of(picture: Picture, rows: slice, columns: slice) -> Pixels:
    """The luma of a part of a picture, as shown: BT.601's of RGB, a film's own of its planes.

    What its values stand for, ``levels_of`` says.
    """
    if not isinstance(picture, Planes):
        return pixels_of(cv2.cvtColor(picture[rows, columns], cv2.COLOR_RGB2GRAY))
    return picture.shown(picture.luma[picture.stored(rows, columns)])


def levels_of(picture: Picture) -> Pixels:
    """From 0, black, to 255, white, what each value (256,) of ``luma_of`` stands for."""
    return stretch(picture.colours) if isinstance(picture, Planes) else EVERY_LEVEL
