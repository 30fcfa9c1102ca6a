"""The decoding child for films as its parent holds it: memory that both share, messages, processor time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import os
import resource
from pathlib import Path
from typing import Any

from emotion.inference import film_messages as messages
from emotion.inference.children import LINE_MAX, Child, answer_from
from emotion.inference.film_formats import CPU_SECONDS_AT_FIRST
from emotion.inference.media_codes import MediaCode, MediaRefused
from emotion.inference.planes import SLOT_BYTES

CHILD = Path(__file__).with_name("film_child.py")
# Processor time is granted in steps of so many seconds.
STEP = 15


class FilmChild(Child):
    """One run of ``film_child``, and the memory shared with it."""

    def __init__(self, size: int, order: dict[str, Any]) -> None:
        descriptor = os.memfd_create("film", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(descriptor, SLOT_BYTES * messages.SLOTS)
            # A child that shrank it would end the parent by SIGBUS.
            fcntl.fcntl(
                descriptor,
                fcntl.F_ADD_SEALS,
                fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL,
            )
            self.memory = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
            super().__init__(CHILD, str(size), json.dumps(order), handed=descriptor)
        finally:
            os.close(descriptor)
        self.seconds_granted = CPU_SECONDS_AT_FIRST

    def message(self, until: float) -> tuple[bytes, int, int, int, float]:
        """The next header: kind, length or slot, two counts, time. Raises MediaRefused or DecoderKilled."""
        data = bytearray(messages.HEADER.size)
        self.receive_into(memoryview(data), until)
        kind, length, a, b, seconds = messages.HEADER.unpack(data)
        return kind, length, a, b, seconds

    def body(self, length: int, until: float) -> dict[str, Any]:
        """The JSON that follows a header. Raises MediaRefused, also for the refusal it may hold."""
        if length > LINE_MAX:
            raise MediaRefused(MediaCode.UNREADABLE)
        data = bytearray(length)
        self.receive_into(memoryview(data), until)
        return answer_from(bytes(data))

    def grant(self, seconds: int) -> None:
        """Let the child use so much processor time in all, once it has used its first share."""
        if seconds < self.seconds_granted + STEP or self.process.poll() is not None:
            return
        self.seconds_granted = seconds
        with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
            _soft, hard = resource.prlimit(self.process.pid, resource.RLIMIT_CPU)
            # Below the hard limit, at which SIGKILL would come instead of SIGXCPU.
            limits = (seconds if hard == resource.RLIM_INFINITY else min(seconds, hard - 1), hard)
            resource.prlimit(self.process.pid, resource.RLIMIT_CPU, limits)

    def close(self) -> None:
        """End the child and give the memory back; safe to repeat."""
        super().close()
        with contextlib.suppress(BufferError):  # a picture is still held: its memory goes with it
            self.memory.close()
