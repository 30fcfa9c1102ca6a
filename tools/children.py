"""A process that is kept alive: started in a group of its own, restarted with a growing delay.

Signals go to the parent of each group only: gunicorn and Celery tell their own children, and a group
that is told as a whole can hang while it shuts down. Whoever is left after the grace period is killed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tools.installation import Installation

GRACE = 8.0  # seconds between TERM to the parent and KILL to what is left of its group
LONGEST_PAUSE = 30.0  # seconds before a process that keeps dying is tried again
STABLE = 60.0  # seconds after which earlier deaths are forgotten
LARGEST_LOG = 5 * 1024 * 1024  # bytes
PR_SET_PDEATHSIG = 1  # linux/prctl.h

libc = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int) -> None:
    """Ask the kernel for a TERM when the parent dies, however it dies. Runs in the child."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died before the request was made
        os._exit(1)


def say(line: str) -> None:
    """A line for whoever watches. Where it cannot go, on a full disk say, the work goes on without it."""
    with suppress(OSError):
        print(line, flush=True)


class Child:
    """One supervised process.

    Attributes:
        log: where its output goes; process: None while it waits to be started again.
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        folder: Path,
        environment: Mapping[str, str],
        installation: Installation,
        grace: float = GRACE,
    ) -> None:
        self.name = name
        self.command = command
        self.folder = folder
        self.environment = environment
        self.log = installation.log / f"{name}.log"
        self.pid_file = installation.run / f"{name}.pid"
        self.grace = grace
        self.process: subprocess.Popen[bytes] | None = None
        self.deaths = 0
        self.started = 0.0
        self.start_at = 0.0
        self.told_at: float | None = None

    def start(self) -> None:
        """Start it now, or later when the machine has no room for it."""
        try:
            self.begin()
        except OSError as error:  # a full disk, no memory, too many processes
            self.deaths += 1
            pause = min(0.5 * 2 ** min(self.deaths, 10), LONGEST_PAUSE)
            self.start_at = time.monotonic() + pause
            say(f"{self.name}: {error}; tried again in {pause:.0f} s")

    def begin(self) -> None:
        """Start the process. Raises OSError."""
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))
        parent = os.getpid()
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: die_with(parent),  # safe: there is one thread
            )
        self.started, self.told_at = time.monotonic(), None
        with suppress(OSError):  # it runs; its number is for people only
            self.pid_file.write_text(f"{self.process.pid}\n")

    def watch(self) -> None:
        """Notice a death, and start it again when its pause is over."""
        if self.process is None:
            if self.start_at and time.monotonic() >= self.start_at:
                self.start()
            return
        if self.alive():
            if self.overdue():
                self.finish()
                self.start()
            return
        asked = self.told_at is not None
        status = self.finish()
        now = time.monotonic()
        self.deaths = 0 if asked or now - self.started > STABLE else self.deaths + 1
        pause = 0.0 if asked else min(0.5 * 2 ** min(self.deaths, 10), LONGEST_PAUSE)
        self.start_at = now + pause
        ended = f"signal {-status}" if status < 0 else f"status {status}"
        again = "again now" if asked else f"again in {pause:.0f} s; see {self.log}"
        say(f"{self.name}: ended ({ended}), starts {again}")

    def alive(self) -> bool:
        """Whether its parent process runs; one that ended stays a zombie until ``finish``."""
        if self.process is None:
            return False
        # Not poll(): that would reap it, and its number, which names its group, could be reused.
        found = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return found is None

    def restart(self) -> None:
        """Ask it to end; ``watch`` starts it again, after the grace period in any case."""
        self.terminate()

    def terminate(self) -> None:
        """Tell the parent, and nobody else in its group, to end."""
        if self.process is not None and self.told_at is None:
            self.told_at = time.monotonic()
            # Not Popen.terminate(), which would reap one that has ended: see ``alive``.
            os.kill(self.process.pid, signal.SIGTERM)

    def overdue(self) -> bool:
        """Whether it was told to end longer ago than the grace period."""
        return self.told_at is not None and time.monotonic() - self.told_at > self.grace

    def finish(self) -> int:
        """Kill what is left of the group and reap the parent; returns its exit status."""
        if self.process is None:
            return 0
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        status = self.process.wait()
        self.process = None
        with suppress(OSError):
            self.pid_file.unlink(missing_ok=True)
        return status
