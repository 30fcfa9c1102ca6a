"""Photographs for the tests: the one real one, and files built from it that no camera makes."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from emotion.inference.arrays import Pixels
from emotion.inference.media import decode_photo

# The inference needs no framework, so its tests load none: the path is written here again.
PHOTO = Path(__file__).resolve().parents[3] / "tools" / "data" / "astronaut.jpg"
EOI = b"\xff\xd9"


def astronaut() -> bytes:
    """The JPEG itself."""
    return PHOTO.read_bytes()


@cache
def pixels() -> Pixels:
    """The astronaut as RGB, not to be written to."""
    decoded = decode_photo(astronaut())
    decoded.flags.writeable = False
    return decoded


@cache
def sad() -> bytes:
    """The astronaut with her mouth upside down and her brows moved, as a PNG: the models read sadness."""
    face = pixels().copy()
    face[136:168, 201:247] = face[136:168, 201:247][::-1]
    rows, columns = np.mgrid[0 : face.shape[0], 0 : face.shape[1]].astype(np.float32)
    from_row = rows.copy()
    moved = {  # (column, row): how many pixels down
        (203, 160): -5, (243, 160): -5, (223, 160): -8,
        (213, 98): -7, (235, 98): -7, (198, 98): 8, (252, 98): 8,
    }  # fmt: skip
    for (column, row), down in moved.items():
        away = (columns - column) ** 2 + (rows - row) ** 2
        from_row -= down * np.exp(-away / 200).astype(np.float32)
    return encode(cv2.remap(face, columns, from_row, cv2.INTER_LINEAR), ".png")


def encode(rgb: Pixels, extension: str) -> bytes:
    """An RGB or grey image as a file."""
    image = rgb if rgb.ndim == 2 else cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    done, body = cv2.imencode(extension, image)
    assert done
    return body.tobytes()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *, depth: int = 8, before: bytes = b"", rows: int = 0) -> bytes:
    """A grey PNG that says it is so large, with ``before`` in front of its data."""
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * (rows or 1) * (1 + width * depth // 8), 9)
    chunks = png_chunk(b"IHDR", header) + before + png_chunk(b"IDAT", data)
    return b"\x89PNG\r\n\x1a\n" + chunks + png_chunk(b"IEND", b"")


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP container."""
    body = b"WEBP"
    for kind, content in chunks:
        body += kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def after_start(jpeg: bytes, marker: int, body: bytes) -> bytes:
    """A JPEG with one more segment directly behind its start."""
    segment = bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body
    return jpeg[:2] + segment + jpeg[2:]


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """A JPEG whose EXIF says how to turn it (TIFF tag 0x0112)."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + entry + struct.pack("<I", 0)
    return after_start(jpeg, 0xE1, b"Exif\0\0" + tiff)


def stored_as(upright: Pixels, orientation: int) -> Pixels:
    """What a camera held that way stores, so that applying ``orientation`` shows ``upright`` (TIFF 6.0)."""
    undo = {
        1: lambda image: image,
        2: lambda image: image[:, ::-1],
        3: lambda image: image[::-1, ::-1],
        4: lambda image: image[::-1],
        5: lambda image: image.transpose(1, 0, 2),
        6: lambda image: np.rot90(image, 1),
        7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
        8: lambda image: np.rot90(image, -1),
    }[orientation]
    return np.ascontiguousarray(undo(upright))


def with_frame(jpeg: bytes, *, components: int = 3, precision: int = 8) -> bytes:
    """A JPEG whose start-of-frame segment is replaced by one that says so."""
    at = jpeg.index(b"\xff\xc0")
    (length,) = struct.unpack_from(">H", jpeg, at + 2)
    _precision, height, width = struct.unpack_from(">BHH", jpeg, at + 4)
    body = struct.pack(">BHHB", precision, height, width, components)
    body += b"".join(bytes([number, 0x11, 0]) for number in range(1, components + 1))
    segment = b"\xff\xc0" + struct.pack(">H", len(body) + 2) + body
    return jpeg[:at] + segment + jpeg[at + 2 + length :]
