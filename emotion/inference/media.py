"""Photographs in: checked and decoded in a process of its own, over pipes, with limits on everything.

A decoder is where hostile bytes meet C code, so it runs apart, with an empty environment, and can
neither open files nor outlive its time (``decode_child``). Plaintext passes through pipes and never
touches a disk. Its answers are believed no further than their form can be checked: a decoder that was
taken over can only lie about the picture it was given.
"""

from __future__ import annotations

import contextlib
import select
import time
from pathlib import Path
from typing import Any

import numpy as np

from emotion.inference.arrays import Pixels
from emotion.inference.children import LINE_MAX, Child, answer_from, whole
from emotion.inference.media_codes import DecoderKilled, MediaCode, MediaRefused, PhotoFacts
from emotion.inference.photo_formats import PIXELS_MAX, SIDE_MAX

__all__ = [
    "DecoderKilled",
    "MediaCode",
    "MediaRefused",
    "PhotoFacts",
    "PhotoProbe",
    "decode_photo",
    "encode_jpeg",
    "encode_png",
]

CHILD = Path(__file__).with_name("decode_child.py")
# Wall clock for what the child does by itself. Waiting for the sender of an upload does not count.
SECONDS = 30.0
PHOTO_MAX_BYTES = 64 * 1024 * 1024
JPEG_QUALITY = 88  # of what is shown to people; nothing is measured on it
TYPES = ("image/jpeg", "image/png", "image/webp")


class DecodingChild(Child):
    """One run of ``decode_child``: bytes in, one line of JSON out, for ``pixels`` followed by them."""

    def __init__(self, mode: str, max_bytes: int) -> None:
        super().__init__(CHILD, mode, str(max_bytes))

    def send(self, data: bytes | memoryview) -> bool:
        """Write all; False when the child no longer reads, because it already has an answer."""
        return self.write(data, time.monotonic() + SECONDS)

    def receive(self, until: float) -> dict[str, Any]:
        """The line of JSON. Raises MediaRefused for a refusal, and for a child that died or babbles.

        DecoderKilled for one that was killed.
        """
        with contextlib.suppress(BrokenPipeError):
            self.input.close()
        line = b""
        while not line.endswith(b"\n"):
            self.wait(self.output, select.POLLIN, until)
            byte = self.output.read(1)  # one at a time: what follows the line are pixels
            if not byte:
                raise self.cause_of_death()
            if len(line) == LINE_MAX:
                raise MediaRefused(MediaCode.UNREADABLE)
            line += byte
        return answer_from(line)


def facts_from(body: dict[str, Any]) -> PhotoFacts:
    """The child's answer as facts; raises MediaRefused when they cannot be."""
    facts = PhotoFacts(
        str(body.get("media_type")), whole(body, "width", SIDE_MAX), whole(body, "height", SIDE_MAX)
    )
    if facts.media_type not in TYPES or facts.width * facts.height > PIXELS_MAX:
        raise MediaRefused(MediaCode.UNREADABLE)
    return facts


class PhotoProbe:
    """Checks a photograph while it is being received: ``feed`` what comes, then ``finish``.

    The whole picture is decoded once, so that what is accepted can be analysed later.
    """

    def __init__(self, max_bytes: int) -> None:
        self.child = DecodingChild("probe", max_bytes)

    @classmethod
    def start(cls, max_bytes: int) -> PhotoProbe:
        """A probe that refuses more than ``max_bytes``."""
        return cls(max_bytes)

    def feed(self, chunk: bytes) -> None:
        """Hand the next bytes on. Raises MediaRefused as soon as the child has refused what came."""
        if not self.child.send(chunk):
            self.finish()

    def finish(self) -> PhotoFacts:
        """The facts, with the EXIF orientation applied. Raises MediaRefused or DecoderKilled."""
        if self.child.output.closed:  # feed has raised, or close was called
            raise MediaRefused(MediaCode.UNREADABLE)
        try:
            return facts_from(self.child.receive(time.monotonic() + SECONDS))
        finally:
            self.close()

    def close(self) -> None:
        """End the child, whatever it is doing; safe to repeat."""
        self.child.close()


def decode_photo(data: bytes) -> Pixels:
    """The picture as uint8 RGB (H, W, 3), turned as its EXIF orientation says.

    Photographs with a side of 3200 pixels or more come reduced by 2 or 4 (``WORKING_SIDE``). Raises
    MediaRefused or DecoderKilled.
    """
    child = DecodingChild("pixels", PHOTO_MAX_BYTES)
    try:
        child.send(data)
        until = time.monotonic() + SECONDS
        body = child.receive(until)
        facts_from(body)
        rows, columns = whole(body, "rows", SIDE_MAX), whole(body, "columns", SIDE_MAX)
        pixels = np.empty((rows, columns, 3), np.uint8)
        child.receive_into(pixels.data.cast("B"), until)
    finally:
        child.close()
    return pixels


def encode_jpeg(pixels: Pixels) -> bytes:
    """RGB pixels (H, W, 3) as a new JPEG file: nothing of the file they came from, no metadata."""
    import cv2

    return encoded(pixels, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


def encode_png(pixels: Pixels) -> bytes:
    """The same as a PNG: read again, the pixels are the same, so models can measure on it."""
    return encoded(pixels, ".png", [])


def encoded(pixels: Pixels, extension: str, options: list[int]) -> bytes:
    """RGB pixels as a file of that kind. Raises MediaRefused."""
    import cv2

    done, data = cv2.imencode(extension, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise MediaRefused(MediaCode.UNREADABLE)
    return bytes(data)
