"""From a decoded picture to its planes in the working size; in the child.

All pictures of a film come in one shape, that of the first: positions in them can be compared. One that is
stored in another size later (live recordings adapt to the line) is fitted in, with black at its sides.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from av.sidedata.sidedata import Type
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from emotion.inference.film_formats import FILM_SIDE, PIXELS_MAX, SIDE_MAX, SIDE_MIN
from emotion.inference.media_codes import MediaCode, MediaRefused
from emotion.inference.planes import GREY, UPRIGHT, Colours, Turn, sides_of, starts_of

if TYPE_CHECKING:
    import mmap

    from av.video.frame import VideoFrame
    from av.video.plane import VideoPlane

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


# By quarters of a turn against the clock.
QUARTERS = (UPRIGHT, Turn(True, False, True), Turn(False, True, True), Turn(True, True, False))


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
        return UPRIGHT
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
        """What the parent is told: sides as shown and as handed on, and how to turn what it is handed."""
        height, width = self.turn.sides(self.shown[1], self.shown[0])
        columns, rows = self.scaled
        told = {"width": width, "height": height, "rows": rows, "columns": columns}
        return told | {"turn": self.turn.code}


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
    """Scales pictures into memory, and leaves their colours as they are."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.reformatter = VideoReformatter()

    def put(self, frame: VideoFrame, memory: mmap.mmap, at: int) -> Colours:
        """Write the picture's planes, one after the other; returns how their colours are meant.

        One that is stored in another size than the first is fitted in, with black at its sides.
        """
        colours, shape = colours_of(frame), self.shape
        size = shape.scaled
        if (frame.width, frame.height) != (shape.width, shape.height):
            check_size(frame.width, frame.height)
            size = self.inner(frame)
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
        columns, rows = shape.scaled
        for plane, sides, start, blank in zip(
            frame.planes,
            sides_of(rows, columns),
            starts_of(rows, columns),
            (colours.black, GREY, GREY),
            strict=True,
        ):
            write_plane(plane, memory, at + start, sides, blank)
        return colours

    def inner(self, frame: VideoFrame) -> tuple[int, int]:
        """The (columns, rows) of a picture that fits into those of the film and keeps its own form."""
        shape, (columns, rows) = self.shape, self.shape.scaled
        aspect = Fraction(shape.shown[0] * shape.height) / (shape.shown[1] * shape.width)
        shown = square(frame.width, frame.height, aspect)
        factor = min(columns / shown[0], rows / shown[1])
        return max(1, round(shown[0] * factor)), max(1, round(shown[1] * factor))


def write_plane(
    plane: VideoPlane, memory: mmap.mmap, at: int, sides: tuple[int, int], blank: int
) -> None:
    """A plane without the gaps between FFmpeg's lines; in the middle of ``sides``, the rest ``blank``."""
    pixels, line, width = memoryview(plane), plane.line_size, plane.width
    rows, columns = sides
    if (plane.height, line, width) == (rows, columns, columns):
        memory[at : at + rows * columns] = pixels[: rows * columns]
        return
    if (plane.height, width) != sides:
        memory[at : at + rows * columns] = bytes([blank]) * (rows * columns)
        at += (rows - plane.height) // 2 * columns + (columns - width) // 2
    for row in range(plane.height):
        into, start = at + row * columns, row * line
        memory[into : into + width] = pixels[start : start + width]


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
