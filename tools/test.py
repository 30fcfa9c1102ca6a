"""``make test``: every test on SQLite, then those that touch a database or queue on the larger engines.

``python -m tools.test [arguments for pytest]``. TEST_DATABASE_URL (default postgres://root@127.0.0.1:5432),
TEST_BROKER_URL (default amqp://guest:guest@127.0.0.1:5672//) and TEST_REDIS_URL (default
redis://127.0.0.1:6379/9) say where to look for them. What does not answer is named; with CI=true it is a
failure.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from secrets import randbelow
from urllib.parse import urlsplit

import psycopg
import pytest
from kombu import Connection
from kombu.exceptions import OperationalError
from psycopg import sql

from tools import pages
from tools.setup import PYTHON, ROOT

DATABASE = os.environ.get("TEST_DATABASE_URL") or "postgres://root@127.0.0.1:5432"
BROKER = os.environ.get("TEST_BROKER_URL") or "amqp://guest:guest@127.0.0.1:5672//"
REDIS = os.environ.get("TEST_REDIS_URL") or "redis://127.0.0.1:6379/9"
CHROMIUM = Path("/usr/bin/chromium")  # the one that the browser tests start
SUMDB = Path("/usr/share/gocode/src/golang.org/x/mod/sumdb")  # golang-golang-x-mod-dev
MEMORY = Path("/dev/shm")  # noqa: S108  a folder of a random name is made in it
ROOM = 6 * 2**30
SEED = "--randomly-seed="
NOTHING_SELECTED = pytest.ExitCode.NO_TESTS_COLLECTED


@dataclass(frozen=True)
class Profile:
    """One run of pytest.

    Fields:
        engines: the variables that choose database and broker; part: see ``tools.selection``.
        workers: how many tests run at once.
    """

    name: str
    engines: dict[str, str]
    part: str
    workers: int


def postgresql_answers() -> bool:
    """Whether the database server takes a connection."""
    try:
        psycopg.connect(f"{DATABASE.rstrip('/')}/postgres", connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def sweep() -> None:
    """Drop what killed test runs left behind: databases and roles named after a process that is gone."""
    with psycopg.connect(f"{DATABASE.rstrip('/')}/postgres", autocommit=True) as connection:
        for (name,) in connection.execute("SELECT datname FROM pg_database").fetchall():
            made_by = re.match(r"consentry_test_(\d+)_", name)
            if made_by and not Path("/proc", made_by[1]).exists():
                connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
        for (name,) in connection.execute("SELECT rolname FROM pg_roles").fetchall():
            made_by = re.match(r"consentry_test_(\d+)_", name)
            if made_by and not Path("/proc", made_by[1]).exists():
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def in_memory() -> str | None:
    """The folder for what tests write, if memory has room: no commit of theirs waits for a disk then."""
    if not MEMORY.is_dir():
        return None
    found = os.statvfs(MEMORY)
    programs = not found.f_flag & os.ST_NOEXEC  # some tests build programs there
    return str(MEMORY) if programs and found.f_bavail * found.f_frsize >= ROOM else None


def broker_answers() -> bool:
    """Whether the broker takes a connection."""
    try:
        with Connection(BROKER, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
    except (OperationalError, OSError):
        return False
    return True


def redis_answers() -> bool:
    """Whether the Redis in which tests count takes a connection."""
    place = urlsplit(REDIS)
    try:
        socket.create_connection((place.hostname, place.port or 6379), timeout=3).close()
    except OSError:
        return False
    return True


def profiles(postgresql: bool, broker: bool) -> list[Profile]:
    """What can run here, two tests at once; each process has a queue of its own (``tests.environment``)."""
    found = [Profile("SQLite, broker in a folder", {}, "all", 2)]
    if postgresql:
        engine = {"TEST_DATABASE_URL": DATABASE}
        found.append(Profile("PostgreSQL", engine, "databases", 2))
        if broker:
            both = engine | {"TEST_BROKER_URL": BROKER}
            found.append(Profile("PostgreSQL and RabbitMQ", both, "queue", 3))
        else:
            found.append(Profile("PostgreSQL, broker in a folder", engine, "queue", 3))
    return found


def run(profile: Profile, arguments: list[str], shared: Path) -> bool:
    """Run pytest once; returns whether everything that was selected passed.

    ``shared``: where the runs write, and share what takes long to make (``tests.databases``).
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TEST_")}
    environment |= profile.engines | {"CONSENTRY_TEST_PART": profile.part, "TEST_REDIS_URL": REDIS}
    environment["TEST_SHARED"] = environment["TMPDIR"] = str(shared)
    # The order of the tests and all values that are drawn; given again, they are the same.
    seed = next((each for each in arguments if each.startswith(SEED)), SEED + str(randbelow(2**32)))
    number = seed.removeprefix(SEED)
    print(f"\n--- {profile.name} --- (again the same: ARGS={seed})", flush=True)
    started = time.monotonic()
    command = [
        str(PYTHON),
        "-m",
        "pytest",
        "-q",
        "-p",
        "tools.selection",
        "-n",
        str(profile.workers),
        f"--hypothesis-seed={number}",
        "--durations=30",
        "--durations-min=5",
    ]
    command += [seed, *(each for each in arguments if each != seed)]
    status = subprocess.run(command, cwd=ROOT, env=environment).returncode
    # Chosen tests may all lie outside the second and third part; the first must find some.
    passed = status == 0 or (status == NOTHING_SELECTED and profile.part != "all")
    seconds = time.monotonic() - started
    print(f"--- {profile.name}: {'passed' if passed else 'FAILED'} in {seconds:.0f} s", flush=True)
    return passed


def main(arguments: list[str]) -> int:
    """Run every profile that can run here; returns the exit status."""
    postgresql, broker, browser = postgresql_answers(), broker_answers(), CHROMIUM.exists()
    go = shutil.which("go") is not None and SUMDB.is_dir()
    node = shutil.which("node") is not None and shutil.which("npm") is not None
    missing = [
        line
        for line, found in {
            f"PostgreSQL ({DATABASE.rpartition('@')[2]}): second database": postgresql,
            f"RabbitMQ ({BROKER.rpartition('@')[2]}): second broker": broker,
            f"Redis ({REDIS.rpartition('@')[2]}): limits counted there": redis_answers(),
            "Chromium: tests in a real browser": browser,
            "Go with golang-golang-x-mod-dev: verifies the access log": go,
            "Node with npm: verifies the access log": node,
        }.items()
        if not found
    ]
    for line in missing:
        print(f"not here: {line}", flush=True)
    if missing and os.environ.get("CI") == "true":
        print("With CI=true everything must be here.", file=sys.stderr)
        return 1
    if postgresql and re.search("@(127[.]0[.]0[.]1|localhost)(:|$|/)", DATABASE):
        sweep()  # elsewhere a process number says nothing
    whole = not arguments
    absent = [mark for mark, here in (("browser", browser), ("outside", go and node)) if not here]
    if absent:
        arguments = ["-m", " and ".join(f"not {mark}" for mark in absent), *arguments]
    with tempfile.TemporaryDirectory(prefix="consentry-shared-", dir=in_memory()) as folder:
        results = [run(each, arguments, Path(folder)) for each in profiles(postgresql, broker)]
        if browser and whole:
            results.append(pages.main(Path(folder, "pages-looked-at")) == 0)
    for line in missing:
        print(f"not run, because it is not here: {line}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
