"""Photographs in: checked and decoded in a process of its own, over pipes, with limits on everything.

A decoder is where hostile bytes meet C code, so it runs apart, with an empty environment, and can
neither open files nor outlive its time. Plaintext passes through pipes and never touches a disk.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import numpy as np

from emotion.inference.arrays import Pixels
from emotion.inference.photo_formats import MediaCode, MediaRefused, PhotoFacts

CHILD = Path(__file__).with_name("decode_child.py")
SECONDS = 30.0
PHOTO_MAX_BYTES = 64 * 1024 * 1024

__all__ = ["MediaCode", "MediaRefused", "PhotoFacts", "PhotoProbe", "decode_photo"]


def start_child(mode: str, max_bytes: int) -> subprocess.Popen[bytes]:
    """A decoding child; ``-I`` keeps the environment and the working folder out of its imports."""
    return subprocess.Popen(  # noqa: S603  # our own program, no shell, no argument from outside
        [sys.executable, "-I", str(CHILD), mode, str(max_bytes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"OPENBLAS_NUM_THREADS": "1", "OPENCV_LOG_LEVEL": "SILENT"},
        close_fds=True,
    )


def parse_answer(line: bytes) -> PhotoFacts:
    """The child's first line as facts; raises MediaRefused for a refusal or a child that died."""
    if not line:
        raise MediaRefused(MediaCode.UNREADABLE, "The photograph cannot be decoded.")
    body = json.loads(line)
    if "code" in body:
        raise MediaRefused(MediaCode(body["code"]), body["message"])
    return PhotoFacts(body["media_type"], body["width"], body["height"])


class PhotoProbe:
    """Checks a photograph while it is being received: ``feed`` what comes, then ``finish``."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self.child = child
        self.timer = threading.Timer(SECONDS * 4, child.kill)
        self.timer.daemon = True
        self.timer.start()

    @classmethod
    def start(cls, max_bytes: int) -> PhotoProbe:
        """A probe that refuses more than ``max_bytes``."""
        return cls(start_child("probe", max_bytes))

    def pipe(self) -> IO[bytes]:
        """The child's standard input."""
        assert self.child.stdin is not None  # noqa: S101  # always a pipe, see start_child
        return self.child.stdin

    def feed(self, chunk: bytes) -> None:
        """Hand the next bytes on. A child that has already made up its mind is asked in ``finish``."""
        with contextlib.suppress(BrokenPipeError):
            self.pipe().write(chunk)

    def finish(self) -> PhotoFacts:
        """The facts, after EXIF orientation. Raises MediaRefused."""
        try:
            with contextlib.suppress(BrokenPipeError):
                self.pipe().close()
            assert self.child.stdout is not None  # noqa: S101  # always a pipe, see start_child
            return parse_answer(self.child.stdout.readline())
        finally:
            self.close()

    def close(self) -> None:
        """End the child, whatever it is doing; safe to repeat."""
        self.timer.cancel()
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def decode_photo(data: bytes) -> Pixels:
    """The picture as uint8 RGB (H, W, 3), turned as its EXIF orientation says. Raises MediaRefused."""
    child = start_child("pixels", PHOTO_MAX_BYTES)
    try:
        output, _nothing = child.communicate(data, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise MediaRefused(MediaCode.TIMEOUT, "Decoding took too long.") from None
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate()
    line, _newline, pixels = output.partition(b"\n")
    facts = parse_answer(line)
    shape = (facts.height, facts.width, 3)
    if len(pixels) != facts.height * facts.width * 3:
        raise MediaRefused(MediaCode.UNREADABLE, "The photograph cannot be decoded.")
    return np.frombuffer(pixels, np.uint8).reshape(shape)
