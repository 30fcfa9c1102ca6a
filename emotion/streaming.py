"""Answers that are made while they are sent: nowhere is one whole, and nothing stays open behind it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any


def begun(parts: Iterator[bytes]) -> Iterator[bytes]:
    """What has an empty first part, taken up to it: only what has begun tidies up when it is closed."""
    next(parts)
    return parts


class Drain(io.RawIOBase):
    """A file that can only be written to, and gives what was written to whoever sends it on."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def writable(self) -> bool:
        """Yes; it can neither be read nor sought in."""
        return True

    def write(self, data: Any) -> int:
        """Keep a copy until it is taken."""
        self.parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """What was written since the last time."""
        taken, self.parts = b"".join(self.parts), []
        return taken
