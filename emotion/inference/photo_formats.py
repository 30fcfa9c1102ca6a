"""What a photograph's own bytes say before anything is decoded: format, size, and what is wrong with it.

Written against JFIF/ITU-T T.81, the PNG specification and the WebP container specification. The declared
type of an upload is never asked. Pure functions over bytes, run in the decoding child.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from enum import StrEnum


class MediaCode(StrEnum):
    """Why media are refused: stable codes."""

    EMPTY = "media-empty"
    TYPE_NOT_SUPPORTED = "media-type-not-supported"
    TRUNCATED = "media-truncated"
    TOO_LARGE = "media-too-large"
    TOO_MANY_PIXELS = "media-too-many-pixels"
    TOO_SMALL = "media-too-small"
    ANIMATED = "media-animated"
    COLOUR_NOT_SUPPORTED = "media-colour-not-supported"
    TRAILING_DATA = "media-trailing-data"
    UNREADABLE = "media-unreadable"
    TIMEOUT = "media-timeout"


class MediaRefused(Exception):
    """These bytes are not a photograph that is taken; ``code`` says why, the message what was expected."""

    def __init__(self, code: MediaCode, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True)
class PhotoFacts:
    """media_type: by the bytes; width, height in pixels, as stored (before EXIF orientation)."""

    media_type: str
    width: int
    height: int


SIDE_MAX = 8192
PIXELS_MAX = 40_000_000
SIDE_MIN = 32
# What has no business behind a photograph: another program would read the file as one of these.
FOREIGN = re.compile(
    rb"PK\x03\x04|PK\x05\x06|%PDF|<html|<script|<svg|<\?php|Rar!\x1a|7z\xbc\xaf\x27|\x7fELF|#!/",
    re.I,
)


def inspect_photo(data: bytes) -> PhotoFacts:
    """The facts in the header. Raises MediaRefused for whatever is not a plain, whole photograph."""
    if not data:
        raise MediaRefused(MediaCode.EMPTY, "The file is empty.")
    if data.startswith(b"\xff\xd8\xff"):
        facts, end = inspect_jpeg(data)
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        facts, end = inspect_png(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        facts, end = inspect_webp(data)
    else:
        raise MediaRefused(
            MediaCode.TYPE_NOT_SUPPORTED, "Expected a JPEG, PNG or WebP photograph; this is none."
        )
    if FOREIGN.search(data, end):
        raise MediaRefused(
            MediaCode.TRAILING_DATA, "Another file is attached behind the photograph."
        )
    return facts


def check_size(media_type: str, width: int, height: int) -> PhotoFacts:
    """The facts, if the picture is neither too large to decode nor too small to show a face."""
    if width > SIDE_MAX or height > SIDE_MAX or width * height > PIXELS_MAX:
        raise MediaRefused(
            MediaCode.TOO_MANY_PIXELS,
            f"Expected at most {SIDE_MAX} pixels a side and {PIXELS_MAX // 10**6} megapixels; "
            f"got {width} x {height}.",
        )
    if min(width, height) < SIDE_MIN:
        raise MediaRefused(
            MediaCode.TOO_SMALL,
            f"Expected at least {SIDE_MIN} pixels a side; got {width} x {height}.",
        )
    return PhotoFacts(media_type, width, height)


def truncated() -> MediaRefused:
    """The file ends too early."""
    return MediaRefused(MediaCode.TRUNCATED, "The photograph is cut off; send the whole file.")


def animated() -> MediaRefused:
    """More than one picture."""
    return MediaRefused(MediaCode.ANIMATED, "Expected one photograph; this is an animation.")


def colour(what: str) -> MediaRefused:
    """A colour format that no camera of a participant writes."""
    return MediaRefused(
        MediaCode.COLOUR_NOT_SUPPORTED, f"Expected 8-bit RGB or grey pictures; this one is {what}."
    )


FRAME_MARKERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
ENTROPY_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.S)


def inspect_jpeg(data: bytes) -> tuple[PhotoFacts, int]:
    """Walk the markers of the first image to its end: (facts, position behind it)."""
    position, facts = 2, None
    while True:
        if position + 4 > len(data):
            raise truncated()
        if data[position] != 0xFF:
            raise MediaRefused(MediaCode.UNREADABLE, "The JPEG's structure is broken.")
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        length = struct.unpack(">H", data[position + 2 : position + 4])[0]
        if marker in FRAME_MARKERS:
            facts = jpeg_frame(data[position + 4 : position + 2 + length])
        position += 2 + length
        if marker == 0xDA:
            found = ENTROPY_END.search(data, position)
            if facts is None or found is None:
                raise truncated()
            if data[found.start() + 1] == 0xD9:
                return facts, found.end()
            position = found.start()


def jpeg_frame(body: bytes) -> PhotoFacts:
    """Size and colour from a start-of-frame segment (T.81 B.2.2)."""
    if len(body) < 6:
        raise truncated()
    precision, height, width, components = struct.unpack(">BHHB", body[:6])
    if precision != 8:
        raise colour(f"{precision}-bit")
    if components not in (1, 3):
        raise colour("CMYK")
    return check_size("image/jpeg", width, height)


def inspect_png(data: bytes) -> tuple[PhotoFacts, int]:
    """Walk the chunks to IEND, checking each checksum: (facts, position behind it)."""
    position, facts = 8, None
    while True:
        if position + 12 > len(data):
            raise truncated()
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        body = data[position + 8 : position + 8 + length]
        if facts is None:
            if kind != b"IHDR" or len(body) != 13:
                raise MediaRefused(MediaCode.UNREADABLE, "The PNG does not begin with its header.")
            width, height, depth = struct.unpack(">IIB", body[:9])
            facts = check_size("image/png", width, height)
            if depth == 16:
                raise colour("16-bit")
        if kind == b"acTL":
            raise animated()
        position += 12 + length
        if position > len(data):
            raise truncated()
        if zlib.crc32(kind + body) != struct.unpack(">I", data[position - 4 : position])[0]:
            raise MediaRefused(MediaCode.UNREADABLE, "A checksum in the PNG is wrong.")
        if kind == b"IEND":
            return facts, position


def inspect_webp(data: bytes) -> tuple[PhotoFacts, int]:
    """Size and animation flag from the first chunk: (facts, position behind the RIFF)."""
    if len(data) < 30:
        raise truncated()
    end = 8 + struct.unpack("<I", data[4:8])[0]
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        if body[0] & 0x02:
            raise animated()
        width = 1 + int.from_bytes(body[4:7], "little")
        height = 1 + int.from_bytes(body[7:10], "little")
    elif kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width = int.from_bytes(body[6:8], "little") & 0x3FFF
        height = int.from_bytes(body[8:10], "little") & 0x3FFF
    else:
        raise MediaRefused(MediaCode.UNREADABLE, "The WebP has no picture at its beginning.")
    if end > len(data):
        raise truncated()
    return check_size("image/webp", width, height), end
