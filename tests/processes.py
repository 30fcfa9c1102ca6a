"""Real worker and keeper processes for tests, on the databases of the test at hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections

ROOT = Path(__file__).resolve().parent.parent
WORKER = [
    sys.executable, "-m", "celery", "-A", "config", "worker", "--pool", "prefork",
    "--concurrency", "1", "--without-gossip", "--without-mingle", "--without-heartbeat",
    "--loglevel", "WARNING",
]  # fmt: skip
# Seconds; a run against planted faults waits less for what will not come.
PATIENCE = float(os.environ.get("TEST_PATIENCE", "120"))
KEEPER = [sys.executable, str(ROOT / "manage.py"), "keeper"]


def database_url(alias: str) -> str:
    given = connections[alias].settings_dict
    if connections[alias].vendor == "sqlite":
        return f"sqlite:///{given['NAME']}"
    who = f"{given['USER']}:{given['PASSWORD']}" if given["PASSWORD"] else given["USER"]
    return f"postgres://{who}@{given['HOST']}:{given['PORT']}/{given['NAME']}"


def make_broker_folders() -> None:
    """What the set-up of an installation makes, where the broker is a folder."""
    if settings.CELERY_BROKER_URL.startswith("filesystem"):
        for folder in ("queue", "processed", "control"):
            (Path(settings.BROKER_DIR) / folder).mkdir(mode=0o700, parents=True, exist_ok=True)


def environment() -> dict[str, str]:
    """The environment of a child that works on this test's databases."""
    make_broker_folders()
    broker = {}
    if settings.CELERY_BROKER_URL.startswith("filesystem"):
        broker["TMPDIR"] = str(settings.BROKER_DIR)
    return (
        os.environ
        | {"DATABASE_URL": database_url("default"), "KEYSTORE_URL": database_url("keystore")}
        | {"CONSENTRY_KEYS": str(settings.KEYS_DIR), "CONSENTRY_VAR": str(settings.VAR_DIR)}
        | broker
    )


@contextmanager
def running(command: list[str], log: Path, **changes: str) -> Iterator[subprocess.Popen[bytes]]:
    """A child process in a group of its own, ended with the block; ``changes`` to its environment."""
    with log.open("wb") as output:
        child = subprocess.Popen(
            command, cwd=ROOT, env=environment() | changes, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
        try:
            yield child
        finally:
            end(child, patience=0 if is_throwaway(command) else 10)


def is_throwaway(command: list[str]) -> bool:
    """Whether a process may be killed at once: a worker whose queue is a folder of this test's own.

    On a server the next worker takes from the same queue, so there the last one says good-bye first.
    """
    return command[: len(WORKER)] == WORKER and settings.CELERY_BROKER_URL.startswith("filesystem")


def end(child: subprocess.Popen[bytes], patience: float) -> None:
    """End a child, and kill its group when it has not ended after ``patience`` seconds.

    Celery takes about two seconds to end; how it ends in an installation, the supervisor's tests see.
    """
    if child.poll() is not None:
        return
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(patience)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def wait_for(condition: Callable[[], Any], seconds: float = PATIENCE, what: str = "it") -> Any:
    """The first true value of ``condition``; fails after ``seconds``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s for {what}")
