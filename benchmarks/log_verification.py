"""How long a whole log takes to verify, and how much memory: ``python -m benchmarks.log_verification [n]``.

Makes a log of ``n`` entries (a million unless said otherwise): as an exported folder, and as a SQLite
database without its triggers and search indexes, which verifying does not ask. Then verifies it in
processes of their own, with wall time, the time that processors were busy, and the most memory of any of
the processes: the one file for auditors, ``verify_log --export``, and ``verify_log`` over the database.
The floor of the same run is one pass of SHA-256 over as many leaves and nodes.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from audit_log.entries import Entry  # it loads the settings, which come later

ROOT = Path(__file__).resolve().parent.parent
ENTRIES = 1_000_000
INNER = "BENCH_LOG_FOLDER"
BATCH = 10_000
CHECKPOINT_EVERY = 50  # entries; a busy log signs five times a second


def entries(number: int) -> Iterator[Entry]:
    """Entries as a study in use writes them: reads, by a few clients, about many people."""
    from audit_log.actions import Action, ReasonCode
    from audit_log.entries import Draft, Entry

    begun = datetime(2026, 1, 1, tzinfo=UTC)
    actors = [f"client:{UUID(int=secrets.randbits(128), version=4)}" for _ in range(8)]
    purpose = UUID(int=secrets.randbits(128), version=4)
    for index in range(number):
        tag = os.urandom(32)
        draft = Draft(
            action=Action.RESULT_READ,
            actor=actors[index % 8],
            reason=ReasonCode.STUDY_ANALYSIS,
            purpose_id=purpose,
            subject_tag=tag,
            object_tag=tag[::-1],
            policy_version="story-study/1",
        )
        at = begun + timedelta(milliseconds=30 * index)
        # UUIDv7: milliseconds, then what keeps them apart.
        stamp = int(at.timestamp() * 1000)
        new = UUID(int=(stamp << 80) | (7 << 76) | (2 << 62) | index)
        yield Entry(id=new, time=at, draft=draft)


def make(folder: Path, number: int) -> None:
    """The log as a database and as a folder."""
    import django

    django.setup()
    from django.core.management import call_command

    from audit_log import signing
    from audit_log.export import export_log
    from audit_log.storage import Folder
    from vault.setup import ensure_root

    call_command("migrate", database="default", verbosity=0)
    call_command("migrate", database="keystore", verbosity=0)
    ensure_root()
    signing.ensure_key()
    begun = time.perf_counter()
    fill(number)
    print(f"made         {number:,} entries in {time.perf_counter() - begun:.0f} s", flush=True)
    begun = time.perf_counter()
    done = export_log(Folder(folder / "log"))
    print(f"exported     {done.files:,} tiles in {time.perf_counter() - begun:.0f} s", flush=True)
    begun = time.perf_counter()
    floor(number)
    print(f"floor        hashing alone {time.perf_counter() - begun:.1f} s", flush=True)


def row_of(entry: Entry, index: int, leaf: bytes, body: bytes) -> tuple[object, ...]:
    """The columns of an entry as SQLite keeps them, in the order of ``COLUMNS``."""
    draft = entry.draft
    return (
        index, entry.id.hex, leaf, body, str(entry.time.replace(tzinfo=None)), draft.actor,
        draft.action.value, draft.outcome.value, draft.reason.value if draft.reason else "",
        draft.purpose_id.hex if draft.purpose_id else None, draft.subject_tag, draft.object_tag,
        draft.consent_tag,
    )  # fmt: skip


def fill(number: int) -> None:
    """Rows as the sequencer would write them, with a checkpoint signed every fifty entries."""
    from django.db import connection, transaction
    from django.utils import timezone

    from audit_log import signing
    from audit_log.blocks import COLUMNS
    from audit_log.checkpoint import Checkpoint as SignedTree
    from audit_log.checkpoint import sign
    from audit_log.merkle import Frontier, leaf_hash, stored_before

    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.execute("SELECT name, type, sql FROM sqlite_master WHERE name LIKE '%log%'")
    for name, kind, sql in cursor.fetchall():
        if kind in {"trigger", "index"} and sql:
            cursor.execute(f'DROP {kind} "{name}"')
    marks = ", ".join(["%s"] * len(COLUMNS))
    columns = ", ".join(f'"{column}"' for column in COLUMNS)
    insert = f"INSERT INTO audit_log_logentry ({columns}) VALUES ({marks})"
    key, edge, source = signing.signer_key(), Frontier(), entries(number)
    now, note = f"{timezone.now():%Y-%m-%d %H:%M:%S}", ""
    while edge.size < number:
        rows, nodes, signed = [], [], []
        for _ in range(min(BATCH, number - edge.size)):
            entry = next(source)
            body = entry.canonical()
            leaf = leaf_hash(body)
            rows.append(row_of(entry, edge.size, leaf, body))
            place = stored_before(edge.size)
            nodes += [(place + at, value) for at, value in enumerate(edge.add(leaf))]
            if edge.size % CHECKPOINT_EVERY == 0 or edge.size == number:
                tree = SignedTree(key.name, edge.size, edge.root())
                note = sign(tree, key)
                signed.append((tree.size, tree.root, note, now))
        with transaction.atomic():
            cursor.executemany(insert, rows)
            cursor.executemany("INSERT INTO audit_log_treenode VALUES (%s, %s)", nodes)
            cursor.executemany("INSERT INTO audit_log_checkpoint VALUES (%s, %s, %s, %s)", signed)
    signing.remember(note)


def floor(number: int) -> None:
    """Two hashes for each entry, over as many bytes."""
    from hashlib import sha256

    leaf, pair = b"\x00" + bytes(460), b"\x01" + bytes(64)
    for _ in range(number):
        sha256(leaf).digest()
        sha256(pair).digest()


def measured(name: str, command: list[str], environment: dict[str, str]) -> bool:
    """Run a verifier; print its time, the most memory of one of its processes, and its verdict."""
    begun = time.perf_counter()
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    said = (child.stdout.read() if child.stdout else "").strip().splitlines() or ["nothing"]
    _pid, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    print(
        f"{name:<12} {time.perf_counter() - begun:.1f} s, processors busy for "
        f"{usage.ru_utime + usage.ru_stime:.1f} s, {usage.ru_maxrss / 1024:.0f} MiB   {said[-1][:70]}",
        flush=True,
    )
    return child.returncode == 0


def main() -> int:
    """Make the log in one process, verify it in others."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    if INNER in os.environ:
        make(Path(os.environ[INNER]), number)
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-log-") as name:
        folder = Path(name)
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "CONSENTRY_VAR": str(folder / "var"),
            "CONSENTRY_KEYS": str(folder / "keys"),
            "SECRET_KEY": secrets.token_urlsafe(48),
            "SITE_URL": "http://bench.example",
            "DATABASE_URL": f"sqlite:///{folder / 'bench.sqlite3'}",
            "KEYSTORE_URL": f"sqlite:///{folder / 'keys.sqlite3'}",
        }
        for each in ("bench", "keys"):
            (folder / f"{each}.sqlite3").touch()
        for each in ("var", "keys"):
            (folder / each).mkdir(mode=0o700)
        this = [sys.executable, "-m", "benchmarks.log_verification", str(number)]
        if subprocess.run(this, cwd=ROOT, env=environment | {INNER: name}).returncode:
            return 1
        key = (folder / "keys" / "log" / "verifier_key").read_text().split("\n", 1)[0]
        verifier = [sys.executable, str(ROOT / "tools" / "verify_access_log.py")]
        log, manage = str(folder / "log"), [sys.executable, "manage.py", "verify_log"]
        ok = measured("one file", [*verifier, "export", log, "--key", key], environment)
        ok &= measured("folder", [*manage, "--export", log], environment)
        ok &= measured("database", manage, environment)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
