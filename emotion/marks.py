"""Marks by which a page sees that another process lives: a file each, touched every few seconds.

They lie under ``VAR_DIR``, so a process on another machine is not seen by its mark.
"""

from __future__ import annotations

import time

from django.conf import settings

KEEPER, WORKER = "keeper", "worker"
RESTART_WORKER = "restart-worker"
"""Not of a process: the supervisor takes it for the wish that it be started anew."""
EVERY = 5.0
"""Seconds between two touches of a worker."""
SILENT_AFTER = 30.0
"""Seconds."""


def touch(name: str) -> None:
    """Leave a mark, or make it as new."""
    run = settings.VAR_DIR / "run"
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    (run / name).touch()


def silent_for(name: str) -> float | None:
    """Seconds since the mark was touched, not below 0; None when it never was."""
    try:
        return max(0.0, time.time() - (settings.VAR_DIR / "run" / name).stat().st_mtime)
    except FileNotFoundError:
        return None


def is_silent(name: str) -> bool:
    """Whether a process has not been heard of for too long."""
    silent = silent_for(name)
    return silent is None or silent > SILENT_AFTER
