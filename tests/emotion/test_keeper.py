"""The keeper as a process."""

from __future__ import annotations

import signal
import subprocess
import time

import pytest

from audit_log.models import LogEntry
from tests.cast import open_study
from tests.processes import wait_for
from tools.children import GRACE

pytestmark = pytest.mark.processes


def test_it_ends_within_the_patience_of_the_supervisor(keeper: subprocess.Popen[bytes]) -> None:
    """Also while every loop waits for its next turn, of which some are 20 seconds away."""
    open_study()
    wait_for(LogEntry.objects.exists, what="the keeper")
    time.sleep(1)  # the first turn of the loops that wait long
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(GRACE / 2) == 0
