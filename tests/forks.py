"""Real processes made by forking the test, to be killed at any step or let run side by side."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connections


def fork(work: Callable[[], None]) -> int:
    """Run ``work`` in a child with connections of its own; its process id."""
    connections.close_all()
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)  # nothing of the test's own ends here


def ended(child: int) -> int:
    """Wait for a child; its exit status, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_after(child: int, seconds: float) -> int:
    """Kill a child that does not see it coming."""
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return ended(child)


def killed_at(owner: Any, step: str, work: Callable[[], object], *, after: bool) -> None:
    """Run ``work`` in a child that is killed when it calls a function of a module, before or after it."""
    honest = getattr(owner, step)

    def dying(*given: Any, **named: Any) -> None:
        if after:
            honest(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    def broken() -> None:
        setattr(owner, step, dying)
        work()

    assert ended(fork(broken)) == -signal.SIGKILL, f"{step} was never called"


class Steps:
    """Counts every statement, commit, flush and rename of this process, and dies at one of them."""

    def __init__(self, die_at: int = 0) -> None:
        self.seen, self.die_at = 0, die_at

    def step(self) -> None:
        """One step further; at the chosen one this process is gone before it can do anything about it."""
        self.seen += 1
        if self.seen == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same function with a step before and one after it."""

        def stepped(*args: Any, **kwargs: Any) -> Any:
            self.step()
            done = work(*args, **kwargs)
            self.step()
            return done

        return stepped

    def count(self) -> None:
        """From now on, in this process."""
        for alias in connections:
            connection = connections[alias]
            connection.ensure_connection()
            connection.execute_wrappers.append(lambda execute, *args: self.around(execute)(*args))
            connection._commit = self.around(connection._commit)
        os.fsync = self.around(os.fsync)
        Path.replace = self.around(Path.replace)  # type: ignore[method-assign]
