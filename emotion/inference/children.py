"""A decoder as a process of its own: how it is started, waited for, heard and ended.

What the programs themselves may do is said in ``decode_child`` and ``film_child``. Here is the parent's
side: an empty environment, pipes, an end to every wait, and answers that are believed no further than
their form can be checked. Each process that decodes has a server for each program, which loads it once and
forks a child for each photograph or film (``fork_server``).
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import cache
from pathlib import Path
from typing import IO, Any, ClassVar

from emotion.inference.fork_server import NUMBER
from emotion.inference.media_codes import DecoderKilled, MediaCode, MediaRefused

LINE_MAX = 4096
SERVER = Path(__file__).with_name("fork_server.py")
ENDING = 10.0
"""Seconds that a process may take to end once it is to."""
ANSWERING = 30.0
"""Seconds in which a server must have loaded its program, and forked."""


@cache
def packages_folder() -> str:
    """Where av, cv2 and numpy are installed; looked up without importing cv2."""
    found = importlib.util.find_spec("cv2")
    assert found is not None  # noqa: S101  # a dependency of this package
    assert found.origin is not None  # noqa: S101  # an ordinary package, not a namespace
    return str(Path(found.origin).parents[1])


class ForkServer:
    """The fork server of one program, in a process of its own that only this one talks to."""

    def __init__(self, program: Path) -> None:
        self.lock = threading.Lock()
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(ANSWERING)
        command = [sys.executable, "-I", "-S", "-B", str(SERVER), str(program), packages_folder()]
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603  # our own program, no shell, no outside argument
                command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"OPENBLAS_NUM_THREADS": "1", "OPENCV_LOG_LEVEL": "SILENT"},
                cwd="/",
                close_fds=True,
            )

    def fork(self, arguments: list[str], descriptors: list[int]) -> int:
        """The process of a new child. Raises OSError where there is none."""
        with self.lock:
            try:
                socket.send_fds(self.control, [json.dumps(arguments).encode()], descriptors)
                answer = self.control.recv(NUMBER.size)
            except OSError:
                answer = b""
            if not answer:
                self.close()
                raise BrokenPipeError("the fork server has ended")
        (process,) = NUMBER.unpack(answer)
        if process == 0:
            raise BlockingIOError("no process for a decoder")
        return int(process)

    def close(self) -> None:
        """End the server and its children; safe to repeat."""
        self.control.close()
        try:
            self.process.wait(ENDING)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Servers:
    """The fork servers of this process, by program; a process that is forked has none of them."""

    lock = threading.Lock()
    running: ClassVar[dict[Path, ForkServer]] = {}

    @classmethod
    def of(cls, program: Path) -> ForkServer:
        """The one of a program, started for its first child and again if it has ended."""
        with cls.lock:
            found = cls.running.get(program)
            if found is None or found.process.poll() is not None:
                if found is not None:
                    found.close()
                found = cls.running[program] = ForkServer(program)
            return found

    @classmethod
    def fork(cls, program: Path, arguments: list[str], descriptors: list[int]) -> int:
        """A child of the program's server; of a new one, if that one has just ended. Raises OSError."""
        try:
            return cls.of(program).fork(arguments, descriptors)
        except BrokenPipeError:
            return cls.of(program).fork(arguments, descriptors)

    @classmethod
    def forget(cls) -> None:
        """In a forked process: whoever forked it goes on with them, and ends them."""
        cls.lock = threading.Lock()
        for each in cls.running.values():
            each.control.close()
            each.process.returncode = 0  # not a child of this process, so not waited for
        cls.running.clear()

    @classmethod
    def end(cls) -> None:
        """End all of them; the next child has a new one."""
        with cls.lock:
            while cls.running:
                cls.running.popitem()[1].close()


os.register_at_fork(after_in_child=Servers.forget)
atexit.register(Servers.end)


class Process:
    """A child that the fork server has made: its number, and how it ended once it has."""

    def __init__(self, pid: int, line: socket.socket) -> None:
        self.pid = pid
        self.line = line
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, or minus the signal that ended it; None while it runs.

        SIGKILL where its server has ended, too: nobody can tell any more.
        """
        with contextlib.suppress(TimeoutError):
            self.wait(0)
        return self.returncode

    def wait(self, seconds: float) -> int:
        """The same, waited for. Raises TimeoutError."""
        if self.returncode is None:
            if not ready(self.line, select.POLLIN, seconds):
                raise TimeoutError
            told = self.line.recv(NUMBER.size)
            self.returncode = NUMBER.unpack(told)[0] if told else -signal.SIGKILL
        return self.returncode

    def end(self) -> None:
        """Kill it, if it still runs, and let its number go; safe to repeat."""
        if self.line.fileno() >= 0 and self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # the server ended meanwhile
                os.kill(self.pid, signal.SIGKILL)
            self.wait(ENDING)
        self.line.close()


def ready(pipe: IO[bytes] | socket.socket, event: int, seconds: float) -> bool:
    """Whether a descriptor is ready for ``event`` within so many seconds."""
    poll = select.poll()
    poll.register(pipe, event)
    return bool(poll.poll(max(0.0, seconds) * 1000))


class Child:
    """One run of a decoding program. Every wait has an end; ``close`` ends it whatever it is doing.

    ``handed``: a descriptor that the child has beside its pipes, as HANDED.
    """

    def __init__(self, program: Path, *arguments: str, handed: int | None = None) -> None:
        given, input_end = os.pipe()
        output_end, told = os.pipe()
        line, theirs = socket.socketpair()
        self.input: IO[bytes] = os.fdopen(input_end, "wb", 0)
        self.output: IO[bytes] = os.fdopen(output_end, "rb", 0)
        descriptors = [given, told, theirs.fileno()]
        if handed is not None:
            descriptors.append(handed)
        try:
            pid = Servers.fork(program, list(arguments), descriptors)
        except OSError:
            line.close()
            self.input.close()
            self.output.close()
            raise
        finally:
            os.close(given)
            os.close(told)
            theirs.close()
        self.process = Process(pid, line)
        os.set_blocking(self.input.fileno(), False)

    def wait(self, pipe: IO[bytes], event: int, until: float) -> None:
        """Wait until the pipe is ready; raises MediaRefused when ``until`` (monotonic) has passed."""
        if not ready(pipe, event, until - time.monotonic()):
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
        """Fill ``target`` from standard output. Raises MediaRefused or DecoderKilled when less comes."""
        while target:
            self.wait(self.output, select.POLLIN, until)
            count = os.readv(self.output.fileno(), [target])
            if not count:
                raise self.cause_of_death()
            target = target[count:]

    def cause_of_death(self) -> MediaRefused | DecoderKilled:
        """Why nothing more comes: killed from outside, over its processor time, or unable to read this.

        Our own SIGKILL comes when nothing more is heard, and the limit ends a child by SIGXCPU: any other
        SIGKILL is the machine's, which kills when it has no memory. A child that was taken over can take
        it for itself, and gains no more by it than the tries of its medium.
        """
        try:
            ended = self.process.wait(ENDING)
        except TimeoutError:
            return MediaRefused(MediaCode.UNREADABLE)
        if ended == -signal.SIGKILL:
            return DecoderKilled("The decoder was killed from outside.")
        return MediaRefused(MediaCode.TIMEOUT if ended == -signal.SIGXCPU else MediaCode.UNREADABLE)

    def close(self) -> None:
        """End the child; safe to repeat."""
        self.process.end()
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
    except (ValueError, KeyError, TypeError, RecursionError):
        refusal = MediaRefused(MediaCode.UNREADABLE)
    raise refusal


def whole(body: dict[str, Any], name: str, most: int) -> int:
    """A side in pixels from a child's answer: 1 to ``most``, else MediaRefused."""
    value = body.get(name)
    if type(value) is not int or not 1 <= value <= most:
        raise MediaRefused(MediaCode.UNREADABLE)
    return value
