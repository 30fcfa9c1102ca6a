"""Holding an answer back until an analysis has ended, because the client asked to wait (RFC 7240).

A wait takes a thread of the web server, so at most a quarter of them may wait at one time; whoever comes
then is answered at once. It holds no connection to a database while it sleeps: there may be fewer of those
than threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from math import ceil
from uuid import UUID

from django.conf import settings
from django.db import connections

from emotion.models import UNDER_WAY, Analysis

LONGEST = 10
"""Seconds that anybody may wait at most."""
PAUSE = 0.2
"""Seconds between two looks."""
LATEST = 60
"""Seconds after which a client should look again at the latest."""


class Places:
    """How many threads of this process wait. Safe for threads; every process has a quarter of its own."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.taken = 0

    @contextmanager
    def one(self) -> Iterator[bool]:
        """A place for as long as the block lasts: whether there was one."""
        with self.lock:
            free = self.taken < settings.WEB_THREADS // 4
            self.taken += free
        try:
            yield free
        finally:
            with self.lock:
                self.taken -= free


places = Places()


def wait_wanted(prefer: str) -> int:
    """The seconds of ``Prefer: wait=N``, at most ``LONGEST``; 0 when nothing of the kind was asked.

    The first one counts, and what is malformed is as if it were not there, as RFC 7240 says.
    """
    for each in prefer.split(","):
        name, _equals, value = each.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            digits = value.strip().strip('"')
            known = digits.isascii() and digits.isdigit() and len(digits) <= 9
            return min(int(digits), LONGEST) if known else 0
    return 0


def is_under_way(analysis_id: UUID) -> bool:
    """Whether the analysis waits or runs; one look at one row."""
    return Analysis.objects.filter(pk=analysis_id, state__in=UNDER_WAY).exists()


def wait_for_the_end(analysis_id: UUID, seconds: float) -> bool:
    """Return when the analysis has ended or the time is over; at once, and False, without a place."""
    with places.one() as mine:
        end = time.monotonic() + seconds if mine else 0.0
        while (left := end - time.monotonic()) > 0 and is_under_way(analysis_id):
            connections.close_all()
            time.sleep(min(PAUSE, left))
    return mine


def look_again_in(analysis: Analysis, now: datetime) -> int:
    """The seconds after which it is worth looking again: as long as it will take, if that is known.

    Else a quarter of the time that it has waited, so that nobody asks all the time for what takes long.
    """
    if analysis.expected_at is not None:
        left = (analysis.expected_at - now).total_seconds()
    else:
        left = (now - analysis.queued_at).total_seconds() / 4
    return min(max(ceil(left), 1), LATEST)
