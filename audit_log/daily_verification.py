"""Once a day the keeper has the whole log verified, in a process of its own.

A log of millions of entries takes minutes, in which the keeper must not stand still. The verdict is kept
by ``verify_log`` itself; the page of the log shows it.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from audit_log.models import Checkpoint
from audit_log.verdicts import LastVerdict, last_verdict

EVERY = timedelta(days=1)


class VerificationFailed(Exception):
    """``verify_log`` ended with a problem; its words."""


class DailyVerification:
    """Starts ``manage.py verify_log`` when the last verdict is a day old."""

    def __init__(self) -> None:
        self.running: subprocess.Popen[bytes] | None = None

    def look(self) -> str:
        """Start it, or see how it ended; a verdict is returned once, nothing otherwise.

        Raises VerificationFailed when the log does not fit, or nobody could say.
        """
        if self.running is None:
            if due():
                self.start()
            return ""
        status = self.running.poll()
        if status is None:
            return ""
        self.running = None
        last = last_verdict()
        if status or last is None:
            problem = last.problem if last else ""
            raise VerificationFailed(problem or f"verify_log ended with status {status}")
        return f"{last.entries:,} entries"

    def start(self) -> None:
        """Begin a verification, behind everything else that wants the processor."""
        manage = Path(settings.BASE_DIR) / "manage.py"
        self.running = subprocess.Popen(  # noqa: S603  no shell, and nothing from outside in the arguments
            ["/usr/bin/nice", sys.executable, str(manage), "verify_log"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def end(self) -> None:
        """Stop what runs: the keeper ends."""
        if self.running is not None:
            self.running.terminate()
            self.running.wait()


def due() -> bool:
    """Whether the last verdict, or before the first one the first checkpoint, is a day old.

    One from the future counts as old: it was given before the clock was put right.
    """
    last = last_verdict()
    since = (
        last.at
        if last
        else Checkpoint.objects.order_by("size").values_list("signed_at", flat=True).first()
    )
    return since is not None and not timedelta(0) <= timezone.now() - since < EVERY


def is_old(verdict: LastVerdict) -> bool:
    """Whether nobody seems to verify any more: it was given before twice the time between two."""
    return timezone.now() - verdict.at > 2 * EVERY
