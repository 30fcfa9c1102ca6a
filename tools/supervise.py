"""Starts the web server, the worker and the keeper, and looks after them until Ctrl-C.

``.venv/bin/python -m tools.supervise`` (what ``make run`` calls). Environment: HOST, PORT,
CONSENTRY_WEB_WORKERS, CONSENTRY_WEB_THREADS, CONSENTRY_WORKERS, and everything that
``config.settings`` reads.
Standard library only and one thread: what a parent's death does to a child (``tools.children``)
depends on the thread that started it.
"""

from __future__ import annotations

import errno
import fcntl
import http.client
import os
import signal
import socket
import sys
import time
from pathlib import Path
from types import FrameType
from typing import IO

from tools.children import Child, say
from tools.installation import Installation, NotReady, from_environment, make_folders, prepare
from tools.setup import ROOT, VENV

STEP = 0.1  # seconds between two looks at the children
WORKER_GRACE = 15.0  # seconds: an analysis under way may end, and Celery needs 5 when idle
WEB_FIRST = (
    8.0  # seconds that the others wait for the web server, so that it has the cores at start
)


class Refused(Exception):
    """Nothing was started; the message is one line that says why."""


def number(name: str, default: int, least: int, most: int) -> int:
    """A whole number from the environment; raises Refused for anything else."""
    given = os.environ.get(name) or str(default)
    if not given.isdecimal() or not least <= int(given) <= most:
        raise Refused(f"{name} must be a number from {least} to {most}; got {given!r}.")
    return int(given)


def only_one(installation: Installation) -> IO[str]:
    """Hold the folder's lock for the life of the returned file; raises Refused when it is taken."""
    lock = (installation.run / "supervisor.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise Refused(
            f"Consentry already runs in {installation.var} (process {lock.read().strip()})."
        ) from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def require_free(host: str, port: int) -> None:
    """Raise Refused when the web server could not listen there."""
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Refused(
                f"Port {port} on {host} is in use. Choose another: make run PORT={port + 1}"
            ) from None
        raise Refused(f"Cannot listen on {host} port {port}: {error.strerror}.") from None


def children(installation: Installation, host: str, port: int) -> list[Child]:
    """The three processes, the web server first."""
    common = {
        **installation.environment,
        # One analysis uses one core; more threads than cores only get into each other's way.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }
    # kombu moves each message through the temporary folder: a rename, if it is the same filesystem.
    broker = {"TMPDIR": str(installation.var / "broker" / "tmp")}
    concurrency = number("CONSENTRY_WORKERS", min(os.cpu_count() or 1, 2), 1, 256)
    processes = number("CONSENTRY_WEB_WORKERS", 2, 1, 256)
    threads = number("CONSENTRY_WEB_THREADS", 4, 1, 256)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    python = str(VENV / "bin" / "python")
    web = [
        python, "-m", "gunicorn", "config.wsgi", "--config", "python:config.gunicorn",
        "--preload", "--worker-class", "audit_log.patient_lines.Worker", "--no-sendfile",
        "--workers", str(processes), "--threads", str(threads), "--bind", address,
        "--graceful-timeout", "5", "--log-level", "warning", "--no-control-socket",
    ]  # fmt: skip
    worker = [
        python, "-m", "celery", "-A", "config", "worker", "--pool", "prefork",
        "--concurrency", str(concurrency), "--loglevel", "WARNING",
        "--without-gossip", "--without-mingle", "--without-heartbeat",
    ]  # fmt: skip
    return [
        Child("web", web, ROOT, common, installation),
        Child("worker", worker, ROOT, common | broker, installation, grace=WORKER_GRACE),
        Child("keeper", [python, "manage.py", "keeper"], ROOT, common, installation),
    ]


def answers(host: str, port: int) -> bool:
    """Whether a web server answers there, with whatever status."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  compared only
    connection = http.client.HTTPConnection(reachable, port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


class Supervisor:
    """Keeps the children alive until it is told to stop."""

    def __init__(self, installation: Installation, host: str, port: int) -> None:
        self.installation = installation
        self.host, self.port = host, port
        self.children = children(installation, host, port)
        self.stopping = False
        self.hurry = False
        self.marks = {child: installation.run / f"restart-{child.name}" for child in self.children}

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Stop; the second time, without waiting for anything."""
        self.hurry = self.stopping
        self.stopping = True

    def run(self) -> None:
        """Start everything, watch until a signal comes, stop everything."""
        for mark in self.marks.values():
            mark.unlink(missing_ok=True)  # of an earlier run
        try:
            self.start()
            while not self.stopping:
                self.watch()
                time.sleep(STEP)
        finally:
            self.stop()

    def start(self) -> None:
        """The web server first; the others when it answers, or when that takes too long."""
        web, *others = self.children
        web.start()
        end = time.monotonic() + WEB_FIRST
        up = False
        while not up and not self.stopping and time.monotonic() < end:
            time.sleep(STEP / 2)
            web.watch()
            up = answers(self.host, self.port)
        if self.stopping:
            return
        for child in others:
            child.start()
        if up:
            self.greet()
        else:
            say(f"the web server does not answer yet; see {web.log}")

    def greet(self) -> None:
        """Where to go and how to get in."""
        installation = self.installation
        shown = installation.environment["SITE_URL"]
        say(f"\nConsentry runs at {shown}{' (a demo)' if installation.demo else ''}")
        if installation.demo:
            logins = installation.keys / "demo_logins"
            say(f"  logins: {short(logins)}   one-time codes: make demo-code")
        say(f"  what it writes: {short(installation.log)}   stop: Ctrl-C\n")

    def watch(self) -> None:
        """Start again what died, and what somebody left a mark for."""
        for child in self.children:
            child.watch()
            mark = self.marks[child]
            if mark.exists():
                mark.unlink(missing_ok=True)
                say(f"{child.name}: a restart was asked for")
                child.restart()

    def stop(self) -> None:
        """Ask every parent to end, wait for each up to its grace period, then end their groups."""
        for child in self.children:
            child.terminate()
        while any(child.alive() and not child.overdue() for child in self.children):
            if self.hurry:
                break
            time.sleep(STEP / 2)
        for child in self.children:
            child.finish()


def short(path: Path) -> str:
    """A path as seen from the folder of Consentry."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def main() -> int:
    """Check, prepare, run; returns the exit status."""
    os.umask(0o077)
    try:
        host, port = os.environ.get("HOST") or "127.0.0.1", number("PORT", 8000, 1, 65535)
        installation = from_environment(os.environ, port)
        make_folders(installation)
        lock = only_one(installation)
        require_free(host, port)
        supervisor = Supervisor(installation, host, port)
        prepare(installation)
    except (Refused, NotReady) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename or 'The installation'}: {error.strerror}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    for number_ in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number_, supervisor.on_signal)
    with lock:
        supervisor.run()
    say("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
