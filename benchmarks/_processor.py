"""Processor time of programs with all that they have started."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def descendants(pid: int) -> Iterator[int]:
    """The processes below one that live."""
    with suppress(FileNotFoundError, ProcessLookupError):  # it ends while it is looked at
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (thread / "children").read_text().split()):
                yield child
                yield from descendants(child)


def below(pid: int) -> float:
    """Seconds of all processes below one, and of those that they have ended; in hundredths."""
    ticks = 0
    for process in descendants(pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime
    return ticks / TICKS


def processor() -> float:
    """Seconds of this process, of those it has ended, and of all below it."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in both) + below(os.getpid())
