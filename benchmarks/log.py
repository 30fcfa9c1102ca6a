"""What an entry of the access log costs: ``python -m benchmarks.log [entries of each of 8 writers]``.

Each engine twice, on this disk and with 2 ms added to each fsync (a library that gcc compiles here and
the loader puts before libc's), as on a cloud's disk. In the same run the floor: a bare INSERT of the same
bytes, committed one by one. On SQLite one writer, then eight; on PostgreSQL, in a server made for this,
16 clients through ``append_durable`` and through ``append`` in a transaction, while the sequencer works as
in the keeper and somebody asks for inclusion proofs. Then the storage of an entry.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import uuid4

ROOT = Path(__file__).resolve().parent.parent
INNER = "BENCH_LOG_FOLDER"
DELAY = 2000  # microseconds
WRITERS, CLIENTS, EACH = 8, 16, 10_000
TICK = 0.2  # seconds, as in the keeper
SHIM = f"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
int fsync(int f) {{ usleep({DELAY}); return ((int (*)(int)) dlsym(RTLD_NEXT, "fsync"))(f); }}
int fdatasync(int f) {{ usleep({DELAY}); return ((int (*)(int)) dlsym(RTLD_NEXT, "fdatasync"))(f); }}
"""
BARE = "CREATE TABLE bare (id {1}, body {0}, leaf {0}, created text)"
INSERT = "INSERT INTO bare (body, leaf, created) VALUES ({0}, {0}, {0})"

Once = Callable[[], object]
Ready = Callable[[], Once]


def side_by_side(ready: Ready, number: int, each: int, beside: Once = lambda: None) -> list[float]:
    """Every client calls what ``ready`` gives it; seconds of each call, and of all of them at the end.

    ``beside`` is called in this process every ``TICK`` seconds meanwhile.
    """
    from tests.forks import fork

    folder = Path(os.environ[INNER])
    start = time.monotonic() + 2

    def client(name: int) -> None:
        do, taken = ready(), []
        time.sleep(max(0.0, start - time.monotonic()))
        for _ in range(each):
            begun = time.monotonic()
            do()
            taken.append(time.monotonic() - begun)
        (folder / f"taken-{name}").write_text(json.dumps([taken, time.monotonic()]))

    running = {fork(lambda name=name: client(name)) for name in range(number)}
    while running:
        beside()
        time.sleep(TICK)
        for child in list(running):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                if status:
                    raise SystemExit(f"a client ended with status {status}: nothing to report")
                running.remove(child)
    found = [json.loads((folder / f"taken-{name}").read_text()) for name in range(number)]
    return [
        *sorted(chain.from_iterable(taken for taken, _end in found)),
        max(end for _, end in found) - start,
    ]


def told(what: str, taken: list[float]) -> float:
    """Print a line; the rate."""
    *each, whole = taken
    at = [each[min(len(each) - 1, int(len(each) * part))] * 1000 for part in (0.5, 0.99)]
    rate = len(each) / whole
    print(
        f"  {what:44} {rate:7,.0f}/s   p50 {at[0]:6.1f}   p99 {at[1]:6.1f}   max {each[-1] * 1000:6.0f} ms",
        flush=True,
    )
    return rate


def draft() -> Any:
    """An entry as a read writes it."""
    from audit_log.actions import Action, ReasonCode
    from audit_log.entries import Draft

    return Draft(
        action=Action.RESULT_READ, actor=f"operator:{uuid4()}", reason=ReasonCode.QUALITY_CHECK,
        purpose_id=uuid4(), subject_tag=os.urandom(32), consent_tag=os.urandom(32),
        object_tag=os.urandom(32), policy_version="1", permit_id=uuid4(),
    )  # fmt: skip


def durable() -> Once:
    """One entry, alone."""
    from audit_log.log import append_durable

    mine = draft()
    return lambda: append_durable(mine)


def with_a_change() -> Once:
    """One entry in a transaction, as a change writes it."""
    from django.db import transaction

    from audit_log.log import append

    mine = draft()

    def once() -> None:
        with transaction.atomic():
            append(mine)

    return once


def bare() -> Once:
    """The floor: the same bytes through the engine's own driver, without triggers or other indexes."""
    from django.db import connection

    from audit_log.log import prepare

    entry, leaf, body = prepare(draft())
    given = connection.settings_dict
    values = (body, leaf, str(entry.time))
    if connection.vendor == "sqlite":
        file = Path(os.environ[INNER]) / "bare.sqlite3"
        floor = sqlite3.connect(file, isolation_level=None, timeout=60)
        floor.execute("PRAGMA journal_mode=WAL")
        floor.execute("PRAGMA synchronous=FULL")
        return lambda: floor.execute(INSERT.format("?"), values)
    import psycopg

    server = psycopg.connect(
        host=given["HOST"], port=given["PORT"], user=given["USER"], dbname=given["NAME"],
        autocommit=True,
    )  # fmt: skip
    return lambda: server.execute(INSERT.format("%s"), values)


def drain() -> None:
    """Give every waiting entry its place."""
    from audit_log.sequencer import integrate_once

    while integrate_once():
        pass


class Asking:
    """Beside the writers: the sequencer, and somebody who waits for the proof of a new entry."""

    def __init__(self) -> None:
        drain()
        self.waiting: dict[Any, float] = {}
        self.took: list[float] = []
        self.behind = 0

    def __call__(self) -> None:
        from audit_log.log import append_durable
        from audit_log.models import PendingEntry
        from audit_log.sequencer import BATCH, integrate_once

        begun = time.monotonic()
        self.waiting[append_durable(draft()).entry_id] = begun
        for _ in range(20):
            if integrate_once() < BATCH:
                break
        self.behind = max(self.behind, PendingEntry.objects.count())
        self.prove()

    def prove(self) -> None:
        """Ask for the proofs that are not there yet."""
        from audit_log.errors import EntryNotIntegrated
        from audit_log.proofs import inclusion_proof

        for entry_id, since in list(self.waiting.items()):
            try:
                inclusion_proof(entry_id)
            except EntryNotIntegrated:
                continue
            self.took.append(time.monotonic() - since)
            del self.waiting[entry_id]

    def tell(self) -> None:
        """How long it took from an entry to its proof."""
        drain()
        self.prove()
        print(
            f"  entry to inclusion proof at that load: median {statistics.median(self.took):.2f} s, "
            f"longest {max(self.took):.2f} s; at most {self.behind:,} entries waited after a round",
            flush=True,
        )


def cpu_of_append() -> None:
    """What Django and the entry itself cost without a commit: many in one transaction."""
    from django.db import transaction

    from audit_log.log import append, prepare

    mine, number = draft(), 2000
    with transaction.atomic():
        append(mine)
        begun = time.process_time()
        for _ in range(number):
            append(mine)
        whole = time.process_time() - begun
    begun = time.process_time()
    for _ in range(number):
        prepare(mine)
    entry = time.process_time() - begun
    print(
        f"  processor time of one append {whole / number * 1e6:.0f} µs, of which the entry's bytes and "
        f"hash {entry / number * 1e6:.0f} µs",
        flush=True,
    )


def storage() -> None:
    """Bytes of an entry with all its indexes, hashes and checkpoints, when it is in the tree."""
    from django.db import connection

    from audit_log.models import LogEntry
    from audit_log.verification import verify_database

    drain()
    number = LogEntry.objects.count()
    body = len(LogEntry.objects.latest("index").body)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.execute("SELECT sum(pgsize) FROM dbstat WHERE name LIKE '%%log%%'")
        else:
            cursor.execute("VACUUM FULL audit_log_pendingentry")
            cursor.execute(
                "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
                "WHERE relkind = 'r' AND relname LIKE 'audit_log_%%'"
            )
        size = int(cursor.fetchone()[0])
    begun = time.monotonic()
    problem = verify_database().problem
    print(
        f"  storage {size / number:,.0f} bytes an entry of {body} bytes, {number:,} entries; all verified "
        f"in {time.monotonic() - begun:.0f} s{problem and ': ' + problem}",
        flush=True,
    )


def measure(each: int) -> None:
    """Inside a fresh installation."""
    import django

    django.setup()
    from django.db import connection

    if connection.vendor == "sqlite":
        with sqlite3.connect(Path(os.environ[INNER]) / "bare.sqlite3") as floor:
            floor.execute(BARE.format("blob", "integer PRIMARY KEY"))
        one = max(300, each // 5)
        low = told("bare INSERT, one by one", side_by_side(bare, 1, one))
        rate = told("append_durable, one by one", side_by_side(durable, 1, one))
        print(f"  ratio {rate / low:.2f}")
        told(f"bare INSERT, {WRITERS} writers", side_by_side(bare, WRITERS, max(100, each // 10)))
        asking = Asking()
        told(f"append_durable, {WRITERS} writers", side_by_side(durable, WRITERS, each, asking))
    else:
        with connection.cursor() as cursor:
            cursor.execute(BARE.format("bytea", "bigserial PRIMARY KEY"))
        each = max(200, each * WRITERS // CLIENTS // 2)
        low = told(f"bare INSERT, {CLIENTS} clients", side_by_side(bare, CLIENTS, each))
        alone = told(f"append_durable, {CLIENTS} clients", side_by_side(durable, CLIENTS, each))
        told(f"append, {CLIENTS} clients", side_by_side(with_a_change, CLIENTS, each))
        print(f"  ratio {alone / low:.2f}")
        asking = Asking()
        beside = side_by_side(durable, CLIENTS, each, asking)
        told(f"append_durable, {CLIENTS} clients, and sequencer", beside)
    asking.tell()
    cpu_of_append()
    storage()


def run(name: str, folder: Path, each: int, **changes: str) -> None:
    """A fresh installation in a process of its own."""
    print(f"{name}:", flush=True)
    ours = ("CONSENTRY_", "DATABASE_", "KEYSTORE_", "CELERY_", "CACHE_", "EMAIL_")
    given = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    given |= {
        "CONSENTRY_VAR": f"{folder}/var", "CONSENTRY_KEYS": f"{folder}/keys", "CONSENTRY_DEMO": "0",
        "SECRET_KEY": uuid4().hex + uuid4().hex, "DJANGO_SETTINGS_MODULE": "config.settings",
        INNER: str(folder),
    }  # fmt: skip
    quiet = {k: v for k, v in (given | changes).items() if k != "LD_PRELOAD"}
    setup = [sys.executable, "manage.py", "setup"]
    subprocess.run(setup, cwd=ROOT, env=quiet, check=True, stdout=subprocess.DEVNULL)
    inner = [sys.executable, "-m", "benchmarks.log", str(each)]
    subprocess.run(inner, cwd=ROOT, env=given | changes, check=True)


def slower_fsync(folder: Path) -> str:
    """A library that adds 2 ms to each fsync and fdatasync; empty without gcc."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return ""
    library = folder / "slower.so"
    (folder / "slower.c").write_text(SHIM)
    command = [compiler, "-shared", "-fPIC", "-o", library, folder / "slower.c", "-ldl"]
    subprocess.run(command, check=True)
    return str(library)


@contextmanager
def server(folder: Path, preload: str) -> Iterator[str]:
    """A PostgreSQL server of our own, as it comes; its URL."""
    binaries = max(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
    )
    who: dict[str, Any] = {}
    if os.getuid() == 0:  # PostgreSQL does not run as root
        shutil.chown(folder, "postgres")
        who = {"user": "postgres", "group": "postgres", "extra_groups": []}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    initdb = [binaries / "initdb", "-D", data, "-U", "bench", "--auth=trust", "--encoding=UTF8"]
    subprocess.run(initdb, cwd=folder, check=True, stdout=subprocess.DEVNULL, **who)
    options = [
        binaries / "postgres",
        "-D",
        data,
        "-p",
        str(port),
        "-k",
        folder,
        "-h",
        "127.0.0.1",
    ]
    given = os.environ | ({"LD_PRELOAD": preload} if preload else {})
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(options, cwd=folder, env=given, stderr=log, stdout=log, **who)
    try:
        ready = [binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        while subprocess.run(ready).returncode:
            time.sleep(0.1)
        for name in ("bench", "bench_keys"):
            create = [
                binaries / "createdb",
                "-h",
                "127.0.0.1",
                "-p",
                str(port),
                "-U",
                "bench",
                name,
            ]
            subprocess.run(create, check=True)
        yield f"postgres://bench@127.0.0.1:{port}/bench"
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Both engines, with and without the slower disk."""
    each = int(sys.argv[1]) if len(sys.argv) > 1 else EACH
    if os.environ.get(INNER):
        measure(each)
        return
    with tempfile.TemporaryDirectory(prefix="consentry-bench-") as outer:
        Path(outer).chmod(0o755)
        library = slower_fsync(Path(outer))
        for name, preload in {"this disk": "", "2 ms more for each fsync": library}.items():
            if name != "this disk" and not library:
                print(f"{name}: not run, gcc is not here")
                continue
            folder = Path(tempfile.mkdtemp(dir=outer))
            run(f"SQLite, {name}", folder, each, **({"LD_PRELOAD": preload} if preload else {}))
            if not list(Path("/usr/lib/postgresql").glob("*/bin")):
                print("PostgreSQL: not here")
                continue
            folder, place = (Path(tempfile.mkdtemp(dir=outer)) for _ in range(2))
            with server(place, preload) as url:
                urls = {"DATABASE_URL": url, "KEYSTORE_URL": f"{url}_keys"}
                run(f"PostgreSQL, {name}", folder, each, **urls)


if __name__ == "__main__":
    main()
