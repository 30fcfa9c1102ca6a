"""The decoding child: bytes on standard input, an answer on standard output, and nothing else.

A program of ``fork_server``, for ``media``. It limits itself before it reads the first byte, and from then
on can open neither file nor socket. The answer is one line of JSON; for ``pixels`` the RGB bytes follow it.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import cv2
import numpy

from emotion.inference.fork_server import limit_before_reading
from emotion.inference.media_codes import MediaCode, MediaRefused
from emotion.inference.photo_formats import CPU_SECONDS, inspect_photo, is_photo_type

if TYPE_CHECKING:
    from emotion.inference.arrays import Pixels
    from emotion.inference.media_codes import PhotoFacts

CHUNK = 256 * 1024
TYPE_BYTES = 16
# The detector finds faces from about 7 % of a picture's side: at this side those are 112 pixels, as many
# as the expression models take in. Decoding and passing on more would only cost time and memory.
WORKING_SIDE = 1600
EARLY_END = b"premature end"
WARNINGS_MAX = 65536


def read_photo(max_bytes: int) -> bytes:
    """All of standard input; refused as soon as it is too long or begins like no photograph."""
    data = bytearray()
    while chunk := os.read(0, CHUNK):
        data += chunk
        if len(data) > max_bytes:
            raise MediaRefused(MediaCode.TOO_LARGE, f"Expected at most {max_bytes} bytes.")
        if len(data) >= TYPE_BYTES and not is_photo_type(bytes(data[:TYPE_BYTES])):
            raise MediaRefused(MediaCode.TYPE_NOT_SUPPORTED)
    return bytes(data)


def reduction(facts: PhotoFacts) -> int:
    """By how much to divide both sides: 1, 2 or 4, keeping the longer one at WORKING_SIDE or above."""
    longer = max(facts.width, facts.height)
    return next(factor for factor in (4, 2, 1) if factor == 1 or longer // factor >= WORKING_SIDE)


def decode(data: bytes, facts: PhotoFacts, warnings: int) -> Pixels:
    """The picture as BGR, turned as its EXIF orientation says; all metadata stay behind."""
    flag = {
        1: cv2.IMREAD_COLOR,
        2: cv2.IMREAD_REDUCED_COLOR_2,
        4: cv2.IMREAD_REDUCED_COLOR_4,
    }[reduction(facts)]
    try:
        picture = cv2.imdecode(numpy.frombuffer(data, numpy.uint8), flag)
    except (cv2.error, MemoryError):
        picture = None
    if picture is None:
        raise MediaRefused(MediaCode.UNREADABLE)
    # libjpeg fills what is missing with grey and only warns: half a face is not a photograph of it.
    if EARLY_END in os.read(warnings, WARNINGS_MAX).lower():
        raise MediaRefused(MediaCode.TRUNCATED)
    return picture.astype(numpy.uint8, copy=False)


def answer(body: dict[str, Any], pixels: bytes | memoryview = b"") -> None:
    """Write the answer and leave without running anything else."""
    left = memoryview(json.dumps(body).encode() + b"\n")
    for part in (left, memoryview(pixels)):
        sent = 0
        while sent < len(part):
            sent += os.write(1, part[sent:])
    os._exit(0)


def catch_warnings() -> int:
    """Turn standard error into a pipe to ourselves: the C decoders' only way to speak. Its reading end."""
    reading, writing = os.pipe()
    os.dup2(writing, 2)
    os.set_blocking(2, False)
    os.write(2, b"\n")  # so that there is always something to read
    return reading


def load() -> None:
    """Once, in the fork server: what the decoders do when they are first used, no child does again.

    OpenCV must not start threads here, which no child would have.
    """
    cv2.setNumThreads(1)
    black = numpy.zeros((16, 16, 3), numpy.uint8)
    for extension in (".jpg", ".png", ".webp"):
        cv2.imdecode(cv2.imencode(extension, black)[1], cv2.IMREAD_COLOR)
    cv2.cvtColor(black, cv2.COLOR_BGR2RGB, dst=black)


def main(mode: str, max_bytes: str) -> None:
    """Read, inspect and decode one photograph."""
    warnings = catch_warnings()
    limit_before_reading(CPU_SECONDS, CPU_SECONDS + 5)
    try:
        data = read_photo(int(max_bytes))
        facts = inspect_photo(data)
        picture = decode(data, facts, warnings)
    except MediaRefused as refused:
        answer({"code": refused.code.value, "message": str(refused)})
        return
    rows, columns = picture.shape[:2]
    width, height = facts.width, facts.height
    if (columns > rows) != (width > height):
        width, height = height, width  # turned by its EXIF orientation
    body = {"media_type": facts.media_type, "width": width, "height": height}
    if mode != "pixels":
        answer(body)
    rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=picture)
    answer(body | {"rows": rows, "columns": columns}, rgb.data.cast("B"))
