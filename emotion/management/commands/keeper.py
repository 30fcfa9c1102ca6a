"""The keeper: one long-running process that finishes what others began.

It sequences the access log, sends stale rows to the workers again, erases what is due, delivers
messages and rotates key epochs. Two keepers at once do no harm: every step is claimed in the database.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import close_old_connections, connections

from audit_log.sequencer import integrate_once
from consent.erasure import record_final
from consent.messages import deliver_waiting
from consent.renewals import ask_for_renewals
from consent.retention import expire_consents
from emotion.dispute_notes import tell_operators
from emotion.disputes import erase_unanswered
from emotion.erasure import drain
from emotion.sweeping import (
    ask_for_worker_restart,
    expire_recordings,
    requeue_stale,
    workers_stuck,
)
from emotion.uploads import sweep_orphans
from vault.epochs import rotate_if_due

log = logging.getLogger("consentry.keeper")


@dataclass
class Chore:
    """Something done every so many seconds; a failure is noted and tried again next time."""

    name: str
    every: float
    do: Callable[[], object]
    due: float = 0.0

    def run(self, now: float) -> None:
        """Do it if it is due."""
        if now < self.due:
            return
        self.due = now + self.every
        try:
            done = self.do()
        except Exception as error:  # the keeper must outlive any one chore
            log.error("%s: %s; tried again in %s s", self.name, type(error).__name__, self.every)
            log.debug("%s", self.name, exc_info=True)
            close_old_connections()
        else:
            if done:
                log.info("%s: %s", self.name, done)


def restart_stuck_worker() -> int:
    """Ask the supervisor for a new worker when rows wait and nobody takes them."""
    if not workers_stuck():
        return 0
    ask_for_worker_restart()
    return 1


def chores() -> list[Chore]:
    """Everything but the sequencer, which has a thread of its own."""
    return [
        Chore("rows sent to the workers again", 15, requeue_stale),
        Chore("worker restarts asked for", 10, restart_stuck_worker),
        Chore("recordings past their retention", 20, expire_recordings),
        Chore("consents that ended", 20, expire_consents),
        Chore("disputed recordings given up", 20, erase_unanswered),
        Chore("operators told of disputes", 10, tell_operators),
        Chore("people asked for renewal", 20, ask_for_renewals),
        Chore("erasures taken up", 1, drain),
        Chore("erasures final", 15, record_final),
        Chore("unfinished uploads cleared", 60, sweep_orphans),
        Chore("messages delivered", 5, deliver_waiting),
        Chore("key epochs rotated", 60, rotate_if_due),
    ]


class Command(BaseCommand):
    """``manage.py keeper``: run until told to stop."""

    stopping = False
    help = "Sequences the log, sweeps, erases, delivers and rotates until it is told to stop."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run both loops until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        sequencer = threading.Thread(target=self.sequence, name="sequencer")
        sequencer.start()
        todo = chores()
        while not self.stopping:
            for chore in todo:
                chore.run(time.monotonic())
            heartbeat()
            time.sleep(0.25)
        sequencer.join()
        connections.close_all()

    def stop(self, *_signal: Any) -> None:
        """Let both loops end. A plain flag: a lock taken in a signal handler could wait for itself."""
        self.stopping = True

    def sequence(self) -> None:
        """Integrate pending entries five times a second; the log must not wait for a slow chore."""
        chore = Chore("entries integrated", 0.0, integrate_quietly)
        while not self.stopping:
            chore.run(time.monotonic())
            time.sleep(0.2)
        connections.close_all()


def integrate_quietly() -> None:
    """Integrate without a line for each batch."""
    integrate_once()


def heartbeat() -> None:
    """Touch the file by which /readyz sees that the keeper lives."""
    run = settings.VAR_DIR / "run"
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    (run / "keeper").touch()
