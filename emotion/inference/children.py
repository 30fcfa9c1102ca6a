"""A decoder as a process of its own: how it is started, waited for, heard and ended.

What the programs themselves may do is said in ``decode_child`` and ``film_child``. Here is the parent's
side: an empty environment, pipes, an end to every wait, and answers that are believed no further than
their form can be checked.
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

from emotion.inference.media_codes import MediaCode, MediaRefused

LINE_MAX = 4096


@cache
def packages_folder() -> str:
    """Where av, cv2 and numpy are installed; looked up without importing cv2."""
    found = importlib.util.find_spec("cv2")
    assert found is not None  # noqa: S101  # a dependency of this package
    assert found.origin is not None  # noqa: S101  # an ordinary package, not a namespace
    return str(Path(found.origin).parents[1])


class Child:
    """One run of a decoding program. Every wait has an end; ``close`` ends it whatever it is doing.

    ``handed``: file descriptors that the child inherits beside its pipes.
    """

    def __init__(self, program: Path, *arguments: str, handed: tuple[int, ...] = ()) -> None:
        command = [sys.executable, "-I", "-S", "-B", str(program)]
        self.process = subprocess.Popen(  # noqa: S603  # our own program, no shell, no outside argument
            [*command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={"OPENBLAS_NUM_THREADS": "1", "OPENCV_LOG_LEVEL": "SILENT"},
            cwd="/",
            close_fds=True,
            pass_fds=handed,
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

    def write(self, data: bytes | memoryview, until: float) -> bool:
        """Write all; False when the child no longer reads. Raises MediaRefused when time is up."""
        left = memoryview(data)
        while left:
            self.wait(self.input, select.POLLOUT, until)
            try:
                left = left[os.write(self.input.fileno(), left) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                return False
        return True

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


def answer_from(text: bytes) -> dict[str, Any]:
    """A child's JSON. Raises MediaRefused for the refusal it holds, and for what is no answer."""
    try:
        body = json.loads(text)
        if "code" in body:
            refusal = MediaRefused(MediaCode(body["code"]), str(body["message"])[:200])
        else:
            return dict(body)
    except (ValueError, KeyError, TypeError):
        refusal = MediaRefused(MediaCode.UNREADABLE)
    raise refusal


def whole(body: dict[str, Any], name: str, most: int) -> int:
    """A side in pixels from a child's answer: 1 to ``most``, else MediaRefused."""
    value = body.get(name)
    if type(value) is not int or not 1 <= value <= most:
        raise MediaRefused(MediaCode.UNREADABLE)
    return value
