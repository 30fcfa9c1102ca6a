"""The keeper: one long-running process that finishes what others began.

It sequences the access log, sends stale rows to the workers again, erases what is due, delivers
messages, tells recipients and rotates key epochs. Two keepers at once file, erase and end nothing twice:
each such step is asked about once more under a lock, or claimed in the database.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections, connections

from accounts.sessions import forget_ended
from audit_log.clock import Watch
from audit_log.daily_verification import DailyVerification
from audit_log.promises import ensure_promise_key
from audit_log.rotation import end_windows
from audit_log.sequencer import BATCH, integrate_once
from audit_log.witnesses import Asker
from consent.breach_telling import erase_old_breaches, tell_people
from consent.ending_soon import ask_before_the_end
from consent.erasure import record_final
from consent.holds import end_holds
from consent.last_entries import end_tags
from consent.mail_sending import deliver_waiting
from consent.notifications import forget_old_news
from consent.operator_notes import tell_of_requests, tell_of_reviews
from consent.overtaken_letters import discard_overtaken
from consent.renewals import ask_for_renewals
from consent.request_ends import erase_old
from consent.request_keys import forget_old_keys
from consent.retention import end_purposes, expire_consents
from consent.row_by_row import before_each_row
from consent.webhook_sending import tell_next
from emotion.cohort_counting import requeue_cohorts
from emotion.dispute_notes import tell_operators
from emotion.disputes import erase_unanswered
from emotion.erasure import drain
from emotion.exports import forget_exports
from emotion.faults import in_a_line
from emotion.given_up import end_expired
from emotion.journal import write_back
from emotion.marks import KEEPER, touch
from emotion.reservations import sweep_orphans
from emotion.sweeping import (
    ask_for_worker_restart,
    expire_recordings,
    requeue_stale,
    take_up_paused,
    workers_stuck,
)
from emotion.unused import give_up_unused
from emotion.upgrades import upgrade_needed
from vault.epochs import rotate_if_due

log = logging.getLogger("consentry.keeper")

BATCHES = 20  # of log entries, before it is seen whether the connection is still the right one
REMIND = 3600.0  # seconds until a failure that lasts is noted again


@dataclass
class Chore:
    """Something done every so many seconds; a failure is noted and tried again next time.

    Fields:
        by_date: it destroys what a date says is over, so it waits while the clock is in doubt.
        said: the failure that was noted last; the same one is noted again after an hour only.
    """

    name: str
    every: float
    do: Callable[[], object]
    by_date: bool = False
    due: float = 0.0
    said: str = ""
    said_at: float = 0.0

    def run(self, now: float) -> None:
        """Do it if it is due."""
        if now < self.due:
            return
        self.due = now + self.every
        show_life()
        try:
            done = self.do()
        except Exception as error:  # the keeper must outlive any one chore
            self.tell(in_a_line(error), now)
            log.debug("%s", self.name, exc_info=True)
        else:
            if self.said:
                log.warning("%s: works again", self.name)
                self.said = ""
            if done:
                log.info("%s: %s", self.name, done)
        finally:
            # A SQLite file that was moved or put back must be opened anew, or it is the old one.
            close_old_connections()

    def tell(self, words: str, now: float) -> None:
        """Note a failure that is new, or that has lasted another hour."""
        if words != self.said or now - self.said_at >= REMIND:
            log.error("%s: %s; tried again every %g s", self.name, words, self.every)
            self.said, self.said_at = words, now


def show_life(*_progress: int) -> None:
    """Touch the mark before each chore, each row of one and each batch of keys, which may be many.

    Only what has no thread of its own says that the keeper gets on.
    """
    if threading.current_thread() is threading.main_thread():
        with suppress(OSError):  # the chore of the mark says it
            touch(KEEPER)


def restart_stuck_worker() -> int:
    """Ask the supervisor for a new worker when rows wait and nobody takes them."""
    if not workers_stuck():
        return 0
    ask_for_worker_restart()
    return 1


def chores(clock: Watch, verification: DailyVerification) -> list[Chore]:
    """Everything but what has a thread of its own; the clock is looked at first."""
    return [
        Chore("clock", 10, clock.look),
        Chore("mark of the keeper", 1, partial(touch, KEEPER)),
        Chore("access log verified", 30, verification.look),
        Chore("rows sent to the workers again", 15, requeue_stale),
        Chore("questions about groups sent again", 15, requeue_cohorts),
        Chore("paused analyses taken up", 5, take_up_paused),
        Chore("worker restarts asked for", 10, restart_stuck_worker),
        Chore("recordings past their retention", 20, expire_recordings, by_date=True),
        Chore("consents that ended", 20, expire_consents, by_date=True),
        Chore("purposes that ended", 20, end_purposes, by_date=True),
        Chore("people not seen for three years", 20, give_up_unused, by_date=True),
        Chore("legal holds ended", 20, end_holds, by_date=True),
        Chore("disputed recordings given up", 20, erase_unanswered, by_date=True),
        Chore("old requests erased", 60, erase_old, by_date=True),
        Chore("people told of breaches", 5, tell_people),
        Chore("old breach records erased", 60, erase_old_breaches, by_date=True),
        Chore("people asked for renewal", 20, ask_for_renewals),
        Chore("people asked before a consent ends", 20, ask_before_the_end, by_date=True),
        Chore("letters that are true no more", 20, discard_overtaken, by_date=True),
        Chore("erasures taken up", 1, drain),
        Chore("erasures final", 15, record_final),
        Chore("tag keys destroyed", 60, end_tags, by_date=True),
        Chore("unfinished uploads cleared", 60, sweep_orphans),
        Chore("exports that are over forgotten", 60, forget_exports, by_date=True),
        Chore("uploads not finished in time", 60, end_expired, by_date=True),
        Chore("old idempotency keys forgotten", 600, forget_old_keys),
        Chore("ended sessions forgotten", 600, forget_ended, by_date=True),
        Chore("old news for programs forgotten", 600, forget_old_news, by_date=True),
        Chore("key epochs rotated", 60, partial(rotate_if_due, progress=show_life), by_date=True),
        Chore("old log keys destroyed", 60, end_windows, by_date=True),
        Chore("key of promises certified", 60, ensure_promise_key),
    ]


def chores_apart() -> list[tuple[Chore, float]]:
    """What has a thread of its own, and the seconds to pause after each time.

    The log must not wait for a slow chore, nor the journal, and nothing must wait for a recipient, a
    witness or a mail server that does not answer.
    """
    return [
        (Chore("entries integrated", 0.0, integrate_quietly), 0.2),
        (Chore("journal written back", 0.0, write_back), 0.25),
        (Chore("recipients told", 0.0, tell_quietly), 0.25),
        (Chore("witnesses asked", 0.0, Asker().ask_all), 1.0),
        (Chore("messages delivered", 0.0, deliver_waiting), 5.0),
        (Chore("operators told of disputes", 0.0, tell_operators), 10.0),
        (Chore("operators told of requests", 0.0, tell_of_requests), 20.0),
        (Chore("operators told of reviews", 0.0, tell_of_reviews), 20.0),
    ]


class Command(BaseCommand):
    """``manage.py keeper``: run until told to stop."""

    stopping = False
    help = "Sequences the log, sweeps, erases, delivers and rotates until it is told to stop."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run every loop until SIGTERM or SIGINT. Raises CommandError before an upgrade's set-up."""
        if words := upgrade_needed():
            raise CommandError(words)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        besides = [
            threading.Thread(target=self.repeat, args=each, name=each[0].name)
            for each in chores_apart()
        ]
        for thread in besides:
            thread.start()
        before_each_row(show_life)
        clock, verification = Watch(), DailyVerification()
        todo = chores(clock, verification)
        while not self.stopping:
            for chore in todo:
                if not (chore.by_date and clock.holding):
                    chore.run(time.monotonic())
            time.sleep(0.25)
        verification.end()
        for thread in besides:
            thread.join()
        connections.close_all()

    def stop(self, *_signal: Any) -> None:
        """Let every loop end. A plain flag: a lock taken in a signal handler could wait for itself."""
        self.stopping = True

    def repeat(self, chore: Chore, pause: float) -> None:
        """Do one chore until told to stop."""
        while not self.stopping:
            chore.run(time.monotonic())
            self.pause(pause)
        connections.close_all()

    def pause(self, seconds: float) -> None:
        """Wait; whoever is told to stop within them ends before the supervisor's patience does."""
        end = time.monotonic() + seconds
        while not self.stopping and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.25))


def integrate_quietly() -> None:
    """Integrate what waits, batch by batch and without a line for each, up to a limit."""
    for _ in range(BATCHES):
        if integrate_once() < BATCH:
            return


def tell_quietly() -> None:
    """Tell one recipient one thing without a line for each."""
    tell_next()
