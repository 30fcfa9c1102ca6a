"""Photographs in: checked and decoded in a process of its own, over pipes, with limits on everything.

A decoder is where hostile bytes meet C code, so it runs apart, with an empty environment, and can
neither open files nor outlive its time (``decode_child``). Plaintext passes through pipes and never
touches a disk. Its answers are believed no further than their form can be checked: a decoder that was
taken over can only lie about the picture it was given.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from emotion.inference.arrays import Pixels
from emotion.inference.media_codes import MediaCode, MediaRefused, PhotoFacts
from emotion.inference.photo_formats import PIXELS_MAX, SIDE_MAX

__all__ = ["MediaCode", "MediaRefused", "PhotoFacts", "PhotoProbe", "decode_photo", "encode_jpeg"]

CHILD = Path(__file__).with_name("decode_child.py")
# Wall clock for what the child does by itself. Waiting for the sender of an upload does not count.
SECONDS = 30.0
PHOTO_MAX_BYTES = 64 * 1024 * 1024
LINE_MAX = 4096
JPEG_QUALITY = 88  # of what is shown to people; nothing is measured on it
TYPES = ("image/jpeg", "image/png", "image/webp")


@cache
def packages_folder() -> str:
    """Where cv2 and numpy are installed; looked up without importing cv2."""
    found = importlib.util.find_spec("cv2")
    assert found is not None  # noqa: S101  # a dependency of this package
    assert found.origin is not None  # noqa: S101  # an ordinary package, not a namespace
    return str(Path(found.origin).parents[1])


class DecodingChild:
    """One run of ``decode_child``. Every wait has an end; ``close`` ends it whatever it is doing."""

    def __init__(self, mode: str, max_bytes: int) -> None:
        program = [sys.executable, "-I", "-S", "-B", str(CHILD)]
        self.process = subprocess.Popen(  # noqa: S603  # our own program, no shell, no outside argument
            [*program, mode, str(max_bytes), packages_folder()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={"OPENBLAS_NUM_THREADS": "1", "OPENCV_LOG_LEVEL": "SILENT"},
            cwd="/",
            close_fds=True,
        )
        assert self.process.stdin is not None  # noqa: S101  # asked for above
        assert self.process.stdout is not None  # noqa: S101  # asked for above
        self.input: IO[bytes] = self.process.stdin
        self.output: IO[bytes] = self.process.stdout
        os.set_blocking(self.input.fileno(), False)

    def wait(self, pipe: IO[bytes], event: int, until: float) -> None:
        """Wait until the pipe is ready; raises MediaRefused when ``until`` (monotonic) has passed."""
        poll = select.poll()
        poll.register(pipe, event)
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            raise MediaRefused(MediaCode.TIMEOUT)

    def send(self, data: bytes | memoryview) -> bool:
        """Write all; False when the child no longer reads, because it already has an answer."""
        left, until = memoryview(data), time.monotonic() + SECONDS
        while left:
            self.wait(self.input, select.POLLOUT, until)
            try:
                left = left[os.write(self.input.fileno(), left) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                return False
        return True

    def receive(self, until: float) -> dict[str, Any]:
        """The line of JSON. Raises MediaRefused for a refusal, and for a child that died or babbles."""
        with contextlib.suppress(BrokenPipeError):
            self.input.close()
        line = b""
        while not line.endswith(b"\n"):
            self.wait(self.output, select.POLLIN, until)
            byte = self.output.read(1)  # one at a time: what follows the line are pixels
            if not byte or len(line) == LINE_MAX:
                raise MediaRefused(self.cause_of_death())
            line += byte
        try:
            body = json.loads(line)
            if "code" in body:
                refusal = MediaRefused(MediaCode(body["code"]), str(body["message"])[:200])
            else:
                return dict(body)
        except (ValueError, KeyError, TypeError):
            refusal = MediaRefused(MediaCode.UNREADABLE)
        raise refusal

    def receive_into(self, target: memoryview, until: float) -> None:
        """Fill ``target`` from standard output. Raises MediaRefused when less comes."""
        while target:
            self.wait(self.output, select.POLLIN, until)
            count = os.readv(self.output.fileno(), [target])
            if not count:
                raise MediaRefused(self.cause_of_death())
            target = target[count:]

    def cause_of_death(self) -> MediaCode:
        """TIMEOUT when the limit on processor time ended it, UNREADABLE for any other end."""
        try:
            ended = self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return MediaCode.UNREADABLE
        return MediaCode.TIMEOUT if ended == -signal.SIGXCPU else MediaCode.UNREADABLE

    def close(self) -> None:
        """End the child; safe to repeat."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.input, self.output):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def whole(body: dict[str, Any], name: str) -> int:
    """A side in pixels from the child's answer, checked."""
    value = body.get(name)
    if type(value) is not int or not 1 <= value <= SIDE_MAX:
        raise MediaRefused(MediaCode.UNREADABLE)
    return value


def facts_from(body: dict[str, Any]) -> PhotoFacts:
    """The child's answer as facts; raises MediaRefused when they cannot be."""
    facts = PhotoFacts(str(body.get("media_type")), whole(body, "width"), whole(body, "height"))
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
        """The facts, with the EXIF orientation applied. Raises MediaRefused."""
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
    MediaRefused.
    """
    child = DecodingChild("pixels", PHOTO_MAX_BYTES)
    try:
        child.send(data)
        until = time.monotonic() + SECONDS
        body = child.receive(until)
        facts_from(body)
        rows, columns = whole(body, "rows"), whole(body, "columns")
        pixels = np.empty((rows, columns, 3), np.uint8)
        child.receive_into(pixels.data.cast("B"), until)
    finally:
        child.close()
    return pixels


def encode_jpeg(pixels: Pixels) -> bytes:
    """RGB pixels (H, W, 3) as a new JPEG file: nothing of the file they came from, no metadata."""
    import cv2

    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    if not done:
        raise MediaRefused(MediaCode.UNREADABLE)
    return bytes(data)
