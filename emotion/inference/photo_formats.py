"""What a photograph's own bytes say before anything is decoded: format, size, and what is wrong with it.

Written against ITU-T T.81 (JPEG), CIPA DC-007 (several pictures in one JPEG), the PNG specification and
the WebP container specification. The declared type of an upload is never asked. Pure functions over
bytes, run in the decoding child: the standard library only.
"""

from __future__ import annotations

import re
import struct
import zlib

from emotion.inference.media_codes import MediaCode, MediaRefused, PhotoFacts

SIDE_MAX = 8192
CPU_SECONDS = 20  # for one photograph
PIXELS_MAX = 40_000_000
SIDE_MIN = 32
# A progressive photograph has about ten scans; thousands over one large frame only burn time.
SCANS_MAX = 64
# Cameras leave a short note behind the picture (maker's tags, padding). A film or an archive is larger.
TRAILER_MAX = 4096
# What has no business behind a photograph, however short: another program would read the file as this.
FOREIGN = re.compile(
    rb"PK\x03\x04|PK\x05\x06|%PDF|<html|<script|<svg|<\?php|Rar!\x1a|7z\xbc\xaf\x27|\x7fELF|#!/"
    rb"|ftyp|RIFF|\x1f\x8b\x08|GIF8",
    re.IGNORECASE,
)
JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"


def is_photo_type(start: bytes) -> bool:
    """Whether the first 12 bytes or more are those of a JPEG, PNG or WebP."""
    webp = start[:4] == b"RIFF" and start[8:12] == b"WEBP"
    return webp or start.startswith((JPEG, PNG))


def inspect_photo(data: bytes) -> PhotoFacts:
    """The facts in the header, as stored. Raises MediaRefused for what is no plain, whole photograph."""
    if not data:
        raise MediaRefused(MediaCode.EMPTY)
    if not is_photo_type(data):
        raise MediaRefused(MediaCode.TYPE_NOT_SUPPORTED)
    if data.startswith(JPEG):
        facts, end = inspect_jpeg_file(data)
    elif data.startswith(PNG):
        facts, end = inspect_png(data)
    else:
        facts, end = inspect_webp(data)
    if len(data) - end > TRAILER_MAX or FOREIGN.search(data, end):
        raise MediaRefused(MediaCode.TRAILING_DATA)
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


def colour(what: str) -> MediaRefused:
    """A colour format that no participant's camera writes."""
    return MediaRefused(
        MediaCode.COLOUR_NOT_SUPPORTED, f"Expected 8-bit RGB or grey pictures; this one is {what}."
    )


FRAME_MARKERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
START_OF_SCAN, END_OF_IMAGE, APP2 = 0xDA, 0xD9, 0xE2
ENTROPY_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


def inspect_jpeg_file(data: bytes) -> tuple[PhotoFacts, int]:
    """The first picture, and the smaller ones behind it that its multi-picture segment declares.

    Phones append a preview or a gain map (for bright screens) in this way; only the first picture is
    ever decoded. Pictures as large as the first are a stereo pair, a panorama or a burst: refused.
    """
    facts, end, declared = inspect_jpeg(data, 0)
    while declared and data.startswith(JPEG, end):
        attached, end, _more = inspect_jpeg(data, end, attached=True)
        if attached.width * attached.height >= facts.width * facts.height:
            raise MediaRefused(MediaCode.ANIMATED)
    return facts, end


def inspect_jpeg(
    data: bytes, start: int, *, attached: bool = False
) -> tuple[PhotoFacts, int, bool]:
    """Walk the markers of one image: (facts, position behind it, whether more images are declared).

    ``attached``: a picture behind the first, which may have any size because nothing decodes it.
    """
    position, facts, declared, scans = start + 2, None, False, 0
    while True:
        marker, body, position = next_segment(data, position)
        if marker == APP2:
            declared = declared or body.startswith(b"MPF\0")
        elif marker in FRAME_MARKERS:
            facts = jpeg_frame(body, attached)
        elif marker == START_OF_SCAN:
            scans += 1
            position = end_of_scan(data, position, scans)
            if facts is None:
                raise MediaRefused(MediaCode.UNREADABLE, "The JPEG has no frame.")
            if data[position + 1] == END_OF_IMAGE:
                return facts, position + 2, declared


def next_segment(data: bytes, position: int) -> tuple[int, bytes, int]:
    """The marker segment here: (marker, its content, position behind it) (T.81 B.1.1.4)."""
    while data[position : position + 2] == b"\xff\xff":  # fill bytes
        position += 1
    if position + 4 > len(data) or data[position + 1] == END_OF_IMAGE:
        raise MediaRefused(MediaCode.TRUNCATED)
    if data[position] != 0xFF:
        raise MediaRefused(MediaCode.UNREADABLE, "The JPEG's structure is broken.")
    (length,) = struct.unpack_from(">H", data, position + 2)
    end = position + 2 + max(length, 2)
    return data[position + 1], data[position + 4 : end], end


def end_of_scan(data: bytes, position: int, scans: int) -> int:
    """The position of the marker that ends this scan's entropy-coded bytes."""
    if scans > SCANS_MAX:
        raise MediaRefused(
            MediaCode.UNREADABLE, f"Expected at most {SCANS_MAX} scans; the JPEG has more."
        )
    found = ENTROPY_END.search(data, position)
    if found is None:
        raise MediaRefused(MediaCode.TRUNCATED)
    return found.start()


def jpeg_frame(body: bytes, attached: bool) -> PhotoFacts:
    """Size and colour from a start-of-frame segment (T.81 B.2.2)."""
    if len(body) < 6:
        raise MediaRefused(MediaCode.TRUNCATED)
    precision, height, width, components = struct.unpack_from(">BHHB", body)
    if attached:
        return PhotoFacts("image/jpeg", width, height)
    if precision != 8:
        raise colour(f"{precision}-bit")
    if components not in (1, 3):
        raise colour("CMYK")
    return check_size("image/jpeg", width, height)


def inspect_png(data: bytes) -> tuple[PhotoFacts, int]:
    """Walk the chunks to IEND, checking each checksum: (facts, position behind it)."""
    position, facts = len(PNG), None
    while True:
        if position + 12 > len(data):
            raise MediaRefused(MediaCode.TRUNCATED)
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        if facts is None:
            facts = png_header(kind, body)
        if kind == b"acTL":
            raise MediaRefused(MediaCode.ANIMATED)
        position += 12 + length
        if position > len(data):
            raise MediaRefused(MediaCode.TRUNCATED)
        if zlib.crc32(kind + body) != struct.unpack_from(">I", data, position - 4)[0]:
            raise MediaRefused(MediaCode.UNREADABLE, "A checksum in the PNG is wrong.")
        if kind == b"IEND":
            return facts, position


def png_header(kind: bytes, body: bytes) -> PhotoFacts:
    """Size and depth from the first chunk (PNG 11.2.1)."""
    if kind != b"IHDR" or len(body) != 13:
        raise MediaRefused(MediaCode.UNREADABLE, "The PNG does not begin with its header.")
    width, height, depth = struct.unpack_from(">IIB", body)
    facts = check_size("image/png", width, height)
    if depth == 16:
        raise colour("16-bit")
    return facts


def inspect_webp(data: bytes) -> tuple[PhotoFacts, int]:
    """Walk the RIFF's chunks: (facts of the first, position behind the RIFF)."""
    (size,) = struct.unpack_from("<I", data, 4) if len(data) >= 12 else (0,)
    position, end, facts = 12, 8 + size, None
    if end > len(data):
        raise MediaRefused(MediaCode.TRUNCATED)
    while position + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, position)
        if position + 8 + length > end:
            raise MediaRefused(MediaCode.TRUNCATED)
        body = data[position + 8 : position + 18]
        if kind in (b"ANIM", b"ANMF") or (kind == b"VP8X" and body and body[0] & 0x02):
            raise MediaRefused(MediaCode.ANIMATED)
        if facts is None:
            facts = webp_size(kind, body.ljust(10, b"\0"))
        position += 8 + length + length % 2
    if facts is None:
        raise MediaRefused(MediaCode.TRUNCATED)
    return facts, end


def webp_size(kind: bytes, body: bytes) -> PhotoFacts:
    """Width and height from the first chunk: extended, lossless (RFC 9649 3.4) or lossy (RFC 6386 9.1)."""
    if kind == b"VP8X":
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
    return check_size("image/webp", width, height)
