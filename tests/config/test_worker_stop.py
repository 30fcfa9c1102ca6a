"""A worker that waits for its broker is told to stop."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from types import FrameType

import pytest
from celery.signals import worker_shutting_down
from kombu.asynchronous import Hub, set_event_loop
from kombu.asynchronous.timer import Timer

from emotion import stopping

LONG = 10.0  # seconds; kombu waits no longer at once


@pytest.fixture
def waiting() -> Iterator[Hub]:
    """A loop that waits for a broker who says nothing; its next turn comes late."""
    ours, theirs = os.pipe()
    loop = Hub(Timer(max_interval=LONG))
    set_event_loop(loop)
    loop.add_reader(ours, lambda: None)
    loop.call_later(LONG, lambda: None)
    yield loop
    loop.close()
    set_event_loop(None)
    os.close(ours)
    os.close(theirs)


def test_the_loop_takes_its_turn_at_the_signal_and_not_at_its_next_timer(
    waiting: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        stopping, "_told", bytearray(1)
    )  # else this process would begin no analysis

    def told(_number: int, _frame: FrameType | None) -> None:
        worker_shutting_down.send(sender="worker", sig="SIGTERM", how="Warm", exitcode=0)

    before = signal.signal(signal.SIGALRM, told)
    turns = waiting.create_loop()
    began = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        next(turns)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - began < LONG / 2
