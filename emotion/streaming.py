"""Answers that are made while they are sent: nowhere is one whole, and nothing stays open behind it."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterator
from typing import Any, Self


def begun(parts: Iterator[bytes]) -> Iterator[bytes]:
    """What has an empty first part, taken up to it: only what has begun tidies up when it is closed."""
    next(parts)
    return parts


class Sending(Iterator[bytes]):
    """Parts of an answer as they are made; ``tidy`` is called once, after the last part or by ``close``.

    Web servers close what they send, also when nobody listens any more. A generator's own ``finally`` is
    run by whatever collects it as garbage as well, be it in the middle of a statement to the very database
    that it asks: that connection would wait for itself for ever.
    """

    def __init__(self, parts: Generator[bytes, None, None], tidy: Callable[[], object]) -> None:
        self.parts, self.tidy, self.closed = parts, tidy, False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        """The next part."""
        try:
            return next(self.parts)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Make no more parts, and tidy up if that was not done yet."""
        if not self.closed:
            self.closed = True
            self.parts.close()
            self.tidy()


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
