"""A bar of progress, on a terminal only."""

from __future__ import annotations

import shutil
import sys
import time

EVERY = 0.1  # seconds
BAR = 24  # characters


class Bar:
    """One line on standard error: how much of all bytes was sent, or (with another ``unit``) is done."""

    def __init__(self, total: int = 0, unit: str = "MB") -> None:
        self.total, self.unit, self.out = max(total, 1), unit, sys.stderr
        self.shown = self.out.isatty()
        self.before = 0  # bytes of the files that are done
        self.began, self.drawn = time.monotonic(), 0.0

    def file(self, sent: int, _size: int) -> None:
        """So many bytes of the file at hand were sent."""
        self.draw(self.before + sent)

    def done(self, size: int) -> None:
        """A file is done, whatever became of it."""
        self.before += size
        self.draw(self.before, always=True)

    def draw(self, sent: int, *, always: bool = False) -> None:
        """Show it, ten times a second at most."""
        if not self.is_due(always=always):
            return
        share = min(1.0, sent / self.total)
        full = round(share * BAR)
        line = f"{'#' * full}{'.' * (BAR - full)} {share:4.0%}"
        if self.unit == "MB":
            line += f" of {self.total / 1e6:.1f} MB, {self.speed(sent)}"
        self.write(line)

    def received(self, so_far: int) -> None:
        """So many bytes came, of nobody knows how many."""
        if self.is_due():
            self.write(f"{so_far / 1e6:.1f} MB, {self.speed(so_far)}")

    def is_due(self, *, always: bool = False) -> bool:
        """Whether it is shown at all, and was not just now."""
        now = time.monotonic()
        if not self.shown or (now - self.drawn < EVERY and not always):
            return False
        self.drawn = now
        return True

    def speed(self, done: int) -> str:
        """Of all bytes since the beginning."""
        return f"{done / 1e6 / max(time.monotonic() - self.began, 0.001):.1f} MB/s"

    def write(self, text: str) -> None:
        """Put a text in the place of the last one."""
        width = shutil.get_terminal_size().columns - 1
        self.out.write(f"\r\x1b[K{text[:width]}")
        self.out.flush()

    def clear(self) -> None:
        """Take the bar away, so that a line can be printed."""
        if self.shown:
            self.write("")
