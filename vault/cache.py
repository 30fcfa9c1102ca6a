"""Opened keys, remembered for at most a minute, so that a remote provider is not asked for each use.

Only what a provider over a network opened is remembered. The row in the keystore is read afresh before
every use, in every process: a key that was destroyed is not found here, because what is asked for is
the wrapped key as it stands now. A consent that changed has another version, which drops what was
remembered under the one before. Nothing is copied into a forked process.

Python keeps this promise only so far: the copy held here is overwritten, copies that the interpreter or
a library made are not, and memory can be swapped out.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

SECONDS = 60.0
MOST = 1000  # keys
NO_VERSION = 0


@dataclass
class Held:
    """One opened key, and what it was opened from."""

    wrapped: bytes
    version: int
    key: bytearray
    until: float

    def wipe(self) -> None:
        """Overwrite the key."""
        self.key[:] = bytes(len(self.key))


class KeyCache:
    """Opened keys by the id of their row. Safe for threads; times are of the monotonic clock."""

    def __init__(self, seconds: float = SECONDS, most: int = MOST) -> None:
        self.seconds, self.most = seconds, most
        self.begin()

    def begin(self) -> None:
        """Hold nothing. In a forked process also: a lock that no thread of the parent holds."""
        self._held: OrderedDict[UUID, Held] = OrderedDict()
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def get(self, id: UUID, wrapped: bytes, version: int) -> bytes | None:
        """The key that was opened from exactly these bytes under this version, unless it is too old."""
        with self._lock:
            held = self._held.get(id)
            if held is None:
                return None
            if (held.wrapped, held.version) != (wrapped, version) or time.monotonic() >= held.until:
                self._held.pop(id).wipe()
                return None
            return bytes(held.key)

    def put(self, id: UUID, wrapped: bytes, version: int, key: bytes) -> None:
        """Remember an opened key; the oldest goes when there are too many."""
        with self._lock:
            if (before := self._held.pop(id, None)) is not None:
                before.wipe()
            until = time.monotonic() + self.seconds
            self._held[id] = Held(wrapped, version, bytearray(key), until)
            while len(self._held) > self.most:
                self._held.popitem(last=False)[1].wipe()
            if self._timer is None:
                self._start_timer()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            for held in self._held.values():
                held.wipe()
            self._held.clear()

    def forget_old(self) -> None:
        """Forget what is too old; goes on by itself as long as anything is held."""
        with self._lock:
            self._timer = None
            now = time.monotonic()
            for id in [id for id, held in self._held.items() if now >= held.until]:
                self._held.pop(id).wipe()
            if self._held:
                self._start_timer()

    def _start_timer(self) -> None:
        # Else a process that nobody asks any more would hold its last keys for as long as it lives.
        oldest = next(iter(self._held.values()))
        self._timer = threading.Timer(max(oldest.until - time.monotonic(), 0.01), self.forget_old)
        self._timer.daemon = True
        self._timer.start()

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return f"KeyCache({len(self)} keys)"


opened = KeyCache()

os.register_at_fork(after_in_child=opened.begin)
