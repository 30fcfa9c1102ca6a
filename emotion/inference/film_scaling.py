"""From a decoded picture to its planes in the working size, turned as the film says; in the child.

All pictures of a film come in one shape, that of the first: positions in them can be compared. One that is
stored in another size later (live recordings adapt to the line) is fitted in, with black at its sides.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from emotion.inference.film_formats import FILM_SIDE, PIXELS_MAX, SIDE_MAX, SIDE_MIN
from emotion.inference.media_codes import MediaCode, MediaRefused
from emotion.inference.pictures import GREY, Colours, sides_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from av.video.frame import VideoFrame

    from emotion.inference.arrays import Pixels

AS_THEY_ARE = frozenset({"yuv420p", "yuvj420p"})
"""What most films are stored in: eight bits, colour in half the size."""
NAMED = {1: 1, 9: 2, 10: 2}
"""Which of ``pictures.MATRICES`` the numbers of ITU-T H.273 (MatrixCoefficients) name; else the first."""
SPACES = (Colorspace.ITU601, Colorspace.ITU709, Colorspace.BT2020)
"""swscale's names of ``pictures.MATRICES``, in their order."""


def check_size(width: int, height: int) -> None:
    """Refuse pictures that are too large to decode or too small to show a face."""
    if max(width, height) > SIDE_MAX or width * height > PIXELS_MAX:
        raise MediaRefused(
            MediaCode.TOO_MANY_PIXELS,
            f"Expected at most {SIDE_MAX} pixels a side and {PIXELS_MAX} in all; "
            f"got {width} x {height}.",
        )
    if min(width, height) < SIDE_MIN:
        raise MediaRefused(
            MediaCode.TOO_SMALL,
            f"Expected at least {SIDE_MIN} pixels a side; got {width} x {height}.",
        )


@dataclass(frozen=True)
class Turn:
    """How stored rows and columns become shown ones: first swapped, then mirrored."""

    swap: bool = False
    mirror_columns: bool = False
    mirror_rows: bool = False

    @property
    def flip(self) -> int | None:
        """OpenCV's code for the mirroring; None for none."""
        if self.mirror_columns and self.mirror_rows:
            return -1
        return 1 if self.mirror_columns else 0 if self.mirror_rows else None


# By quarters of a turn against the clock.
QUARTERS = (Turn(), Turn(True, False, True), Turn(False, True, True), Turn(True, True, False))


def turn_of(frame: VideoFrame) -> Turn:
    """The nearest of the eight orientations to the display matrix (ISO/IEC 14496-12 6.2.2).

    The matrix takes a stored (column, row) to (a column + c row, b column + d row), up to a shift.
    """
    try:
        side_data: Any = frame.side_data
        found = [bytes(data) for data in side_data if data.type is Type.DISPLAYMATRIX]
    except ValueError:  # PyAV has no name for something else that comes with the picture
        return QUARTERS[round(frame.rotation / 90) % 4]
    matrix = found[0] if found else b""
    if len(matrix) < 20:
        return Turn()
    a, b, _u, c, d = struct.unpack_from("=5i", matrix)
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Turn(False, a < 0, d < 0)
    return Turn(True, c < 0, b < 0)


@dataclass(frozen=True)
class Shape:
    """width, height: as stored. shown: with square pixels. scaled: as handed on, not yet turned."""

    width: int
    height: int
    shown: tuple[int, int]
    scaled: tuple[int, int]
    turn: Turn

    def sides(self) -> dict[str, int]:
        """What the parent is told: sides as shown, and as handed on."""
        width, height = self.shown[::-1] if self.turn.swap else self.shown
        columns, rows = self.scaled[::-1] if self.turn.swap else self.scaled
        return {"width": width, "height": height, "rows": rows, "columns": columns}


def square(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """Sides with square pixels, the shorter one stretched (aspect: width of a pixel by its height)."""
    if aspect is None or not Fraction(1, 4) <= aspect <= 4:
        return width, height
    if aspect >= 1:
        return round(width * aspect), height
    return width, round(height / aspect)


def fit(shown: tuple[int, int], most: tuple[int, int]) -> tuple[int, int]:
    """Both sides reduced alike until they lie in ``most``; never enlarged."""
    factor = min(1.0, most[0] / shown[0], most[1] / shown[1])
    return max(1, round(shown[0] * factor)), max(1, round(shown[1] * factor))


def shape_of(frame: VideoFrame, aspect: Fraction | None) -> Shape:
    """The shape of a film by its first picture. Raises MediaRefused for its size."""
    check_size(frame.width, frame.height)
    shown = square(frame.width, frame.height, aspect)
    scaled = fit(shown, (FILM_SIDE, FILM_SIDE))
    return Shape(frame.width, frame.height, shown, scaled, turn_of(frame))


class Scaler:
    """Scales and turns pictures, and leaves their colours as they are. rows, columns: of what comes out."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        sides = shape.sides()
        self.rows, self.columns = sides["rows"], sides["columns"]
        self.reformatter = VideoReformatter()

    def planes(
        self, frame: VideoFrame, size: tuple[int, int], colours: Colours
    ) -> Iterator[Pixels]:
        """The picture's planes in so many (columns, rows), as it is stored; views of FFmpeg's memory."""
        if (frame.width, frame.height) != size or frame.format.name not in AS_THEY_ARE:
            # AREA: the fastest of swscale's ways to reduce, and each pixel of the film counts alike.
            frame = self.reformatter.reformat(
                frame,
                *size,
                "yuv420p",
                interpolation=Interpolation.AREA,
                threads=1,
                **said(frame, colours),
            )
        for plane in frame.planes:
            lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            yield lines[:, : plane.width]

    def fitted(self, frame: VideoFrame, colours: Colours) -> Iterable[Pixels]:
        """The picture's planes in the film's scaled size, whatever its own is."""
        columns, rows = self.shape.scaled
        if (frame.width, frame.height) == (self.shape.width, self.shape.height):
            return self.planes(frame, (columns, rows), colours)
        check_size(frame.width, frame.height)
        aspect = Fraction(self.shape.shown[0] * self.shape.height) / (
            self.shape.shown[1] * self.shape.width
        )
        shown = square(frame.width, frame.height, aspect)
        factor = min(columns / shown[0], rows / shown[1])
        inner = (max(1, round(shown[0] * factor)), max(1, round(shown[1] * factor)))
        blank = [
            np.full(sides, value, np.uint8)
            for sides, value in zip(
                sides_of(rows, columns), (colours.black, GREY, GREY), strict=True
            )
        ]
        for plane, put in zip(blank, self.planes(frame, inner, colours), strict=True):
            top, left = (plane.shape[0] - put.shape[0]) // 2, (plane.shape[1] - put.shape[1]) // 2
            plane[top : top + put.shape[0], left : left + put.shape[1]] = put
        return blank

    def put(self, frame: VideoFrame, out: tuple[Pixels, Pixels, Pixels]) -> Colours:
        """Write the picture's planes into ``out``; returns how their colours are meant."""
        colours = colours_of(frame)
        for plane, into in zip(self.fitted(frame, colours), out, strict=True):
            turn_into(plane, self.shape.turn, into)
        return colours


def turn_into(pixels: Pixels, turn: Turn, out: Pixels) -> None:
    """Write one plane into another, turned."""
    if turn.swap and turn.flip == 1:
        cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE, dst=out)
    elif turn.swap and turn.flip == 0:
        cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE, dst=out)
    elif turn.swap:
        cv2.transpose(pixels, dst=out)
        if turn.flip is not None:
            cv2.flip(out, turn.flip, dst=out)
    elif turn.flip is not None:
        cv2.flip(pixels, turn.flip, dst=out)
    else:
        np.copyto(out, pixels)


def colours_of(frame: VideoFrame) -> Colours:
    """How a picture's colours are meant; BT.601 where nothing is said, as FFmpeg takes it."""
    if frame.format.is_rgb:
        return Colours(0, False)
    full = frame.format.name.startswith("yuvj") or frame.color_range == ColorRange.JPEG
    return Colours(NAMED.get(int(frame.colorspace), 0), full)


def said(frame: VideoFrame, colours: Colours) -> dict[str, int]:
    """What swscale is told, so that it changes the size and not the colours."""
    reach = ColorRange.JPEG if colours.full else ColorRange.MPEG
    space = SPACES[colours.matrix]
    if frame.format.is_rgb:
        return {"dst_colorspace": space, "dst_color_range": reach}
    return {
        "src_colorspace": space,
        "dst_colorspace": space,
        "src_color_range": reach,
        "dst_color_range": reach,
    }
