"""Whether this worker was told to stop: its first process is, and the others look at what it notes.

Celery tells those that it forked nothing and waits for what they do, which for a film is longer than
anybody lets it. They give such work back, and it is taken up where it was.
"""

from __future__ import annotations

import mmap

_told = mmap.mmap(-1, 1)
"""One byte of memory, the same one in every process forked later; a signal handler may write it."""


class WorkerStopping(Exception):
    """The worker was told to stop; what it had in hand is for the next one."""


def note_stop() -> None:
    """For this process and all that it has forked."""
    _told[0] = 1


def is_stopping() -> bool:
    """Whether anything more is to be begun here."""
    return _told[0] == 1


def require_time() -> None:
    """Raise WorkerStopping if this worker was told to stop."""
    if is_stopping():
        raise WorkerStopping("the worker was told to stop")
